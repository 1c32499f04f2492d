"""Masked features: which feature stands here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.layout import MASK_CATEGORY, MASK_ID, NUM_SPECIALS, HeadSpec, Layout
from genoken.objectives import _masking

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm
    from genoken.core.contracts import FeatureStatistics, MaskDraw

KIND = "masked_feature"


@settings
class MaskedFeatureObjective(_masking.MaskedObjective):
    """Hides the identity of some tokens and asks for it: cross-entropy over all features.

    Where samples are permutations of the same features, what is hidden is what is missing from the rest, so that guessing among the
    missing ones alone scores ``ln(missing)``. With ``restrict_to_missing`` the model is given that set: the logits of the features
    that the encoder sees elsewhere in the sample are minus infinity.

    References
    ----------
    Devlin et al., "BERT" (2019), arXiv:1810.04805, for hiding by masks, random tokens and kept ones; Theodoris et al., "Transfer
    learning enables predictions in network biology" (2023), doi:10.1038/s41586-023-06139-9, for ranked genes.
    """

    segment: ClassVar[Literal["features", "phenotypes"]] = "features"

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread evenly over the features that are possible."""
    tied: bool = True
    """Use the embedding table of the features again as output weights."""
    restrict_to_missing: bool = False
    """Rule out the features that the encoder sees elsewhere in the sample."""
    hide_value: bool = False
    """Hide the value of masked tokens as well, where there is one."""

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per feature."""
        return HeadSpec(
            outputs=layout.num_features,
            level="token",
            tied_to="identity" if self.tied else "",
            linear="feature" if self.restrict_to_missing and layout.channel("value") is None else "",
        )

    def hide(self, batch: Batch, layout: Layout, draw: MaskDraw, statistics: FeatureStatistics | None = None) -> Batch:
        """Replace identities by ``MASK_ID`` or a random feature; labels are feature indices."""
        truth = _masking.true_identities(batch, layout)
        hidden = _masking.choose(self, batch, _masking.eligible_tokens(batch, layout, truth, self.segment), draw)
        identity = _masking.required_channel(layout, "identity", KIND).name
        identities = batch.channels[identity].numpy().copy()
        masked, random = hidden.places[hidden.actions == _masking.MASK], hidden.take(hidden.actions == _masking.RANDOM)
        identities[masked] = MASK_ID
        identities[random.places] = NUM_SPECIALS + random.below(layout.num_features)
        channels = {identity: identities}
        value = layout.channel("value")
        if self.hide_value and value is not None:
            channels[value.name] = batch.channels[value.name].numpy().copy()
            channels[value.name][masked] = MASK_CATEGORY if value.kind == "category" else np.nan
        own = truth[hidden.places]
        return _masking.rewritten(batch, KIND, channels, {"places": hidden.places, "labels": own - NUM_SPECIALS, "identities": own})

    def loss(self, outputs: Tensor, batch: Batch, layout: Layout) -> LossTerm:
        """Return the sum of the targets' cross-entropies and their number."""
        from genoken.core.batch import LossTerm
        from genoken.objectives import _classes

        labels = batch.targets[f"{KIND}.labels"]
        losses = _classes.cross_entropy(self._possible(outputs, batch, layout)[0], labels, self.label_smoothing)
        return LossTerm(total=losses.sum(), count=len(labels))

    def measure(self, outputs: Tensor, batch: Batch, layout: Layout) -> dict[str, Tensor]:
        """Return the scores of each target, its ``place`` in the sample, and with a restriction ``num_missing``.

        ``ln(num_missing)`` is the cross-entropy of guessing among the features that are not ruled out.
        """
        from genoken.objectives import _classes

        possible, num_missing = self._possible(outputs, batch, layout)
        measures = _classes.class_measures(possible, batch.targets[f"{KIND}.labels"])
        measures["place"] = _masking.places_in_samples(batch, KIND)
        return measures if num_missing is None else measures | {"num_missing": num_missing}

    def _possible(self, outputs: Tensor, batch: Batch, layout: Layout) -> tuple[Tensor, Tensor | None]:
        """Return the logits without the features that are ruled out, and the number of those left for each target."""
        outputs = outputs.float()
        if not self.restrict_to_missing:
            return outputs, None
        seen, samples = _seen_features(batch, layout), _masking.samples_of_targets(batch, KIND)
        # A label is possible by definition, also where its feature stands in the sample a second time.
        seen[samples, batch.targets[f"{KIND}.labels"]] = False
        return outputs.masked_fill(seen[samples], float("-inf")), (layout.num_features - seen.sum(dim=1))[samples]


def _seen_features(batch: Batch, layout: Layout) -> Tensor:
    """Return which features the encoder sees in each sample at tokens that are no targets, bool (samples, features)."""
    import torch

    identities = batch.channels[_masking.required_channel(layout, "identity", KIND).name]
    device = identities.device
    shown = torch.ones(len(identities), dtype=torch.bool, device=device)
    if batch.visible is not None:
        shown = torch.zeros_like(shown).index_fill_(0, batch.visible, 1)
    shown = shown.index_fill(0, batch.targets[f"{KIND}.places"], 0)
    shown &= (identities >= NUM_SPECIALS) & (identities < layout.first_phenotype)
    lengths = torch.tensor(batch.lengths, device=device)
    samples = torch.arange(batch.num_samples, device=device).repeat_interleave(lengths, output_size=len(identities))
    # Tokens that show no feature are noted in one more column, so that no shape depends on the data and no device has to wait.
    seen = torch.zeros(batch.num_samples, layout.num_features + 1, dtype=torch.bool, device=device)
    seen[samples, torch.where(shown, identities - NUM_SPECIALS, layout.num_features)] = True
    return seen[:, :-1]
