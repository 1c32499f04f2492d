r"""The linear path of panels: what a Gaussian vector over all features says about the hidden ones, inside the network.

With the mean, the deviations and the inverse correlation :math:`P` of the train samples, the hidden features :math:`m` of a sample
given the visible ones :math:`v` have, in standard units, the mean :math:`-P_{mm}^{-1} P_{mv} z_v` and the variances
:math:`n_m (P_{mm}^{-1})_{mm}`: the ridge regression of each hidden feature on all the visible ones, exactly, for any set of hidden
ones. The encoder is shown this guess at each hidden token, and learns what it leaves over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.gaussian import MOST_FEATURES, GaussianMoments
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY, MASK_ID, NUM_SPECIALS, Layout

_TAIL_START = 3.0
_SCALE_START = 0.65


@dataclass(frozen=True)
class GaussianStart:
    """What the path starts from.

    Parameters
    ----------
    whole
        Fitted on all train samples.
    center, scale
        (features,): by which the objective standardizes values.
    folds, fold_of_sample
        Gaussians that have each not seen a part of the train samples, and which of them has not seen each sample. In training the
        encoder is to correct guesses as they are about new samples; ``whole`` would guess too well, having seen the sample.
    """

    whole: GaussianMoments
    center: np.ndarray
    scale: np.ndarray
    folds: tuple[GaussianMoments, ...] = ()
    fold_of_sample: np.ndarray | None = None


@dataclass(frozen=True)
class Guess:
    """What the path says about each sample's hidden features; elsewhere means are 0 and deviations 1.

    Parameters
    ----------
    means, deviations
        (samples, features), in standard units.
    hidden
        bool (samples, features): what is hidden.
    """

    means: Tensor
    deviations: Tensor
    hidden: Tensor


def has_panel_path(layout: Layout) -> bool:
    """Return whether samples are panels, of values or of ranks, that are small enough for the path."""
    return layout.is_panel and layout.num_features <= MOST_FEATURES


class PanelPath(nn.Module):
    """Conditional means and deviations of hidden features, and the predictions that follow from them.

    The Gaussian is that of the train split and stays as it is; of ranks, the scale and the degrees of freedom of Student's t, by
    which places and features are matched, are learned.

    Parameters
    ----------
    layout
        What the tokenizer emits: a panel.
    start
        The train split's Gaussian; without one, features are independent.
    """

    mean: Tensor
    deviation: Tensor
    precision: Tensor
    noise: Tensor
    center: Tensor
    scale: Tensor
    fold_mean: Tensor
    fold_deviation: Tensor
    fold_precision: Tensor
    fold_of_sample: Tensor

    def __init__(self, layout: Layout, start: GaussianStart | None) -> None:
        super().__init__()
        count = layout.num_features
        if start is None:
            zeros, ones = np.zeros(count), np.ones(count)
            start = GaussianStart(GaussianMoments(zeros, ones, np.eye(count), ones), zeros, ones)
        for name in ("mean", "deviation", "precision", "noise"):
            self._keep(name, getattr(start.whole, name))
        self._keep("center", start.center)
        self._keep("scale", start.scale)
        self.num_folds = len(start.folds)
        for name in ("mean", "deviation", "precision") if start.folds else ():
            self._keep(f"fold_{name}", np.stack([getattr(fold, name) for fold in start.folds]), persistent=False)
        if start.folds:
            self.register_buffer("fold_of_sample", torch.tensor(start.fold_of_sample), persistent=False)
        identity, value = layout.channel("identity"), layout.channel("value")
        assert identity is not None  # noqa: S101
        self.layout, self.identity_name = layout, identity.name
        self.value_name = value.name if value is not None else ""
        self.reads: Literal["values", "ranks", "places"] = (
            "places" if value is None else "values" if value.kind == "scalar" else "ranks"
        )
        self.log_tail = nn.Parameter(torch.tensor(math.log(_TAIL_START)))
        self.log_scale = nn.Parameter(torch.tensor(math.log(_SCALE_START)))

    def _keep(self, name: str, values: np.ndarray, *, persistent: bool = True) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=persistent)

    def forward(self, batch: Batch) -> Guess:
        """Return what follows for the hidden features from the visible ones; in training, without what the sample itself taught."""
        with torch.no_grad(), torch.autocast(batch.offsets.device.type, enabled=False):
            values, hidden = self._table(batch)
            if not (self.training and self.num_folds):
                return self._conditional(values, hidden, self.mean, self.deviation, self.precision)
            means, deviations = torch.zeros_like(values), torch.ones_like(values)
            folds = self.fold_of_sample[batch.rows]
            for fold in range(self.num_folds):
                own = torch.nonzero(folds == fold).squeeze(1)
                moments = self.fold_mean[fold], self.fold_deviation[fold], self.fold_precision[fold]
                found = self._conditional(values[own], hidden[own], *moments)
                means[own], deviations[own] = found.means, found.deviations
            return Guess(means, deviations, hidden)

    def samples_of_tokens(self, batch: Batch) -> Tensor:
        """Return each token's sample, int64 (tokens,)."""
        lengths = (batch.offsets[1:] - batch.offsets[:-1]).long()
        samples = torch.arange(batch.num_samples, device=lengths.device)
        return samples.repeat_interleave(lengths, output_size=batch.num_tokens)

    def features_of_tokens(self, batch: Batch) -> Tensor:
        """Return the feature that each token shows, int64 (tokens,); ``num_features`` where it shows none."""
        identities = batch.channels[self.identity_name]
        shown = (identities >= NUM_SPECIALS) & (identities < self.layout.first_phenotype)
        return torch.where(shown, identities - NUM_SPECIALS, self.layout.num_features)

    def scores_of_places(self) -> Tensor:
        """Return each rank as a quantile of the normal distribution, (features,)."""
        count = self.layout.num_features
        return torch.special.ndtri((torch.arange(count, device=self.mean.device) + 0.5) / count)

    def _table(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the visible values, 0 where hidden, and what is hidden: both (samples, features)."""
        samples, features = self.samples_of_tokens(batch), self.features_of_tokens(batch)
        count = self.layout.num_features
        if self.reads == "values":
            values = batch.channels[self.value_name].float()
            is_known = ~values.isnan()
        else:
            if self.reads == "ranks":
                ranks = batch.channels[self.value_name] - FIRST_CATEGORY
            else:
                ranks = self.places_of_tokens(batch, samples)
            is_known = (ranks >= 0) & (ranks < count)
            values = self.scores_of_places()[ranks.clamp(0, count - 1)]
        # What is not known goes to one more column, so that no shape depends on the data.
        features = torch.where(is_known, features, count)
        table = torch.zeros(batch.num_samples, count + 1, device=values.device)
        hidden = torch.ones(batch.num_samples, count + 1, dtype=torch.bool, device=values.device)
        table[samples, features] = torch.where(is_known, values, 0.0)
        hidden[samples, features] = False
        return table[:, :-1], hidden[:, :-1]

    def places_of_tokens(self, batch: Batch, samples: Tensor) -> Tensor:
        """Return how many features stand before each token in its sample; negative for CLS and phenotypes."""
        before = batch.offsets[:-1].long()[samples] + 1 + self.layout.num_phenotypes
        return torch.arange(batch.num_tokens, device=samples.device) - before

    def _conditional(self, values: Tensor, hidden: Tensor, mean: Tensor, deviation: Tensor, precision: Tensor) -> Guess:
        """Return conditional moments by one Gaussian, in the standard units of the whole train split's."""
        visible = torch.where(hidden, 0.0, (values - mean) / deviation)
        most = int(hidden.sum(dim=1).max()) if len(hidden) else 0
        means, deviations = torch.zeros_like(visible), torch.ones_like(visible)
        if most == 0:
            return Guess(means, deviations, hidden)
        chosen = hidden.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]
        is_hidden = hidden.gather(1, chosen)
        blocks = precision[chosen.unsqueeze(2), chosen.unsqueeze(1)]
        both = is_hidden.unsqueeze(2) & is_hidden.unsqueeze(1)
        blocks = torch.where(both, blocks, torch.eye(most, device=blocks.device))
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(blocks))
        pull = torch.where(is_hidden, (visible @ precision).gather(1, chosen), 0.0)
        found = -(covariance @ pull.unsqueeze(2)).squeeze(2)
        found = (found * deviation[chosen] + mean[chosen] - self.mean[chosen]) / self.deviation[chosen]
        spread = (self.noise[chosen] * covariance.diagonal(dim1=1, dim2=2)).sqrt() * deviation[chosen] / self.deviation[chosen]
        means.scatter_(1, chosen, torch.where(is_hidden, found, 0.0))
        deviations.scatter_(1, chosen, torch.where(is_hidden, spread, 1.0))
        return Guess(means, deviations, hidden)

    def outputs(self, linear: str, guess: Guess, batch: Batch, places: Tensor) -> Tensor:
        """Return what is added to an objective's outputs at some tokens, (places, outputs).

        Parameters
        ----------
        linear
            What to add, see :class:`genoken.core.layout.HeadSpec`.
        guess
            Of the batch.
        batch
            The tokens, with what is hidden.
        places
            (places,): tokens of the batch.
        """
        samples = self.samples_of_tokens(batch)[places]
        if linear == "feature":
            ranks = self.places_of_tokens(batch, self.samples_of_tokens(batch))[places]
            scores = self.scores_of_places()[ranks.clamp(0, self.layout.num_features - 1)]
            return self._log_densities(guess, samples, scores.unsqueeze(1))
        features = self.features_of_tokens(batch)[places].clamp(max=self.layout.num_features - 1)
        if linear == "rank":
            return self._log_densities(guess, samples, self.scores_of_places(), features)
        values = guess.means[samples, features] * self.deviation[features] + self.mean[features]
        if linear == "standardized":
            values = (values - self.center[features]) / self.scale[features]
        return values.unsqueeze(1)

    def hints(self, guess: Guess, batch: Batch) -> Tensor:
        """Return the guessed value of each token's feature, (tokens,), in the units of the values."""
        features = self.features_of_tokens(batch).clamp(max=self.layout.num_features - 1)
        return (guess.means * self.deviation + self.mean)[self.samples_of_tokens(batch), features]

    def expected_vectors(self, guess: Guess, batch: Batch, table: Tensor) -> tuple[Tensor, Tensor]:
        """Return the masked tokens (masked,) and, for each, the mean of the vectors of what it may be, (masked, width).

        Parameters
        ----------
        guess, batch
            As for :meth:`outputs`.
        table
            Vectors of the features, or of the ranks.
        """
        samples = self.samples_of_tokens(batch)
        if self.reads == "places":
            masked = torch.nonzero(batch.channels[self.identity_name] == MASK_ID).squeeze(1)
            weights = self.outputs("feature", guess, batch, masked).masked_fill(~guess.hidden[samples[masked]], float("-inf"))
        else:
            masked = torch.nonzero(batch.channels[self.value_name] == MASK_CATEGORY).squeeze(1)
            weights = self.outputs("rank", guess, batch, masked)
        return masked, weights.softmax(dim=1).to(table.dtype) @ table

    def _log_densities(self, guess: Guess, samples: Tensor, scores: Tensor, features: Tensor | None = None) -> Tensor:
        r"""Return :math:`-\frac{\nu+1}{2} \ln(1 + u^2/\nu) - \ln(s d_g)`, where :math:`u = (q - m_g) / (s d_g)`, up to a constant.

        Parameters
        ----------
        guess
            Means :math:`m_g` and deviations :math:`d_g`.
        samples
            (targets,): the sample of each.
        scores
            (targets, 1) or (ranks,): normal scores :math:`q`.
        features
            (targets,): the feature of each; ``None`` for all features.

        Returns
        -------
        Tensor
            (targets, features) or (targets, ranks).
        """
        means = (guess.means * self.deviation + self.mean)[samples]
        deviations = (guess.deviations * self.deviation)[samples]
        if features is not None:
            means, deviations = means.gather(1, features.unsqueeze(1)), deviations.gather(1, features.unsqueeze(1))
        tail, deviations = self.log_tail.exp(), deviations * self.log_scale.exp()
        squares = ((scores - means) / deviations).square()
        return -0.5 * (tail + 1) * torch.log1p(squares / tail) - deviations.log()
