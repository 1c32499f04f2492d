"""Masked phenotypes: which cell type, sex or tissue this sample has."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY, HeadSpec, Layout
from genoken.objectives import _masking

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm
    from genoken.core.contracts import FeatureStatistics, MaskDraw

KIND = "phenotype"


@settings
class PhenotypeObjective(_masking.MaskedObjective):
    """Hides the value of some phenotype tokens and asks for it; which phenotype a token stands for remains to be seen.

    Unknown and missing values are never asked for. A random replacement is a value of the same phenotype.
    """

    segment: ClassVar[Literal["features", "phenotypes", "next"]] = "phenotypes"

    probability: _masking.Share = 0.5
    """Share of a sample's known phenotypes that is hidden, in the first epoch if there is a schedule."""
    final_probability: _masking.Share = 0.5
    """Share in the last epoch and in evaluation, unless the schedule is constant."""
    count: Literal["exact", "bernoulli"] = "bernoulli"
    """``exact``: ``ceil(p n)`` of a sample's n known phenotypes; ``bernoulli``: each by itself with probability p."""
    mask_share: _masking.Share = 1.0
    """Share of the hidden tokens whose value is masked."""
    random_share: _masking.Share = 0.0
    """Share of the hidden tokens whose value is replaced by another; the rest keeps its value."""
    drop: _masking.Share = 0.0
    """Share of the hidden tokens that the encoder does not see at all, and which are not asked for (training only)."""
    restricted: bool = True
    """Let the values of the asked phenotype compete among themselves only."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread evenly over the values that are possible."""
    tied: bool = False
    """Use the embedding table of the values again as output weights."""

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per entry of the phenotype channel from ``FIRST_CATEGORY`` on, the unknown value included."""
        channel = _masking.required_channel(layout, "phenotype", KIND)
        return HeadSpec(outputs=channel.size - FIRST_CATEGORY, level="token", tied_to="phenotype" if self.tied else "")

    def hide(self, batch: Batch, layout: Layout, draw: MaskDraw, statistics: FeatureStatistics | None = None) -> Batch:
        """Mask or replace values, or take tokens out of the encoder's sight; label 0 is the entry ``FIRST_CATEGORY``."""
        name = _masking.required_channel(layout, "phenotype", KIND).name
        values = batch.channels[name].numpy()
        identities = _masking.true_identities(batch, layout)
        eligible = _masking.eligible_tokens(batch, layout, identities, self.segment) & (values > FIRST_CATEGORY)
        hidden = _masking.choose(self, batch, eligible, draw)
        hidden_values = values.copy()
        hidden_values[hidden.places[hidden.actions == _masking.MASK]] = MASK_CATEGORY
        if self.drop and draw.epoch >= 0:
            dropped = hidden.uniform(_masking.DROP) < self.drop
            hidden_values[hidden.places[dropped]] = MASK_CATEGORY
            batch, hidden = _without(batch, hidden.places[dropped]), hidden.take(~dropped)
        bounds = np.asarray(layout.phenotype_bounds, dtype=np.int64)
        columns = identities[hidden.places] - layout.first_phenotype
        drawn = bounds[columns] + hidden.below(bounds[columns + 1] - bounds[columns])
        random = hidden.actions == _masking.RANDOM
        hidden_values[hidden.places[random]] = drawn[random]
        labels = values[hidden.places] - FIRST_CATEGORY
        return _masking.rewritten(
            batch, KIND, {name: hidden_values}, {"places": hidden.places, "labels": labels, "columns": columns}
        )

    def loss(self, outputs: Tensor, batch: Batch, layout: Layout) -> LossTerm:
        """Return the sum of the targets' cross-entropies and their number."""
        from genoken.core.batch import LossTerm
        from genoken.objectives import _classes

        labels = batch.targets[f"{KIND}.labels"]
        losses = _classes.cross_entropy(self._possible(outputs, batch, layout), labels, self.label_smoothing)
        return LossTerm(total=losses.sum(), count=len(labels))

    def measure(self, outputs: Tensor, batch: Batch, layout: Layout) -> dict[str, Tensor]:
        """Return the scores of each target, its ``place`` in the sample and its ``column``, the index of the phenotype."""
        from genoken.objectives import _classes

        measures = _classes.class_measures(self._possible(outputs, batch, layout), batch.targets[f"{KIND}.labels"])
        columns = batch.targets[f"{KIND}.columns"]
        return measures | {"place": _masking.places_in_samples(batch, KIND, self.segment), "column": columns}

    def _possible(self, outputs: Tensor, batch: Batch, layout: Layout) -> Tensor:
        """Return the logits, those of other phenotypes' values minus infinity when restricted."""
        import torch

        if not self.restricted:
            return outputs.float()
        columns = batch.targets[f"{KIND}.columns"]
        bounds = torch.tensor(layout.phenotype_bounds, device=outputs.device) - FIRST_CATEGORY
        entries = torch.arange(outputs.shape[1], device=outputs.device)
        other = (entries < bounds[columns].unsqueeze(1)) | (entries >= bounds[columns + 1].unsqueeze(1))
        return outputs.float().masked_fill(other, float("-inf"))


def _without(batch: Batch, places: np.ndarray) -> Batch:
    """Return the batch with these tokens out of the encoder's sight, besides those that are already."""
    import torch

    offsets = batch.offsets.numpy()
    visible = np.arange(offsets[-1], dtype=np.int64) if batch.visible is None else batch.visible.numpy()
    visible = visible[~np.isin(visible, places)]
    lengths = np.diff(np.searchsorted(visible, offsets))
    return dataclasses.replace(batch, visible=torch.from_numpy(visible), visible_lengths=tuple(lengths.tolist()))
