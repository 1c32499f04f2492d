"""The linear model, trained by the same machinery: the simplest rival."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from genoken.core.components import settings
from genoken.core.contracts import Encoder

if TYPE_CHECKING:
    from torch import nn


@settings
class LinearEncoder(Encoder):
    """One value-weighted sum of feature vectors, passed on as it is; use it with ``model.head: linear``."""

    takes: ClassVar[Literal["tokens", "bag", "grid"]] = "bag"

    def build(self, width: int) -> nn.Module:
        """Return the identity on (samples, width)."""
        from torch import nn

        return nn.Identity()

    def kept_numbers(self, tokens: int, width: int, *, all_pairs: bool = False) -> int:
        """Return the numbers that the backward pass needs of a sample: its values and its state."""
        return tokens + width
