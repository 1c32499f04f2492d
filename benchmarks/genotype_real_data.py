"""What the preset ``genotype`` does on real genotypes, beside what geneticists use, with relatives or families held out together.

- ``ancestry``: 957 people of 11 HapMap3 populations, 14,079 variants; relatives by kinship stay together. The model of all of them
  is then tested on the people of the 1000 Genomes Project (phase 1) who are not among them, in the populations that both have.
- ``bmi``, ``body_length``, ``hdl``: 1,814 heterogeneous-stock mice, 10,346 variants; whole families are held out, sex is known.
- ``coat_color``: the same mice, nine colors; after it, where the network, the regressions and fine-mapping rank the regions of four
  genes that are known to color mice.

Five folds, every sample tested once. The data sets are used when they are there and left out, with a line, when not. Mice need the
package ``rdata``, which genoken does not.

    python benchmarks/genotype_real_data.py [--quick] [--only ancestry,bmi,body_length,hdl,coat_color] [--runs FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from bed_reader import open_bed

import genoken
from _mice import write_mice
from _results import data_folder, options, table, write
from genoken.core.config import parse_assignment
from genoken.evaluation.bootstrap import bootstrap
from genoken.workflows.run import Run
from genoken.workflows.show import Show
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variants import explain_variants

HAPMAP = "HM3_thinned_autosomal_overlap.bed"
PHASE1 = "1kg.ref.phase1_release_v3.20101123_thinned_autosomal_overlap.bed"
GENES = {
    "Tyr (albino)": ("7", 49.4),
    "Tyrp1 (black, chocolate)": ("4", 49.0),
    "a (agouti)": ("2", 83.0),
    "Myo5a (dilute)": ("9", 49.5),
}
"""Chromosome and position, in the file's millions, of what is known to color mice."""
REGION = 5_000_000
"""Reach of a region to either side of its best variant."""
DECISIVE = {"classification": "macro_f1", "regression": "r2"}
SHOWN = {
    "classification": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"),
    "regression": ("pearson", "r2", "beyond_sex"),
}


@dataclass(frozen=True)
class Part:
    """What is predicted from what, and which baseline the figures that are known go by."""

    name: str
    label: str
    mice: bool
    known: str
    settings: Mapping[str, Any]


_MICE = {"data.covariates": ["sex"], "data.group": "family"}
_TRAIT = {**_MICE, "evaluation.baselines": ["covariates", "covariates_pcs", "gblup", "elastic_net"]}
_COLOR = {**_MICE, "evaluation.baselines": ["covariates_pcs", {"kind": "elastic_net", "num_features": 300}]}
_PEOPLE = {"data.principal_components": 32, "evaluation.baselines": ["covariates_pcs", "pca_linear"]}
PARTS = (
    Part("ancestry", "population", mice=False, known="pca_linear", settings=_PEOPLE),
    Part("bmi", "bmi", mice=True, known="gblup", settings=_TRAIT),
    Part("body_length", "body_length", mice=True, known="gblup", settings=_TRAIT),
    Part("hdl", "hdl", mice=True, known="gblup", settings=_TRAIT),
    Part("coat_color", "coat_color", mice=True, known="elastic_net", settings=_COLOR),
)


def folders(scratch: Path) -> dict[bool, Callable[[], tuple[Path, Path] | None]]:
    """Return, for mice and for people, what gives the genotypes and the table of phenotypes; ``None`` where they are not here."""
    shared = data_folder()
    genotypes = None if shared is None else shared / "genotypes"

    def mice() -> tuple[Path, Path] | None:
        source = None if genotypes is None else genotypes / "mice_hs" / "mice.RData"
        return write_mice(source, scratch) if source is not None and source.is_file() else None

    def people() -> tuple[Path, Path] | None:
        folder = None if genotypes is None else genotypes / "hapmap3_1kg"
        if folder is None or not (folder / HAPMAP).is_file():
            return None
        return folder / HAPMAP, folder / "relationships_w_pops_121708.txt"

    return {True: mice, False: people}


def train(part: Part, bed: Path, phenotypes: Path, folder: Path, chosen: argparse.Namespace) -> Run:
    """Train as ``genoken train FILE --preset genotype --label … --folds 5`` does; a finished run that was kept is read."""
    if (folder / "metrics.json").is_file():
        return genoken.load_run(folder)
    settings = {"split.kind": "folds", "split.folds": 5, "data.phenotypes_file": str(phenotypes), "training.logger": "none"}
    settings |= dict(part.settings) | dict(parse_assignment(text) for text in chosen.set)
    if chosen.quick:
        settings |= {"split.folds": 2, "training.epochs": 1, "data.limit_samples": 300, "evaluation.bootstrap": 50}
    return genoken.train(bed, label=part.label, preset="genotype", settings=settings, output=folder, show=Show())


def predictions_of(run: Run) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return the table of tested samples, and what each predictor says of them: probabilities or numbers."""
    tested = pd.read_parquet(run.folder / "predictions.parquet")
    files = {"model": run.folder / "predictions.parquet"}
    files |= {path.stem: path for path in sorted((run.folder / "baselines").glob("*.parquet"))}
    found = {}
    for name, path in files.items():
        rows = pd.read_parquet(path)
        columns = [column for column in rows if column.startswith("probability_")] or ["predicted"]
        found[name] = rows[columns].to_numpy() if len(columns) > 1 else rows[columns[0]].to_numpy()
    return tested, found


def beyond_sex(tested: pd.DataFrame, predictions: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the correlation, mean over folds, of what a predictor and the trait have beyond what sex alone says."""
    known, truth, folds = predictions["covariates"], tested["label"].to_numpy(dtype=float), tested["fold"].to_numpy()
    found = {}
    for name, predicted in predictions.items():
        own = [_correlation((predicted - known)[folds == fold], (truth - known)[folds == fold]) for fold in np.unique(folds)]
        found[name] = float(np.mean(own))
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else 0.0


def gap_to(part: Part, tested: pd.DataFrame, predictions: Mapping[str, np.ndarray]) -> list[float] | None:
    """Return the interval, over groups, of the model's decisive metric minus that of the baseline that figures are known of."""
    task = "classification" if predictions["model"].ndim == 2 else "regression"
    truth = tested["label"].to_numpy()
    if task == "classification":
        classes = [name.removeprefix("probability_") for name in tested if name.startswith("probability_")]
        truth = np.array([classes.index(str(name)) for name in truth])
    two = {name: predictions[name] for name in ("model", part.known)}
    folds = dict.fromkeys(two, tested["fold"].to_numpy())
    found = bootstrap(truth, two, task=task, groups=tested["group"].to_numpy(), seed=0, folds=folds)
    return found.difference_interval("model", part.known, DECISIVE[task])


def figures_of(part: Part, run: Run) -> tuple[dict[str, Any], list[list[str]]]:
    """Return what is written of a run, and the rows of its table."""
    test, task = run.metrics["test"], run.metrics["task"]
    tested, predictions = predictions_of(run)
    scores = {"model": test["model"], **test["baselines"], **run.metrics["ablation"]}
    if task == "regression":
        beyond = beyond_sex(tested, predictions)
        scores = {name: {**own, "beyond_sex": beyond[name]} for name, own in scores.items()}
    shown = SHOWN[task]
    rows = [[part.name, name, *[_number(own[metric]) for metric in shown]] for name, own in scores.items()]
    metric = DECISIVE[task]
    known = {
        "baseline": part.known,
        "metric": metric,
        "value": test["model"][metric] - test["baselines"][part.known][metric],
        "interval": gap_to(part, tested, predictions),
    }
    found = {name: {metric: own[metric] for metric in shown} for name, own in scores.items()}
    return {
        "scores": found,
        "increment": test["increment"],
        "difference": test["difference"],
        "to_known": known,
        "verdict": run.metrics["verdict"],
        "samples": len(tested),
        "groups": int(tested["group"].nunique()),
    }, rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def elsewhere(run: Run, folder: Path) -> dict[str, Any]:
    """Score the model of all HapMap3 people on those of the 1000 Genomes Project who are not among them."""
    bed = open_bed(folder / PHASE1)
    # lines end with tabs that the line of names lacks
    panel = pd.read_csv(folder / "integrated_call_samples_v3.20130502.ALL.panel", sep="\t", index_col=False).set_index("sample")
    known = set(open_bed(folder / HAPMAP).iid)
    populations = panel["pop"].reindex(bed.iid).replace("MXL", "MEX")  # the same people of Los Angeles, named differently
    classes = set(run.metrics["classes"])
    chosen = np.flatnonzero(populations.isin(classes).to_numpy() & ~np.isin(bed.iid, list(known)))
    variants = pd.DataFrame(
        {
            "chromosome": bed.chromosome,
            "position_bp": bed.bp_position,
            "counted_allele": bed.allele_1,
            "other_allele": bed.allele_2,
        },
        index=bed.sid,
    )
    people = pd.DataFrame({"population": populations.iloc[chosen].to_numpy()}, index=bed.iid[chosen])
    found = genoken.evaluate(run, anndata.AnnData(bed.read((chosen, slice(None)), dtype="float32"), obs=people, var=variants))
    scores = {"model": found["test"]["model"], **found["test"]["baselines"]}
    return {name: own["accuracy"] for name, own in scores.items()} | {"samples": len(people)}


def ranks_of_genes(variants: pd.DataFrame) -> dict[str, dict[str, int | None]]:
    """Return, by ranking, at which place the region of each gene comes; ``None`` where a ranking has nothing there."""
    found = {}
    for name, column in (("network", "ensemble"), ("regressions", "glm_minus_log10_p"), ("fine-mapping", "pip")):
        regions = _regions(variants[["chrom", "pos", column]].dropna().sort_values(column, ascending=False))
        found[name] = {gene: _place_of(regions, *where) for gene, where in GENES.items()}
    return found


def _regions(ranked: pd.DataFrame) -> list[tuple[str, int]]:
    """Return chromosome and position of the best variant of each region, best first; what is near one is no region of its own."""
    chromosomes, positions = ranked["chrom"].astype(str).to_numpy(), ranked["pos"].to_numpy()
    is_left = np.ones(len(ranked), dtype=bool)
    regions = []
    for place in range(len(ranked)):
        if is_left[place]:
            regions.append((str(chromosomes[place]), int(positions[place])))
            is_left &= (chromosomes != chromosomes[place]) | (abs(positions - positions[place]) > REGION)
    return regions


def _place_of(regions: list[tuple[str, int]], chromosome: str, millions: float) -> int | None:
    near = (
        number
        for number, (own, position) in enumerate(regions, start=1)
        if own == chromosome and abs(position - 1e6 * millions) <= REGION
    )
    return next(near, None)


def extras(part: Part, run: Run, bed: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what is asked of one part alone: other people, and the regions of known genes."""
    if part.name == "ancestry":
        found = elsewhere(run, bed.parent)
        shown = ", ".join(f"{name} {found[name]:.3f}" for name in ("model", "covariates_pcs", "pca_linear"))
        print(f"1000 Genomes, {found['samples']} other people, accuracy: {shown}")
        return {"elsewhere": found}
    if part.name == "coat_color" and not chosen.quick:
        ranks = ranks_of_genes(explain_variants(run, options=VariantOptions(null=0, covariates=("sex",))))
        print(table(["ranking", *GENES], [[name, *[str(own[gene]) for gene in GENES]] for name, own in ranks.items()]))
        return {"ranks": ranks}
    return {}


def main() -> None:
    """Run all parts and write the tables."""
    chosen = options(__doc__ or "")
    ratios, figures = {}, {}
    with tempfile.TemporaryDirectory() as passing:
        scratch = Path(chosen.runs or passing)
        scratch.mkdir(parents=True, exist_ok=True)
        inputs = folders(scratch)
        for part in PARTS:
            if chosen.only and part.name not in chosen.only.split(","):
                continue
            files = inputs[part.mice]()
            if files is None:
                print(f"{part.name}: left out, its data are not here")
                continue
            began = time.process_time()
            run = train(part, *files, scratch / part.name, chosen)
            found, rows = figures_of(part, run)
            print(table(["data", "predictor", *SHOWN[run.metrics["task"]]], rows))
            found |= extras(part, run, files[0], chosen)
            figures[part.name] = {**found, "cpu_seconds": None if chosen.runs else time.process_time() - began}
            known = found["to_known"]
            ratios[part.name] = found["scores"]["model"][known["metric"]] / found["scores"][part.known][known["metric"]]
            gap = f"{known['value']:+.3f} {known['metric']}, interval {known['interval']}"
            print(f"{part.name}: model minus {part.known} {gap}\n", flush=True)
    write("genotype_real_data", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
