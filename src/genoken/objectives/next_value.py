"""Next values: how strongly features are expressed in the cell that comes next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from genoken.core.components import settings
from genoken.core.layout import HeadSpec, Layout
from genoken.objectives import _hidden_value, _masking

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.contracts import FeatureStatistics

KIND = "next_value"


@settings
class NextValueObjective(_hidden_value.HiddenValueObjective):
    """Hides the value of some tokens of the next cell and asks for it: expression of the successor from that of the current cell.

    Values that are numbers are asked for by regression or as counts, categories by cross-entropy, as in
    :class:`genoken.objectives.masked_value.MaskedValueObjective`. Which features a next cell's tokens stand for is seen, so next
    cells have to hold every feature, also those of the value or the bin 0: else that would tell which are expressed. The library
    size of counts is the sum of the next cell's counts that are not asked for, scaled up, so that its depth is told; with
    ``probability: 1`` it is 1.
    """

    segment: ClassVar[Literal["features", "phenotypes", "next"]] = "next"

    mask_share: _masking.Share = 1.0
    """Share of the hidden tokens whose value is masked."""
    random_share: _masking.Share = 0.0
    """Share of the hidden tokens whose value is replaced by another; the rest keeps its value."""

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per category; for numbers one, or two for counts."""
        _masking.required_channel(layout, "segment", KIND)
        spec = super().head(layout)
        has_path = layout.has_numbers and self.likelihood != "negative_binomial"
        return dataclasses.replace(spec, linear="successor" if has_path else "")

    def expected(self, outputs: Tensor, statistics: FeatureStatistics) -> Tensor:
        """Return the expected values of all features, (cells, features), in the units of the value channel.

        Parameters
        ----------
        outputs
            (cells x features, 1): what the head gives for every feature of each cell, in the vocabulary's order.
        statistics
            Moments of all features, by which values are standardized.
        """
        if not self.standardize:
            return outputs.float().view(-1, len(statistics.mean))
        import torch

        scale, center = (torch.from_numpy(moment).float() for moment in (statistics.deviation, statistics.mean))
        return outputs.float().view(-1, len(scale)) * scale + center
