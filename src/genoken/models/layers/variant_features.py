"""The input of networks over a grid: what each feature's numbers become before features are mixed."""

from __future__ import annotations

from torch import Tensor, nn


class VariantFeatures(nn.Module):
    """``e_v + (W x_v) * s_v``: a map of the numbers that all features share, with a vector and a scale of each feature's own.

    Which allele of a variant is counted is arbitrary, and so is the sign of its numbers. Without something of its own for each
    variant, a convolution could not tell one from the next; it grows linearly with the number of variants.

    Parameters
    ----------
    channels
        Numbers per feature.
    num_features
        Features of every sample.
    width
        Size of the result for each feature.
    """

    def __init__(self, channels: int, num_features: int, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(channels, width, bias=False)
        self.vector = nn.Embedding(num_features, width)
        self.scale = nn.Embedding(num_features, width)
        nn.init.normal_(self.vector.weight, std=0.1)
        nn.init.normal_(self.map.weight, std=channels**-0.5)

    def forward(self, values: Tensor) -> Tensor:
        """Return (samples, features, width) of numbers (samples, features, channels)."""
        return self.vector.weight + self.map(values) * self.scale.weight
