"""The network that chooses variants: a sum of effects of one variant each, and of products of two."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genoken.core.components import settings
from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid, GridEncoder, GridModule

Weight = Annotated[float, Field(ge=0)]


@settings
class SingleEffectEncoder(GridEncoder):
    """Effects that each act through one variant and one coding of it, chosen by a softmax, and products of two variants.

    It is trained on an evidence bound by the same steps as every network, so effects that are not needed shrink to nothing. With
    copies as the only coding, no pairs, a linear head and a quantitative trait it is the model of SuSiE, and its gates are its
    probabilities of inclusion; in every other case they are importance. It wants ``model.head: linear``, no token dropout, and no
    linear path beside it, which would take its effects away.

    References
    ----------
    Wang et al. 2020, doi:10.1111/rssb.12388, for the model and its bound; gradient descent, codings and pairs are ours. Kingma et
    al. 2015, arXiv:1506.02557, for draws per sample.
    """

    effects: Annotated[int, Field(ge=1)] = 5
    """Most effects of single variants."""
    pairs: Annotated[int, Field(ge=0)] = 2
    """Most products of two variants; they take turns with the codings: of copies the first, of carriers the second, and so on."""
    additive: Weight = 0.9
    """Prior weight of an effect of the copies of the rarer allele; 0 to leave the coding out."""
    dominant: Weight = 0.05
    """Prior weight of an effect of carrying the rarer allele. With less for the copies, linked variants pass for dominant ones."""
    recessive: Weight = 0.05
    """Prior weight of an effect of having two copies of the rarer allele."""
    pair_limit: Annotated[int, Field(ge=0)] = 512
    """Most variants of which all pairs are looked at. Of more, one of a pair is what a single effect has chosen, so that memory
    grows linearly, and pairs of variants that have no effect by themselves are missed."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Factor on the divergence from the prior: 1 for the evidence bound; below, gates are bolder, and no probabilities."""

    def __post_init__(self) -> None:
        """Refuse an encoder that could choose nothing."""
        if not self.additive + self.dominant + self.recessive:
            raise ConfigError("'additive', 'dominant' and 'recessive' are all 0", remedy="leave one of them above 0")

    def build_grid(self, grid: Grid, width: int) -> GridModule:
        """Return a module from (samples, variants, 1) to (samples, width)."""
        from genoken.models.layers.single_effect_network import SingleEffectNetwork

        return SingleEffectNetwork(
            grid,
            width,
            effects=self.effects,
            pairs=self.pairs,
            coding_weights=(self.additive, self.dominant, self.recessive),
            pair_limit=self.pair_limit,
            temperature=self.temperature,
        )
