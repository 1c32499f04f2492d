"""Score how well methods point to the causal variants of simulated traits, on real European haplotypes.

503 people of the 1000 Genomes Project (phased chr20:1-4 Mb, GRCh37) are recombined with the genetic map into 2,000; a replicate
is a window of 400 neighboring variants of MAF >= 1 % and a trait of 2 or 3 of them. Networks are trained on 1,600 people and
stopped by the others; methods that tune nothing have all 2,000. The best neural attribution of each kind of trait is chosen on
half of the replicates and reported on the other half, with paired bootstrap intervals against GLM and SuSiE. Without that data,
nothing is run.

    python benchmarks/causal_recovery.py [--quick] [--repeats 20] [--only additive,epistatic]
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _recovery_arms import CLASSICAL, NEURAL, Problem
from _recovery_scores import overlap, paired_interval
from _results import data_folder, figures_before, options, table, write
from genoken.core.genotypes import BUILD, CENTIMORGAN, CHROMOSOME, COUNTED, OTHER, POSITION, dense_dosages
from genoken.core.random import generator
from genoken.evaluation.association.recovery import recovery
from genoken.synthetic_genotypes import centimorgans, recombined
from genoken.synthetic_traits import TraitModel, simulate_trait
from genoken.workflows.simulate import read_genetic_map

SEED, MIN_FREQUENCY = 0, 0.01
TRAITS = {
    "additive": TraitModel("additive", 3, heritability=0.05),
    "dominant": TraitModel("dominant", 3, heritability=0.05),
    "recessive": TraitModel("recessive", 3, heritability=0.05),
    "epistatic": TraitModel("epistatic", 2, heritability=0.10),
    "epistatic_pure": TraitModel("epistatic_pure", 2, heritability=0.10),
}
MEASURES = ("average_precision", "recall_at_10", "linkage_recall", "signal_fdr")


@dataclass(frozen=True)
class Design:
    """How large a replicate is, how many there are of each trait, and whether networks are trained with a second seed."""

    people: int = 2000
    trained_on: int = 1600
    variants: int = 400
    replicates: int = 20
    with_second_seed: bool = True


@dataclass(frozen=True)
class Panel:
    """Haplotypes (haplotypes, variants) and the table of their variants."""

    alleles: np.ndarray
    features: pd.DataFrame


@dataclass(frozen=True)
class Replicate:
    """A window of people's dosages, a trait, and the truth."""

    dosages: np.ndarray
    trait: np.ndarray
    is_causal: np.ndarray
    linkage: np.ndarray
    trained_on: int

    def linkage_of(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return r² (rows, columns) of variants."""
        return self.linkage[np.ix_(rows, columns)]

    def problem(self, seed: int, *, permuted: bool = False) -> Problem:
        """Return what arms are given; a permuted trait has nothing to do with the genotypes."""
        trait = generator(SEED, "recovery", "permuted").permutation(self.trait) if permuted else self.trait
        part = self.trained_on
        return Problem(self.dosages[:part], trait[:part], self.dosages[part:], trait[part:], seed)


def read_panel(folder: Path) -> Panel:
    """Return the common variants of both files.

    One of the files writes its phased calls as if they were unphased, so the order of the two alleles is taken as it stands there:
    that haplotypes of neighboring variants are as correlated as in the other file says that it means something.
    """
    from cyvcf2 import VCF

    strands, position, counted, other = [], [], [], []
    for name in ("reference.vcf.gz", "unphased.vcf.gz"):
        records = [
            (line.genotype.array()[:, :2].astype(np.int8), line.POS, line.ALT[0], line.REF) for line in VCF(str(folder / name))
        ]
        calls, position, counted, other = zip(*records, strict=True)
        both = np.stack(calls, axis=1)
        strands += [both[:, :, 0], both[:, :, 1]]
    alleles, position_bp = np.concatenate(strands), np.array(position)
    frequency = alleles.mean(axis=0)
    kept = (np.minimum(frequency, 1 - frequency) >= MIN_FREQUENCY) & (np.diff(position_bp, prepend=0) > 0)
    genetic_map = read_genetic_map(folder / "chr20.b37.gmap.gz")
    columns = {
        CHROMOSOME: "20",
        POSITION: position_bp,
        COUNTED: counted,
        OTHER: other,
        BUILD: "GRCh37",
        CENTIMORGAN: centimorgans(position_bp, genetic_map["pos"].to_numpy(float), genetic_map["cM"].to_numpy(float)),
    }
    features = pd.DataFrame(columns, index=[f"20:{place}" for place in position])[kept]
    return Panel(alleles[:, kept], features)


def replicates(panel: Panel, name: str, design: Design) -> Iterator[Replicate]:
    for number in range(design.replicates):
        draws = generator(SEED, "recovery", "window", number)
        start = int(draws.integers(len(panel.features) - design.variants))
        window = slice(start, start + design.variants)
        people = recombined(panel.alleles[:, window], panel.features.iloc[window], design.people, seed=number)
        trait = simulate_trait(people, TRAITS[name], seed=number)
        dosages = dense_dosages(people.values)
        with np.errstate(invalid="ignore", divide="ignore"):
            linkage = np.nan_to_num(np.corrcoef(dosages.T.astype(np.float32)) ** 2)
        np.fill_diagonal(linkage, 1.0)
        yield Replicate(dosages, trait.liability, people.features.index.isin(trait.causal), linkage, design.trained_on)


def measured(replicate: Replicate, seed: int, design: Design) -> dict[str, dict[str, float]]:
    """Return the scores of each arm's readings in one replicate, ``{reading: {measure: value}}``."""
    found: dict[str, dict[str, float]] = {}
    for name, arm in {**CLASSICAL, **NEURAL}.items():
        before = time.process_time()
        scores = arm(replicate.problem(seed))
        seconds = time.process_time() - before
        again = arm(replicate.problem(seed + 1)) if name in NEURAL and design.with_second_seed else scores
        null = arm(replicate.problem(seed, permuted=True))
        for reading, values in scores.items():
            found[f"{name}: {reading}" if reading else name] = {
                **recovery(values, replicate.is_causal, replicate.linkage_of),
                "stability": overlap(values, again[reading]),
                "null_error": float(null[reading].max() >= values.max()),
                "seconds": seconds,
            }
    return found


def is_neural(reading: str) -> bool:
    return reading.partition(":")[0] in NEURAL


def summary(found: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return mean measures of each reading, and the best neural one of even replicates beside GLM and SuSiE on odd ones."""
    means = {
        reading: {measure: float(np.mean([one[reading][measure] for one in found])) for measure in found[0][reading]}
        for reading in found[0]
    }
    precision = {reading: np.array([one[reading]["average_precision"] for one in found]) for reading in found[0]}
    best = max(filter(is_neural, precision), key=lambda reading: precision[reading][::2].mean())
    tested = {reading: values[1::2] for reading, values in precision.items()}
    chosen: dict[str, Any] = {"reading": best, "replicates": len(tested[best]), "average_precision": float(tested[best].mean())}
    for rival in ("GLM", "SuSiE"):
        difference = tested[best] - tested[rival]
        chosen[rival] = {
            "average_precision": float(tested[rival].mean()),
            "difference": float(difference.mean()),
            "interval": paired_interval(difference, generator(SEED, "recovery", "interval", rival)),
        }
    return {"readings": means, "best_neural": chosen, "replicates": len(found)}


def sentence(name: str, best: dict[str, Any]) -> str:
    against = "; ".join(
        "{} {:.2f}, difference {:+.2f} ({:+.2f} to {:+.2f})".format(
            rival, best[rival]["average_precision"], best[rival]["difference"], *best[rival]["interval"]
        )
        for rival in ("GLM", "SuSiE")
    )
    verdict = "reaches" if best["GLM"]["difference"] >= 0 else "does not reach"
    return (
        f"{name}: the best neural attribution of other replicates ({best['reading']}) {verdict} GLM's average precision: "
        f"{best['average_precision']:.2f} in {best['replicates']} replicates, {against}."
    )


def rows_of(name: str, figures: dict[str, Any]) -> list[list[str]]:
    ordered = sorted(figures["readings"].items(), key=lambda item: -item[1]["average_precision"])
    return [
        [name, reading, *(f"{values[measure]:.2f}" for measure in (*MEASURES, "stability", "null_error", "seconds"))]
        for reading, values in ordered
    ]


def main() -> None:
    chosen = options(__doc__ or "")
    folder = data_folder()
    source = None if folder is None else folder / "genotypes" / "kgp_eur_chr20_phased"
    if source is None or not source.is_dir():
        print("Left out: the phased European haplotypes (genotypes/kgp_eur_chr20_phased) are not here; set GENOKEN_DATA.")
        return
    panel = read_panel(source)
    design = Design(400, 320, 100, 2, with_second_seed=False) if chosen.quick else Design(replicates=max(chosen.repeats, 20))
    figures: dict[str, Any] = figures_before("causal_recovery", chosen)
    names = [name for name in TRAITS if not chosen.only or name in chosen.only.split(",")]
    rows: list[list[str]] = []
    for name in names[: 1 if chosen.quick else None]:
        found = []
        for number, replicate in enumerate(replicates(panel, name, design)):
            found.append(measured(replicate, number, design))
            own = {reading: round(values["average_precision"], 2) for reading, values in found[-1].items()}
            print(f"{name} {number + 1}/{design.replicates}: {json.dumps(own)}", flush=True)
        figures[name] = summary(found)
        rows += rows_of(name, figures[name])
    columns = ["trait", "scores", "AP", "recall@10", "LD recall", "signal FDR", "stability", "null error", "seconds"]
    print("\n" + table(columns, rows) + "\n")
    ratios = {}
    for name in names:
        if name in figures:
            best = figures[name]["best_neural"]
            ours, theirs = best["average_precision"], best["GLM"]["average_precision"]
            ratios[f"{name}: AP of the best neural attribution over GLM"] = ours / theirs
            print(sentence(name, best))
    write("causal_recovery", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
