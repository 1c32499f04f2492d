"""Genotypes from simulated genealogies, by msprime."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, MissingExtraError
from genoken.core.random import seed_for
from genoken.core.samples import Samples
from genoken.synthetic_genotypes import Sites, as_samples, person_names, variant_table

_POPULATION_SIZE = 10_000
_RATE = 1e-8
"""Recombination and mutation, per base pair and generation."""
_SPARE = 3.0
"""How much longer the simulated sequence is than it has to be on average, so that enough variants are frequent enough."""


def simulate_ancestry(
    samples: int = 2000,
    variants: int = 5000,
    seed: int = 0,
    *,
    populations: int = 1,
    fst: float = 0.05,
    min_frequency: float = 0.01,
) -> Samples:
    r"""Draw phased genotypes from a coalescent with recombination.

    Populations of 10,000 people each part at the same time, :math:`t = -2N \ln(1 - F_{ST})` generations ago, without migration
    since. The first variants of the sequence that are frequent enough are kept.

    Parameters
    ----------
    samples, variants, seed, populations, fst, min_frequency
        As in :func:`genoken.synthetic_genotypes.simulate_genotypes`; the frequency is that among the people who are drawn.

    Raises
    ------
    MissingExtraError
        Without msprime.
    DataError
        When too few variants are frequent enough.

    References
    ----------
    Baumdicker et al., "Efficient ancestry and mutation simulation with msprime 1.0" (2022), doi:10.1093/genetics/iyab229.
    """
    msprime = _msprime()
    demography = _demography(msprime, populations, fst)
    sizes = {f"population_{code + 1}": len(range(code, samples, populations)) for code in range(populations)}
    share = math.log((1 - max(min_frequency, 0.5 / samples)) / max(min_frequency, 0.5 / samples))
    length = math.ceil(_SPARE * variants / (4 * _POPULATION_SIZE * _RATE * max(share, 0.1)))
    trees = msprime.sim_ancestry(
        {name: size for name, size in sizes.items() if size},
        demography=demography,
        sequence_length=length,
        recombination_rate=_RATE,
        random_seed=seed_for(seed, "ancestry") % (2**31) + 1,
    )
    mutated = msprime.sim_mutations(
        trees, rate=_RATE, model=msprime.BinaryMutationModel(), random_seed=seed_for(seed, "mutations") % (2**31) + 1
    )
    alleles, position = _frequent(mutated, variants, min_frequency)
    strands = np.ascontiguousarray(alleles.T.reshape(samples, 2, variants).swapaxes(0, 1))
    population = np.repeat(list(sizes), list(sizes.values()))
    table = pd.DataFrame({"population": population}, index=person_names(samples), dtype=object)
    features = variant_table(Sites(np.zeros(variants, dtype=np.int64), position), seed)
    return as_samples(strands, table, features, "simulated by msprime")


def _msprime() -> Any:
    try:
        return importlib.import_module("msprime")
    except ImportError as error:
        raise MissingExtraError("msprime", "sim") from error


def _demography(msprime: Any, populations: int, fst: float) -> Any:
    demography = msprime.Demography()
    names = [f"population_{code + 1}" for code in range(populations)]
    for name in names:
        demography.add_population(name=name, initial_size=_POPULATION_SIZE)
    if populations > 1:
        demography.add_population(name="ancestors", initial_size=_POPULATION_SIZE)
        demography.add_population_split(time=-2 * _POPULATION_SIZE * math.log1p(-fst), derived=names, ancestral="ancestors")
    return demography


def _frequent(trees: Any, variants: int, min_frequency: float) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 (variants, haplotypes) and positions from 1 of the first sites with two alleles that are frequent enough."""
    alleles = trees.genotype_matrix()
    frequency = alleles.mean(axis=1)
    kept = (np.minimum(frequency, 1 - frequency) >= max(min_frequency, 0.5 / alleles.shape[1])) & (alleles.max(axis=1) == 1)
    chosen = np.flatnonzero(kept)[:variants]
    if len(chosen) < variants:
        raise DataError(
            f"only {len(chosen)} of {variants} variants have a minor allele frequency of at least {min_frequency}",
            remedy="ask for a lower frequency or fewer variants",
        )
    return alleles[chosen].astype(np.int8), trees.tables.sites.position[chosen].astype(np.int64) + 1
