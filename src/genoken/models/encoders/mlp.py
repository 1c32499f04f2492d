"""The multilayer perceptron: a rival that sees the same values and has no tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Encoder

if TYPE_CHECKING:
    from torch import nn


@settings
class MlpEncoder(Encoder):
    """Layers of LN, GELU, dropout, linear on top of one value-weighted sum of feature vectors.

    That sum, ``b + sum_g x_g w_g``, is a dense first layer; absent features contribute zero, so it needs no grid.
    """

    takes: ClassVar[Literal["tokens", "bag", "grid"]] = "bag"

    layers: Annotated[int, Field(ge=1)] = 2
    """Number of layers after the sum."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Dropout before each layer."""

    def build(self, width: int) -> nn.Module:
        """Return a module from (samples, width) to (samples, width)."""
        from torch import nn

        layers: list[nn.Module] = []
        for _ in range(self.layers):
            layers += [nn.LayerNorm(width), nn.GELU(), nn.Dropout(self.dropout), nn.Linear(width, width)]
        return nn.Sequential(*layers)

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: four states per layer, and the values themselves."""
        return tokens + 4 * self.layers * width
