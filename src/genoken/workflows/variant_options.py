"""What is asked of an explanation of variants."""

from __future__ import annotations

from dataclasses import dataclass

from genoken.core.components import kinds
from genoken.core.errors import ConfigError, suggestion

DEFAULT_METHODS = ("integrated_gradients", "gradient", "attention")
"""Methods that are averaged; attention takes part where the encoder has any."""


@dataclass(frozen=True)
class VariantOptions:
    """How variants are explained.

    Parameters
    ----------
    methods
        Kinds of attributions whose ranks are averaged; the first is the one that is held against permuted labels.
    seeds
        Networks per fold: the run's own, and refits with other seeds.
    null
        Refits on permuted labels.
    strata
        Column of the samples within whose values labels are permuted; empty for none.
    components
        Principal components that the regressions are adjusted for.
    covariates
        Columns of the samples that they are adjusted for besides; ``None``: the run's own covariates.
    top
        How many variants count as the first ones of a ranking.
    most_loci
        Loci around leads of the importance, and as many around those of the regressions.
    window_bp
        Reach of a clump, and of a locus on either side of its lead.
    clump_r2
        Smallest ``r²`` of a variant with the lead of its clump.
    causal
        Ids of the variants that are known to act, because the trait was simulated; empty where it is not known.
    """

    methods: tuple[str, ...] = DEFAULT_METHODS
    seeds: int = 1
    null: int = 1
    strata: str = ""
    components: int = 10
    covariates: tuple[str, ...] | None = None
    top: int = 20
    most_loci: int = 5
    window_bp: int = 250_000
    clump_r2: float = 0.5
    causal: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in kinds("attributions")]
        if unknown:
            raise ConfigError(f"there is no method '{unknown[0]}'", remedy=suggestion(unknown[0], kinds("attributions"), "methods"))
        if not self.methods or "ensemble" in self.methods:
            raise ConfigError("variants are explained by methods that are no ensembles", remedy="their ranks are averaged anyway")
        if min(self.seeds, self.top, self.most_loci, self.window_bp) < 1 or min(self.null, self.components) < 0:
            raise ConfigError("seeds, top, loci and window are at least 1, refits on permuted labels and components at least 0")
