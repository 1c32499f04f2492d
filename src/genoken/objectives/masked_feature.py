"""Masked features: which feature stands here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from genoken.core.components import settings
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, HeadSpec, Layout
from genoken.objectives import _hidden_feature, _masking

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from genoken.core.batch import Batch

KIND = "masked_feature"


@settings
class MaskedFeatureObjective(_hidden_feature.HiddenFeatureObjective):
    """Hides the identity of some tokens and asks for it: cross-entropy over all features.

    Where samples are permutations of the same features, what is hidden is what is missing from the rest, so that guessing among the
    missing ones alone scores ``ln(missing)``. With ``restrict_to_missing`` the model is given that set: the logits of the features
    that the encoder sees elsewhere in the sample are minus infinity.

    References
    ----------
    Devlin et al., "BERT" (2019), arXiv:1810.04805, for hiding by masks, random tokens and kept ones; Theodoris et al., "Transfer
    learning enables predictions in network biology" (2023), doi:10.1038/s41586-023-06139-9, for ranked genes.
    """

    segment: ClassVar[Literal["features", "phenotypes", "next"]] = "features"

    hide_value: bool = False
    """Hide the value of masked tokens as well, where there is one."""
    restrict_to_missing: bool = False
    """Rule out the features that the encoder sees elsewhere in the sample."""

    def without_value(self, hidden: _masking.Hidden) -> np.ndarray:
        """Return the places of the masked tokens, if their values shall be hidden too."""
        return hidden.places[hidden.actions == _masking.MASK] if self.hide_value else hidden.places[:0]

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per feature."""
        has_path = self.restrict_to_missing and layout.channel("value") is None
        return dataclasses.replace(super().head(layout), linear="feature" if has_path else "")

    def possible(self, outputs: Tensor, batch: Batch, layout: Layout) -> tuple[Tensor, Tensor | None]:
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
    segment = layout.channel("segment")
    if segment is not None and segment.name in batch.channels:
        shown &= batch.channels[segment.name] != FIRST_CATEGORY
    lengths = torch.tensor(batch.lengths, device=device)
    samples = torch.arange(batch.num_samples, device=device).repeat_interleave(lengths, output_size=len(identities))
    # Tokens that show no feature are noted in one more column, so that no shape depends on the data and no device has to wait.
    seen = torch.zeros(batch.num_samples, layout.num_features + 1, dtype=torch.bool, device=device)
    seen[samples, torch.where(shown, identities - NUM_SPECIALS, layout.num_features)] = True
    return seen[:, :-1]
