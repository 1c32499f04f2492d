"""Simulated people with a trait whose causes are known, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from genoken.core.errors import DataError, RunError, suggestion
from genoken.core.files import atomic_path
from genoken.core.genotypes import CENTIMORGAN, CHROMOSOME, POSITION, dense_dosages
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.synthetic_ancestry import simulate_ancestry
from genoken.synthetic_genotypes import CENTIMORGAN_PER_BP, centimorgans, recombined, simulate_genotypes
from genoken.synthetic_traits import CASE, SimulatedTrait, TraitModel, simulate_trait
from genoken.workflows.files import read_file
from genoken.workflows.genotype_files import files_to_write, write_genotypes
from genoken.workflows.show import Show

Engine = Literal["copying", "msprime"]
"""Where haplotypes come from."""
ENGINES: tuple[Engine, ...] = get_args(Engine)
_MAP_COLUMNS = ("pos", "chr", "cM")


@dataclass(frozen=True)
class PeopleModel:
    """Which people are simulated.

    Parameters
    ----------
    samples, variants, populations, fst, chromosomes, children, min_frequency
        As in :func:`genoken.synthetic_genotypes.simulate_genotypes`. The engine ``msprime`` knows neither chromosomes nor children,
        and a panel knows no populations either.
    engine
        ``copying``, or ``msprime`` (extra ``sim``).
    panel
        File of phased genotypes, such as a VCF, whose haplotypes are recombined; ``variants`` neighboring ones are drawn.
    genetic_map
        For a panel, table with the columns ``pos``, ``chr`` and ``cM``; without it, 1 cM per million base pairs.
    """

    samples: int = 2000
    variants: int = 5000
    engine: Engine = "copying"
    populations: int = 1
    fst: float = 0.05
    chromosomes: int = 1
    children: int = 0
    min_frequency: float = 0.01
    panel: Path | None = None
    genetic_map: Path | None = None


def simulate(
    output: Path, people: PeopleModel, trait: TraitModel, *, seed: int = 0, overwrite: bool = False, show: Show | None = None
) -> SimulatedTrait:
    """Simulate people and a trait, and write them with the truth.

    Beside ``NAME.bed`` (with ``.bim`` and ``.fam``), ``NAME.vcf``, ``NAME.vcf.gz`` or ``NAME.h5ad`` are written ``NAME.traits.tsv``
    (a row per person; with several populations, also which) and ``NAME.truth.tsv`` (a row per variant with an effect); see
    :class:`genoken.synthetic_traits.SimulatedTrait`.

    Parameters
    ----------
    output
        Name of the file of genotypes; its ending says the format.
    people, trait
        What is simulated.
    seed
        Everything is a function of it.
    overwrite
        Replace files that are there.
    show
        Where sentences go; by default nowhere.

    Raises
    ------
    DataError
        When something impossible is asked for, or the panel cannot be used.
    RunError
        When a file is there already.
    """
    show = show or Show(quiet=True)
    targets = _targets(Path(output))
    there = [path for path in targets if path.exists()]
    if there and not overwrite:
        raise RunError("the file exists", where=str(there[0]), remedy="choose another name, or add --overwrite to replace it")
    samples = simulated_people(people, seed)
    found = simulate_trait(samples, trait, seed)
    write_genotypes(Path(output), samples, found.table["trait"])
    traits, truth = targets[-2:]
    _write_tsv(traits, _known(samples, found).rename_axis("sample_id").reset_index())
    _write_tsv(truth, found.truth)
    _describe(samples, found, trait, targets, show)
    return found


def simulated_people(people: PeopleModel, seed: int) -> Samples:
    """Return the people that a model describes.

    Raises
    ------
    DataError
        When the model asks for what its engine does not know, or the panel cannot be used.
    """
    if people.engine not in ENGINES:
        raise DataError(f"'{people.engine}' is not an engine", remedy=suggestion(people.engine, ENGINES))
    if people.panel is not None:
        _refuse(people, ("populations", "chromosomes", "children"), "a panel")
        return recombined(*_panel(people, seed), people.samples, seed)
    if people.genetic_map is not None:
        raise DataError("a genetic map is used with a panel alone", where=str(people.genetic_map), remedy="name a panel, too")
    if people.engine == "msprime":
        _refuse(people, ("chromosomes", "children"), "msprime")
        return simulate_ancestry(
            people.samples,
            people.variants,
            seed,
            populations=people.populations,
            fst=people.fst,
            min_frequency=people.min_frequency,
        )
    return simulate_genotypes(
        people.samples,
        people.variants,
        seed,
        populations=people.populations,
        fst=people.fst,
        chromosomes=people.chromosomes,
        children=people.children,
        min_frequency=people.min_frequency,
    )


def _refuse(people: PeopleModel, names: tuple[str, ...], engine: str) -> None:
    for name in names:
        if getattr(people, name) != getattr(PeopleModel(), name):
            raise DataError(f"{name} cannot be chosen with {engine}", remedy="leave that out, or use the engine 'copying'")


def _panel(people: PeopleModel, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the panel's haplotypes (haplotypes, variants) and table, at neighboring variants that are frequent enough."""
    where = str(people.panel)
    panel = read_file(Path(where))
    if panel.value_kind != "dosage" or panel.first_strand is None:
        raise DataError("the panel's phase is not known", where=where, remedy="use a phased VCF, or phase it first")
    first, both = dense_dosages(panel.first_strand), dense_dosages(panel.values)
    alleles = np.concatenate([first, both - first])
    frequency = alleles.mean(axis=0)
    is_whole = (first >= 0).all(axis=0) & (both >= 0).all(axis=0)
    # a variant at the same place as the one before it is one of a site with several alleles
    is_next = np.r_[True, np.diff(panel.features[POSITION].to_numpy()) != 0]
    fit = np.flatnonzero(is_whole & is_next & (np.minimum(frequency, 1 - frequency) >= max(people.min_frequency, 1e-9)))
    if len(fit) < people.variants:
        raise DataError(
            f"the panel has {len(fit)} variants that are called in all its people and frequent enough, not {people.variants}",
            where=where,
            remedy=f"ask for at most {len(fit)} variants, or for a lower frequency",
        )
    start = int(generator(seed, "simulate", "panel").integers(len(fit) - people.variants + 1))
    chosen = fit[start : start + people.variants]
    features = panel.features.iloc[chosen]
    if CENTIMORGAN not in features or people.genetic_map is not None:
        features = features.assign(**{CENTIMORGAN: _genetic_positions(features, people.genetic_map)})
    return alleles[:, chosen], features


def _genetic_positions(features: pd.DataFrame, genetic_map: Path | None) -> np.ndarray:
    position = features[POSITION].to_numpy()
    if genetic_map is None:
        return position * CENTIMORGAN_PER_BP
    table = read_genetic_map(genetic_map)
    found = np.empty(len(features))
    for name in features[CHROMOSOME].unique():
        own = table[table["chr"] == str(name)]
        if not len(own):
            raise DataError(f"the map has no chromosome {name}", where=str(genetic_map), remedy="choose the panel's map")
        rows = (features[CHROMOSOME] == name).to_numpy()
        found[rows] = centimorgans(position[rows], own["pos"].to_numpy(dtype=float), own["cM"].to_numpy(dtype=float))
    return found


def read_genetic_map(path: Path) -> pd.DataFrame:
    """Read a genetic map with the columns ``pos``, ``chr`` (text without ``chr``) and ``cM``, as SHAPEIT has it.

    Raises
    ------
    DataError
        When it cannot be read or lacks a column.
    """
    try:
        table = pd.read_csv(path, sep=r"\s+", dtype={"chr": str})
    except FileNotFoundError as error:
        raise DataError("the file does not exist", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise DataError("the file is not a table of text", where=str(path), remedy="give a genetic map") from error
    missing = [name for name in _MAP_COLUMNS if name not in table]
    if missing:
        raise DataError(f"the genetic map has no column '{missing[0]}'", where=str(path), remedy="it needs pos, chr and cM")
    return table.assign(chr=table["chr"].str.removeprefix("chr")).sort_values(["chr", "pos"])


def _targets(output: Path) -> list[Path]:
    """Return all files that are written, traits and truth last."""
    files = files_to_write(output)
    name = output.name
    for ending in (".vcf.gz", ".vcf", ".bed", ".h5ad"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return [*files, output.with_name(f"{name}.traits.tsv"), output.with_name(f"{name}.truth.tsv")]


def _write_tsv(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")


def _known(samples: Samples, found: SimulatedTrait) -> pd.DataFrame:
    """Return the trait and the covariates of each person, and the population where there are several."""
    populations = samples.table.get("population", pd.Series(dtype=object))
    return found.table.assign(population=populations) if populations.nunique() > 1 else found.table


def _describe(samples: Samples, found: SimulatedTrait, trait: TraitModel, targets: list[Path], show: Show) -> None:
    show.line(f"{samples.num_samples:,} people, {samples.num_features:,} variants: {targets[0]}")
    cases = int((found.table["trait"] == CASE).sum())
    share = f"{found.genetic.var() / found.liability.var():.1%} of the variance"
    if trait.prevalence:
        share += f"; {cases:,} cases, the {trait.prevalence:.3g} of highest liability"
    show.line(f"{len(found.causal)} causal variants ({trait.architecture}) explain {share}: {targets[-1]}")
    show.line(f"Trait of each person: {targets[-2]}")
