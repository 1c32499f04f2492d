"""Next cell: which features the cell that comes next expresses, by rank or by bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from genoken.core.components import settings
from genoken.core.layout import HeadSpec, Layout
from genoken.objectives import _hidden_feature, _masking

if TYPE_CHECKING:
    import numpy as np

KIND = "next_cell"


@settings
class NextCellObjective(_hidden_feature.HiddenFeatureObjective):
    """Hides the identity of some tokens of the next cell and asks for it: cross-entropy over all features.

    Only tokens of the next cell are hidden and asked for. Unless attention is full, a hidden token sees nothing of its own cell, so
    that the share that is hidden says how much is learned at a time, not how hard it is. How strongly the next cell expresses what
    is hidden is not shown either: where tokens have values, those of all hidden tokens are hidden, of replaced and kept ones too.

    Source: NVIDIA's Geneformer-T. There, 80, 10 and 10 percent of the hidden tokens are masked, replaced and kept (``mask_share``,
    ``random_share``); here all are masked, because the answer of a kept one is its own input.
    """

    segment: ClassVar[Literal["features", "phenotypes", "next"]] = "next"

    mask_share: _masking.Share = 1.0
    """Share of the hidden tokens whose content is masked."""
    random_share: _masking.Share = 0.0
    """Share of the hidden tokens whose content is replaced by another; the rest keeps its content."""

    def without_value(self, hidden: _masking.Hidden) -> np.ndarray:
        """Return the places of all hidden tokens: a value says much about its gene, and it is the next cell's."""
        return hidden.places

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per feature."""
        _masking.required_channel(layout, "segment", KIND)
        return super().head(layout)
