"""What objectives have in common that hide how strongly a feature is expressed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import kind_of, settings
from genoken.core.contracts import FeatureStatistics, MaskDraw
from genoken.core.errors import ConfigError, DataError
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY, NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.objectives import _masking

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm


@settings
class HiddenValueObjective(_masking.MaskedObjective):
    """Hides the value of some tokens and asks for it, as a category, a number or a count."""

    likelihood: Literal["mse", "huber", "negative_binomial"] = "mse"
    """Loss of values that are numbers; ``negative_binomial`` takes them for ``ln(1 + count)``."""
    huber_delta: Annotated[float, Field(gt=0)] = 1.0
    """Where the Huber loss turns linear, in the units of the regression."""
    standardize: bool = True
    """Regress on values standardized by each feature's mean and deviation in the train split (squared and Huber loss)."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread evenly over the categories."""
    tied: bool = False
    """Use the embedding table of the categories again as output weights."""
    absent_swap: _masking.Share = 0.0
    """Share of the hidden tokens that ask for a feature that the sample does not hold, whose value is bin 0 (or the number 0)."""

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per category; for numbers one, or two for counts."""
        value = _masking.required_channel(layout, "value", kind_of(self))
        if value.kind == "category":
            num_categories = value.size - FIRST_CATEGORY
            return HeadSpec(
                outputs=num_categories,
                level="token",
                tied_to="value" if self.tied else "",
                linear="rank" if num_categories == layout.num_features else "",
            )
        if self.likelihood == "negative_binomial":
            return HeadSpec(outputs=2, level="token")
        return HeadSpec(outputs=1, level="token", linear="standardized" if self.standardize else "value")

    def hide(self, batch: Batch, layout: Layout, draw: MaskDraw, statistics: FeatureStatistics | None = None) -> Batch:
        """Mask values, or replace them by others of the sample; labels are categories, or values in the channel's units.

        With ``absent_swap`` some tokens, masked ones in any case, take the identity of a feature that the sample does not hold. One
        that ``max_tokens`` cut off counts as such.

        Raises
        ------
        ConfigError
            When features shall be swapped, but every sample holds them all, or ``statistics`` are needed and absent.
        DataError
            When values that shall be counts are none.
        """
        channel = _masking.required_channel(layout, "value", kind_of(self))
        values = batch.channels[channel.name].numpy()
        identities = _masking.true_identities(batch, layout)
        eligible = _masking.eligible_tokens(batch, layout, identities, self.segment) & _is_known(values, channel)
        hidden = _masking.choose(self, batch, eligible, draw)
        is_own = _masking.tokens_of(self.segment, batch, layout, identities)
        held = np.where(is_own, _masking.feature_indices(identities, layout), -1)
        absent = self._absent_features(batch, layout, held, hidden)
        is_swapped = absent >= 0
        features = np.where(is_swapped, absent, held[hidden.places])
        is_category = channel.kind == "category"
        labels = values[hidden.places].astype(np.int64) - FIRST_CATEGORY if is_category else values[hidden.places]
        labels[is_swapped] = 0
        channels = {channel.name: _replaced(values, channel, batch.offsets.numpy(), eligible, hidden, is_swapped)}
        targets = {"places": hidden.places, "labels": labels, "features": features}
        if self.absent_swap:
            identity = _masking.required_channel(layout, "identity", kind_of(self)).name
            channels[identity] = batch.channels[identity].numpy().copy()
            channels[identity][hidden.places[is_swapped]] = NUM_SPECIALS + absent[is_swapped]
            targets["identities"] = identities[hidden.places]
        if not is_category and self.likelihood == "negative_binomial":
            targets["library"] = _library_sizes(values, held >= 0, hidden.places, batch.offsets.numpy())[hidden.samples]
        elif not is_category and self.standardize:
            targets |= _moments(features, statistics)
        return _masking.rewritten(batch, kind_of(self), channels, targets)

    def _absent_features(self, batch: Batch, layout: Layout, held: np.ndarray, hidden: _masking.Hidden) -> np.ndarray:
        """Return the feature that takes each hidden token's place, -1 where none does."""
        if not self.absent_swap:
            return np.full(len(hidden.places), -1, dtype=np.int64)
        if layout.emits_every_feature:
            raise ConfigError(
                "'objective.absent_swap' needs samples that lack some features, and this tokenizer emits them all",
                remedy="use objective.absent_swap: 0, or a tokenizer of expressed features",
            )
        from genoken.objectives import _masking_kernels

        with np.errstate(over="ignore"):
            return _masking_kernels.draw_absent(
                batch.offsets.numpy().astype(np.int64),
                held,
                hidden.samples,
                hidden.uniform(_masking.SWAP) < self.absent_swap,
                hidden.bits(_masking.ABSENT),
                layout.num_features,
            )

    def loss(self, outputs: Tensor, batch: Batch, layout: Layout) -> LossTerm:
        """Return the sum of the targets' losses and their number."""
        from torch.nn import functional

        from genoken.core.batch import LossTerm
        from genoken.objectives import _classes

        target = _Target.of(batch, kind_of(self))
        if _masking.required_channel(layout, "value", kind_of(self)).kind == "category":
            losses = _classes.cross_entropy(outputs, target.labels, self.label_smoothing)
        elif self.likelihood == "negative_binomial":
            losses = -target.log_likelihood(outputs)
        elif self.likelihood == "huber":
            losses = functional.huber_loss(
                outputs.float().squeeze(1), target.standardized, reduction="none", delta=self.huber_delta
            )
        else:
            losses = functional.mse_loss(outputs.float().squeeze(1), target.standardized, reduction="none")
        return LossTerm(total=losses.sum(), count=len(target.labels))

    def measure(self, outputs: Tensor, batch: Batch, layout: Layout) -> dict[str, Tensor]:
        """Return each target's scores, its ``value``, ``prediction``, ``feature`` (index) and ``place`` in the sample.

        Scores are those of classes for categories; for numbers ``squared_error`` in the value channel's units, and for counts
        ``negative_log_likelihood`` as well. Values and predictions of counts are ``ln(1 + count)``, as in the channel.
        """
        from genoken.objectives import _classes

        target = _Target.of(batch, kind_of(self))
        asked = {
            "feature": batch.targets[f"{kind_of(self)}.features"],
            "place": _masking.places_in_samples(batch, kind_of(self), self.segment),
            "value": target.labels,
        }
        if _masking.required_channel(layout, "value", kind_of(self)).kind == "category":
            return _classes.class_measures(outputs, target.labels) | asked
        if self.likelihood == "negative_binomial":
            prediction = target.log_mean(outputs).exp().log1p()
            asked["negative_log_likelihood"] = -target.log_likelihood(outputs)
        else:
            prediction = target.in_units(outputs.float().squeeze(1))
        return asked | {"prediction": prediction, "squared_error": (prediction - target.labels).square()}


@dataclass(frozen=True)
class _Target:
    """What :meth:`HiddenValueObjective.hide` wrote about each target; what it did not write is ``None``."""

    labels: Tensor
    center: Tensor | None
    scale: Tensor | None
    library: Tensor | None

    @classmethod
    def of(cls, batch: Batch, kind: str) -> _Target:
        """Take the targets of an objective from a batch."""
        center, scale, library = (batch.targets.get(f"{kind}.{name}") for name in ("center", "scale", "library"))
        return cls(batch.targets[f"{kind}.labels"], center, scale, library)

    @property
    def standardized(self) -> Tensor:
        """The values as the regression sees them."""
        return self.labels if self.center is None or self.scale is None else (self.labels - self.center) / self.scale

    def in_units(self, predicted: Tensor) -> Tensor:
        """Return predictions in the value channel's units."""
        return predicted if self.center is None or self.scale is None else predicted * self.scale + self.center

    def log_mean(self, outputs: Tensor) -> Tensor:
        """Return the logarithm of the expected counts."""
        assert self.library is not None  # noqa: S101
        return outputs[:, 0].float() + self.library.log()

    def log_likelihood(self, outputs: Tensor) -> Tensor:
        """Return the log-likelihood of the counts, in float32."""
        from genoken.objectives import _negative_binomial

        counts = self.labels.double().expm1().round()
        return _negative_binomial.log_likelihood(counts, self.log_mean(outputs), outputs[:, 1]).float()


def _moments(features: np.ndarray, statistics: FeatureStatistics | None) -> dict[str, np.ndarray]:
    """Return ``center`` and ``scale`` of each target's feature."""
    if statistics is None:
        raise ConfigError(
            "'objective.standardize' needs each feature's mean and deviation in the train split, and there are none",
            remedy="use objective.standardize: false",
        )
    return {
        "center": statistics.mean[features].astype(np.float32),
        "scale": statistics.deviation[features].astype(np.float32),
    }


def _is_known(values: np.ndarray, channel: Channel) -> np.ndarray:
    return values >= FIRST_CATEGORY if channel.kind == "category" else ~np.isnan(values)


def _replaced(
    values: np.ndarray,
    channel: Channel,
    offsets: np.ndarray,
    eligible: np.ndarray,
    hidden: _masking.Hidden,
    is_swapped: np.ndarray,
) -> np.ndarray:
    """Return the value channel with hidden tokens masked, replaced by another eligible token's value of the sample, or kept."""
    candidates = np.flatnonzero(eligible)
    own = np.searchsorted(candidates, hidden.places)
    first = np.searchsorted(candidates, offsets[hidden.samples])
    num_others = np.searchsorted(candidates, offsets[hidden.samples + 1]) - first - 1
    is_random = (hidden.actions == _masking.RANDOM) & (num_others > 0) & ~is_swapped
    is_kept = (hidden.actions == _masking.KEEP) & ~is_swapped
    other = first + hidden.below(np.maximum(num_others, 1))
    other += other >= own  # the token itself is passed over
    replaced = values.copy()
    replaced[hidden.places[~is_random & ~is_kept]] = MASK_CATEGORY if channel.kind == "category" else np.nan
    replaced[hidden.places[is_random]] = values[candidates[other[is_random]]]
    return replaced


def _library_sizes(values: np.ndarray, is_feature: np.ndarray, asked: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the sum of each sample's visible counts times its tokens per visible token, at least 1, as float32.

    The tokens of the places ``asked`` are not visible, whatever stands in them, and neither are those without a value.

    Raises
    ------
    DataError
        When the values are not logarithms of one more than a count.
    """
    is_visible = is_feature & ~np.isnan(values)
    counts = np.where(is_visible, np.expm1(values.astype(np.float64)), 0.0)
    # A float32 logarithm gives large counts back with a relative error of about a millionth.
    if (np.abs(counts - np.round(counts)) > 1e-3 + 1e-5 * np.abs(counts)).any() or (counts < -0.5).any():
        raise DataError(
            "the likelihood 'negative_binomial' needs counts, and the values are not the logarithms of one more than a count",
            remedy="use tokenizer.target_sum: 0 on a matrix of counts, or objective.likelihood: mse",
        )
    is_visible[asked] = False
    num_samples = len(offsets) - 1
    samples = np.repeat(np.arange(num_samples), np.diff(offsets))
    sums = np.bincount(samples, weights=np.round(counts) * is_visible, minlength=num_samples)
    num_tokens, num_visible = (np.bincount(samples[chosen], minlength=num_samples) for chosen in (is_feature, is_visible))
    return np.maximum(sums * num_tokens / np.maximum(num_visible, 1), 1.0).astype(np.float32)
