"""Seeded genotypes with linkage: haplotypes that copy each other, or a given panel, with a switch now and then."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.genotypes import BUILD, CENTIMORGAN, CHROMOSOME, COUNTED, OTHER, POSITION, sparse_dosages
from genoken.core.random import generator
from genoken.core.samples import Samples

FOUNDERS = 120
"""Haplotypes of the panel that simulated people copy."""
FOUNDER_SWITCHES_PER_BP = 4e-5
"""Switches of the copied haplotype per base pair among founders, for a haplotype with one before it; with k before it, one k-th."""
SPACING_BP = 500
"""Mean distance of simulated variants."""
CENTIMORGAN_PER_BP = 1e-6
"""Genetic distance of simulated variants."""
EFFECTIVE_SIZE = 11_418
"""Effective number of people behind a European panel, which says how often a new haplotype switches between those of the panel."""
_MOST_FREQUENCY = 0.4
_ROWS_AT_ONCE = 256
_CERTAIN = 30.0
"""Expected switches between neighbors from which on more make no difference: the chance of none is 1e-13."""
_SITES_TRIED = (1, 4, 16)
_BASES = np.array(["A", "C", "G", "T"], dtype=object)


class Sites(NamedTuple):
    """Where variants are: codes of chromosomes, ascending, and positions, ascending within each."""

    chromosome: np.ndarray
    position_bp: np.ndarray


def simulate_genotypes(
    samples: int = 2000,
    variants: int = 5000,
    seed: int = 0,
    *,
    populations: int = 1,
    fst: float = 0.05,
    chromosomes: int = 1,
    children: int = 0,
    min_frequency: float = 0.01,
) -> Samples:
    r"""Draw phased genotypes of people whose haplotypes are mosaics of the same founders.

    Founders are drawn one after the other: each copies the haplotypes before it, and switches between them along the chromosome
    (Li and Stephens' model read as a recipe), so that at each site they form a tree. One mutation falls on each site's tree, on
    the edge of the k-th founder with probability proportional to 1/k. The number of founders that carry it then has about the
    frequency spectrum 1/x of a population of constant size, and the mean r² of common variants falls to half within some 40 kb.
    People copy founders with as many switches and errors as the model has for a panel of that size. A population prefers some
    founders: its weights come from a symmetric Dirichlet distribution with :math:`\alpha = (1/F_{ST} - 1) / \text{founders}`, for
    which the expected variance of a frequency :math:`p` between populations is :math:`F_{ST}\, p (1 - p)`.

    Parameters
    ----------
    samples
        Number of people.
    variants
        Number of variants.
    seed
        Everything is a function of it.
    populations
        Number of populations, equally large.
    fst
        Expected fixation index of the populations, above 0 and below 1; without effect for one population.
    chromosomes
        Number of chromosomes, each with as many variants.
    children
        Children of each couple; 0: unrelated people. People who do not make up a whole family are unrelated.
    min_frequency
        Least minor allele frequency among the founders, at most 0.4.

    Returns
    -------
    Samples
        Phased dosages (``first_strand`` is the maternal strand). ``table``: ``population``, ``family``, ``father``, ``mother``
        (empty for unrelated people and for parents), ``sex``. ``features``: the columns of :mod:`genoken.core.genotypes`, genetic
        positions included.

    Raises
    ------
    DataError
        When a number is out of range.

    References
    ----------
    Li and Stephens, "Modeling linkage disequilibrium and identifying recombination hotspots using single-nucleotide polymorphism
    data" (2003), doi:10.1093/genetics/165.4.2213. Balding and Nichols (1995), doi:10.1007/BF01441146, for the populations.
    """
    _check_numbers(samples, variants, populations, fst, chromosomes, children, min_frequency)
    panel, sites = _founders(variants, chromosomes, min_frequency, seed)
    table = _people(samples, populations, children, seed)
    distances = _distances(sites, 4 * EFFECTIVE_SIZE / FOUNDERS * CENTIMORGAN_PER_BP / 100)
    watterson = 1 / np.sum(1 / np.arange(1, FOUNDERS))
    errors = watterson / (2 * (FOUNDERS + watterson))  # per site, as in the model's equation (A1)
    strands = np.empty((2, samples, variants), dtype=np.int8)
    weights = _founder_weights(populations, fst, seed)
    code = table["population"].str.removeprefix("population_").to_numpy().astype(int) - 1
    for population in range(populations):
        rows = np.flatnonzero(code == population)
        drawn = _mosaics(panel, distances, 2 * len(rows), seed, f"population {population}", weights[population])
        noise = generator(seed, "genotypes", "errors", population)
        _flip(drawn, noise.binomial(drawn.size, errors), noise)
        strands[:, rows] = drawn.reshape(2, len(rows), variants)
    _inherit(strands, table, _distances(sites, 2 * CENTIMORGAN_PER_BP / 100), seed)
    return as_samples(strands, table, variant_table(sites, seed), "simulated")


def recombined(panel: np.ndarray, features: pd.DataFrame, samples: int, seed: int = 0) -> Samples:
    r"""Draw people whose haplotypes are mosaics of a given panel, so that allele frequencies and linkage are the panel's own.

    Between neighboring variants a haplotype goes on with a random one of the panel with probability
    :math:`1 - \exp(-4 N d / K)`, where :math:`d` is their genetic distance in Morgans, :math:`K` the size of the panel and
    :math:`N` = ``EFFECTIVE_SIZE``, and always at the start of a chromosome.

    Parameters
    ----------
    panel
        int8 (haplotypes, variants), 0 and 1: whether a haplotype carries the counted allele.
    features
        Table of the variants, with ``position_cm``; see :func:`centimorgans`. Sorted by chromosome and position.
    samples
        Number of people.
    seed
        Everything is a function of it.

    Raises
    ------
    DataError
        When genetic positions are missing or not ascending.

    References
    ----------
    Su, Marchini and Donnelly, "HAPGEN2" (2011), doi:10.1093/bioinformatics/btr341. Without its mutations.
    """
    if CENTIMORGAN not in features:
        raise DataError("the panel has no genetic positions", remedy="give a genetic map")
    position, chromosome = features[CENTIMORGAN].to_numpy(dtype=np.float64), features[CHROMOSOME].to_numpy()
    starts = np.r_[True, chromosome[1:] != chromosome[:-1]]
    steps = np.diff(position, prepend=position[:1])
    if not np.isfinite(position).all() or (steps[~starts] < 0).any():
        raise DataError("genetic positions are missing or not ascending", remedy="sort the panel by chromosome and position")
    expected = np.minimum(steps / 100 * 4 * EFFECTIVE_SIZE / len(panel), _CERTAIN)
    distances = np.where(starts, np.inf, expected)
    drawn = _mosaics(panel, distances, 2 * samples, seed, "recombined", np.full(len(panel), 1 / len(panel)))
    table = pd.DataFrame({"population": "panel"}, index=person_names(samples))
    return as_samples(drawn.reshape(2, samples, -1), table, features, "recombined")


def centimorgans(position_bp: np.ndarray, map_bp: np.ndarray, map_cm: np.ndarray) -> np.ndarray:
    """Return genetic positions by linear interpolation in a map of one chromosome; beyond its ends, 1 cM per million base pairs.

    Parameters
    ----------
    position_bp
        Positions, shape (variants,).
    map_bp, map_cm
        The map, ascending.
    """
    inside = np.interp(position_bp, map_bp, map_cm)
    beyond = np.minimum(position_bp - map_bp[0], 0) + np.maximum(position_bp - map_bp[-1], 0)
    return inside + beyond * CENTIMORGAN_PER_BP


def _check_numbers(
    samples: int, variants: int, populations: int, fst: float, chromosomes: int, children: int, min_frequency: float
) -> None:
    for name, value, least in (
        ("samples", samples, 1),
        ("populations", populations, 1),
        ("chromosomes", chromosomes, 1),
        ("variants", variants, chromosomes),
        ("children", children, 0),
    ):
        if value < least:
            raise DataError(f"{value} {name} cannot be simulated", remedy=f"ask for at least {least}")
    if not 0 < fst < 1:
        raise DataError(f"a fixation index of {fst} is not possible", remedy="choose one above 0 and below 1")
    if not 0 <= min_frequency <= _MOST_FREQUENCY:
        raise DataError(f"a least minor allele frequency of {min_frequency} is not possible", remedy="choose one from 0 to 0.4")


def _founders(variants: int, chromosomes: int, min_frequency: float, seed: int) -> tuple[np.ndarray, Sites]:
    """Return int8 (founders, variants) of derived alleles that are frequent enough, and where they are."""
    sizes = np.full(chromosomes, variants // chromosomes)
    sizes[: variants % chromosomes] += 1
    alleles, codes, positions = [], [], []
    for code, size in enumerate(sizes):
        panel, position = _founders_of_one(int(size), min_frequency, seed, code)
        alleles.append(panel)
        codes.append(np.full(size, code))
        positions.append(position)
    return np.concatenate(alleles, axis=1), Sites(np.concatenate(codes), np.concatenate(positions))


def _founders_of_one(variants: int, min_frequency: float, seed: int, chromosome: int) -> tuple[np.ndarray, np.ndarray]:
    least = max(min_frequency, 0.5 / FOUNDERS)
    share = np.log((1 - least) / least) / np.log(FOUNDERS)  # of sites that are frequent enough, by the spectrum 1/x
    for factor in _SITES_TRIED:
        draws = generator(seed, "genotypes", "founders", chromosome, factor)
        length = variants * SPACING_BP
        tried = min(int(2 * factor * variants / share) + 100, length)
        position = np.sort(draws.choice(length, tried, replace=False, shuffle=False)) + 1
        panel = _tree_alleles(position, draws)
        frequency = panel.mean(axis=0)
        frequent = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= least)
        if len(frequent) >= variants:
            chosen = np.sort(draws.choice(frequent, variants, replace=False, shuffle=False))
            return panel[:, chosen], position[chosen]
    raise DataError(
        f"too few of the simulated variants have a minor allele frequency of at least {min_frequency}", remedy="ask for a lower one"
    )


def _tree_alleles(position: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Return int8 (founders, sites): each founder copies those before it, and each site mutates once on the way."""
    order = np.arange(1, FOUNDERS)
    mutated = draws.choice(order, size=len(position), p=(1 / order) / (1 / order).sum())
    panel = np.zeros((FOUNDERS, len(position)), dtype=np.int8)
    steps = np.diff(position, prepend=position[:1])
    for founder in order:
        is_switch = draws.random(len(position)) < -np.expm1(-steps * FOUNDER_SWITCHES_PER_BP / founder)
        is_switch[0] = True
        copied = draws.integers(founder, size=int(is_switch.sum()))[np.cumsum(is_switch) - 1]
        panel[founder] = panel[copied, np.arange(len(position))]
        panel[founder, mutated == founder] = 1
    return panel


def _founder_weights(populations: int, fst: float, seed: int) -> np.ndarray:
    """Return how often people of each population copy each founder, shape (populations, founders)."""
    if populations == 1:
        return np.full((1, FOUNDERS), 1 / FOUNDERS)
    return generator(seed, "genotypes", "populations").dirichlet(np.full(FOUNDERS, (1 / fst - 1) / FOUNDERS), size=populations)


def _distances(sites: Sites, switches_per_bp: float) -> np.ndarray:
    """Return the expected number of switches between each site and the one before it; infinite at the start of a chromosome."""
    starts = np.r_[True, sites.chromosome[1:] != sites.chromosome[:-1]]
    return np.where(starts, np.inf, np.diff(sites.position_bp, prepend=0) * switches_per_bp)


def _mosaics(panel: np.ndarray, distances: np.ndarray, count: int, seed: int, name: str, weights: np.ndarray) -> np.ndarray:
    """Return int8 (count, variants): mosaics that switch with probability 1 - exp(-distance) to a haplotype drawn by weight."""
    rng = generator(seed, "genotypes", "mosaics", name)
    num_variants = panel.shape[1]
    found = np.empty((count, num_variants), dtype=np.int8)
    columns = np.arange(num_variants)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = min(_ROWS_AT_ONCE, count - start)
        lengths, num_segments = _segments(distances, rows, rng)
        copied = np.searchsorted(np.cumsum(weights)[:-1], rng.random(num_segments), side="right")
        path = np.repeat(copied, lengths).reshape(rows, num_variants)
        found[start : start + rows] = panel[path, columns]
    return found


def _segments(distances: np.ndarray, rows: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return the lengths of all segments of several mosaics, one row after the other, and their number.

    A switch between two sites is that at least one event of a Poisson process with these distances falls between them, so events
    are drawn, which are few, in place of one number for each site.
    """
    forced = np.flatnonzero(np.isinf(distances))
    reach = np.cumsum(np.where(np.isinf(distances), 0.0, distances))
    events = rng.random(rng.poisson(rows * reach[-1])) * reach[-1]
    sites = np.searchsorted(reach, events, side="left")
    owner = rng.integers(rows, size=len(events))
    every = np.add.outer(np.arange(rows) * len(distances), forced).ravel()
    begins = np.unique(np.concatenate([owner * len(distances) + sites, every]))
    return np.diff(begins, append=rows * len(distances)), len(begins)


def _flip(alleles: np.ndarray, count: int, draws: np.random.Generator) -> None:
    """Change alleles at random places of an array, in place."""
    places = draws.integers(alleles.size, size=count)
    alleles.reshape(-1)[places] ^= 1


def _people(samples: int, populations: int, children: int, seed: int) -> pd.DataFrame:
    """Return the sample table: whole families of one population each, then unrelated people."""
    size = children + 2
    num_families = samples // size if children else 0
    family = np.minimum(np.arange(samples) // size, num_families)
    unit = np.where(family < num_families, family, np.arange(samples))
    role = np.where(family < num_families, np.arange(samples) % size, -1)
    names = np.array(person_names(samples), dtype=object)
    is_child = role >= 2
    first = (family * size).clip(max=samples - 1)
    drawn_sex = generator(seed, "genotypes", "sex").choice(np.array(["male", "female"], dtype=object), size=samples)
    return pd.DataFrame(
        {
            "population": [f"population_{code + 1}" for code in unit % populations],
            "family": np.where(role >= 0, [f"family_{code + 1}" for code in family], names),
            "father": np.where(is_child, names[first], ""),
            "mother": np.where(is_child, names[np.minimum(first + 1, samples - 1)], ""),
            "sex": np.where(role == 0, "male", np.where(role == 1, "female", drawn_sex)),
        },
        index=pd.Index(names, name="sample_id"),
        dtype=object,
    )


def _inherit(strands: np.ndarray, table: pd.DataFrame, distances: np.ndarray, seed: int) -> None:
    """Give children, in place, one recombined strand of each parent."""
    children = np.flatnonzero(table["mother"].to_numpy() != "")
    if not len(children):
        return
    columns = np.arange(strands.shape[2])
    for strand, parent in enumerate(("mother", "father")):
        rng = generator(seed, "genotypes", "meiosis", parent)
        rows = table.index.get_indexer(table[parent].to_numpy()[children])
        lengths, num_segments = _segments(distances, len(children), rng)
        # crossovers alternate: a strand that is drawn anew at each event of twice the rate is the same process
        inherited = np.repeat(rng.integers(2, size=num_segments), lengths).reshape(len(children), -1)
        strands[strand, children] = strands[inherited, rows[:, None], columns]


def variant_table(sites: Sites, seed: int) -> pd.DataFrame:
    """Return the feature table of simulated variants, with random alleles; see :mod:`genoken.core.genotypes`."""
    rng = generator(seed, "genotypes", "alleles")
    other = rng.integers(4, size=len(sites.position_bp))
    # transitions (A and G, C and T: two apart) twice as often as both transversions together, as in human variants
    counted = (other + rng.choice([1, 2, 3], size=len(other), p=[1 / 6, 2 / 3, 1 / 6])) % 4
    chromosome = [str(code + 1) for code in sites.chromosome]
    names = [f"{code}:{place}" for code, place in zip(chromosome, sites.position_bp, strict=True)]
    return pd.DataFrame(
        {
            CHROMOSOME: np.array(chromosome, dtype=object),
            POSITION: sites.position_bp.astype(np.int64),
            COUNTED: _BASES[counted],
            OTHER: _BASES[other],
            BUILD: np.full(len(other), "", dtype=object),
            CENTIMORGAN: sites.position_bp * CENTIMORGAN_PER_BP,
        },
        index=pd.Index(names, name="variant_id", dtype=object),
    )


def person_names(samples: int) -> list[str]:
    """Return the ids of simulated people."""
    return [f"PERSON{row:05d}" for row in range(1, samples + 1)]


def as_samples(strands: np.ndarray, table: pd.DataFrame, features: pd.DataFrame, origin: str) -> Samples:
    """Return people as samples.

    Parameters
    ----------
    strands
        int8 (2, samples, variants) of 0 and 1.
    table, features, origin
        As in :class:`~genoken.core.samples.Samples`.
    """
    return Samples(
        values=sparse_dosages(strands[0] + strands[1]),
        table=table,
        features=features,
        value_kind="dosage",
        origin=origin,
        first_strand=sparse_dosages(strands[0]),
    )
