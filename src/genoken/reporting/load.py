"""Read a run folder into one typed object. Nothing in it is executed; everything but ``metrics.json`` may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from genoken.core.errors import RunError
from genoken.core.feature_words import noun_of_identifiers
from genoken.core.files import read_json

VARIANT_COLUMNS = (
    *("id", "chrom", "pos", "counted_allele", "other_allele", "maf", "ensemble", "stability", "clump_lead"),
    *("glm_minus_log10_p", "locus", "r2_to_locus_lead", "pip", "credible_set"),
)
"""Columns of ``explanations/variants.tsv`` that the report needs."""


@dataclass(frozen=True)
class RunFolder:
    """What a run folder holds, as documented in ``docs/run-folder.md``; ``None`` stands for a file that is absent.

    Parameters
    ----------
    folder
        The folder itself.
    metrics
        ``metrics.json``.
    manifest, check, controls
        ``manifest.json``, ``check.json`` and ``explanations/controls.json``.
    predictions, history, split, embeddings, gene_embeddings, genes
        The tables of the same names; ``genes`` is ``explanations/genes.tsv``.
    baselines
        Predictions of each baseline, by name.
    config
        Text of ``config.yaml``.
    targets
        ``targets.parquet`` of a pretraining run.
    variants, variant_controls, loci
        ``explanations/variants.tsv``, ``variants.json`` and ``loci.parquet`` of a run on genotypes.
    next_cells, cell_map, transitions
        ``next_cells.parquet``, ``map.parquet`` and ``transitions.tsv`` of a run that predicts next cells.
    quality
        ``quality.tsv`` of a run on genotypes.
    joined
        ``join.tsv`` of a run on several files of genotypes.
    """

    folder: Path
    metrics: dict[str, Any]
    manifest: dict[str, Any] | None
    check: dict[str, Any] | None
    controls: dict[str, Any] | None
    predictions: pd.DataFrame | None
    history: pd.DataFrame | None
    split: pd.DataFrame | None
    embeddings: pd.DataFrame | None
    gene_embeddings: pd.DataFrame | None
    genes: pd.DataFrame | None
    baselines: dict[str, pd.DataFrame]
    config: str | None
    targets: pd.DataFrame | None = None
    variants: pd.DataFrame | None = None
    variant_controls: dict[str, Any] | None = None
    loci: pd.DataFrame | None = None
    next_cells: pd.DataFrame | None = None
    cell_map: pd.DataFrame | None = None
    transitions: pd.DataFrame | None = None
    joined: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None

    @property
    def is_pretraining(self) -> bool:
        """Whether the run has masked objectives in the place of a label."""
        return bool(self.metrics.get("task") == "pretraining")

    @property
    def predicts_next_cells(self) -> bool:
        """Whether the run was trained on cells and their successors."""
        return self.is_pretraining and bool(section(self.metrics, "next_cell"))

    @property
    def is_regression(self) -> bool:
        """Whether the label is a number."""
        return bool(self.metrics.get("task") == "regression")

    @property
    def feature_noun(self) -> str:
        """What a feature of the model is called."""
        noted = section(self.manifest, "model").get("feature")
        if noted:
            return str(noted)
        return "variant" if self.variants is not None else self.feature_noun_of_file

    @property
    def feature_noun_of_file(self) -> str:
        """What a feature of the file is called, of which those of the model may be made."""
        return noun_of_identifiers(str(section(self.check, "identifiers").get("type", "")))

    @property
    def test(self) -> dict[str, Any]:
        """The scores of the test samples."""
        return section(self.metrics, "test")

    @property
    def classes(self) -> list[str]:
        """Names of the classes in order; empty for regression."""
        return [str(name) for name in self.metrics.get("classes") or []]

    @property
    def predictors(self) -> dict[str, dict[str, Any]]:
        """Scores of the model, then of each baseline, by name."""
        return {"model": section(self.test, "model")} | {
            name: dict(scores) for name, scores in section(self.test, "baselines").items()
        }

    @property
    def reference(self) -> str | None:
        """Name of the baseline that the model is compared with; ``None`` without baselines."""
        named = section(self.test, "difference").get("baseline")
        return named if named in self.predictors else None

    @property
    def primary_metric(self) -> str | None:
        """Metric of the headline: that of the difference, else macro F1 or R², else the first one there is."""
        scores = self.predictors["model"]
        wanted = [section(self.test, "difference").get("metric"), "macro_f1", "r2", *scores]
        return next((name for name in wanted if name is not None and name in scores and not name.endswith("_interval")), None)


def section(content: Mapping[str, Any] | None, key: str) -> dict[str, Any]:
    """Return the object under ``key``, or an empty one when it is absent or ``null``."""
    value = (content or {}).get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def load_run_folder(folder: Path) -> RunFolder:
    """Read a run folder.

    Parameters
    ----------
    folder
        A folder that holds at least ``metrics.json``.

    Returns
    -------
    RunFolder

    Raises
    ------
    RunError
        When ``metrics.json`` is missing, or a file is not what its name says.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError("there is no such folder", where=str(folder), remedy="give the folder that genoken train wrote")
    metrics = _json_object(folder / "metrics.json")
    if metrics is None:
        raise RunError(
            "metrics.json is missing, so there is nothing to report", where=str(folder), remedy="let the training finish first"
        )
    if metrics.get("task") == "pretraining":
        if not isinstance(metrics.get("objectives"), dict):
            raise RunError("the scores of the objectives are missing", where=str(folder / "metrics.json"))
    elif not isinstance(metrics.get("test"), dict) or not isinstance(metrics["test"].get("model"), dict):
        raise RunError("the scores of the model (test.model) are missing", where=str(folder / "metrics.json"))
    config = folder / "config.yaml"
    baselines = _baselines(folder / "baselines")
    if metrics.get("task") == "regression":
        metrics, baselines = _named_for_regression(metrics, baselines)
    return RunFolder(
        folder=folder,
        metrics=metrics,
        manifest=_json_object(folder / "manifest.json"),
        check=_json_object(folder / "check.json"),
        controls=_json_object(folder / "explanations" / "controls.json"),
        predictions=_parquet(folder / "predictions.parquet", ("sample_id", "label", "predicted")),
        history=_history(folder),
        split=_parquet(folder / "split.parquet", ("sample_id",)),
        embeddings=_parquet(folder / "embeddings.parquet", ("sample_id",)),
        gene_embeddings=_parquet(folder / "gene_embeddings.parquet", ("feature_id",)),
        genes=_table(folder / "explanations" / "genes.tsv", "\t", ("class", "feature_id", "importance")),
        baselines=baselines,
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None,
        targets=_parquet(folder / "targets.parquet", ("objective", "sample_id")),
        variants=_table(folder / "explanations" / "variants.tsv", "\t", VARIANT_COLUMNS),
        variant_controls=_json_object(folder / "explanations" / "variants.json"),
        loci=_parquet(folder / "explanations" / "loci.parquet", ("locus", "first", "second", "r2", "attention")),
        next_cells=_parquet(folder / "next_cells.parquet", ("sample_id",)),
        cell_map=_parquet(folder / "map.parquet", ("x", "y")),
        transitions=_table(folder / "transitions.tsv", "\t", ("from", "to", "direction", "gene", "predicted_change")),
        joined=_table(folder / "join.tsv", "\t", ("file", "outcome", "variants", "meaning")),
        quality=_table(folder / "quality.tsv", "\t", ("rule", "threshold", "variants")),
    )


def _named_for_regression(
    metrics: dict[str, Any], baselines: dict[str, pd.DataFrame]
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return scores, also of a contrast, and predictions under the names that the same kinds of baseline have in a regression."""
    names = {"majority": "mean", "linear": "ridge", "pca_linear": "pca_ridge"}

    def renamed(named: dict[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in named.items()}

    test = dict(metrics["test"])
    test["baselines"] = renamed(section(test, "baselines"))
    if difference := section(test, "difference"):
        baseline = difference.get("baseline")
        test["difference"] = difference | {"baseline": names.get(str(baseline), baseline)}
    if within := section(test, "within"):
        strata = {name: renamed(dict(scores)) for name, scores in section(within, "strata").items()}
        test["within"] = within | {"strata": strata, "mean": renamed(section(within, "mean"))}
    contrast = {
        split: dict(scores) | {"baselines": renamed(section(scores, "baselines"))}
        for split, scores in section(metrics, "contrast").items()
    }
    return metrics | {"test": test} | ({"contrast": contrast} if contrast else {}), renamed(baselines)


def _json_object(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError("the file does not hold a JSON object", where=str(path))
    return content


def _require(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> pd.DataFrame:
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise RunError(f"the column '{absent[0]}' is missing", where=str(path), remedy="see docs/run-folder.md for the columns")
    return table


def _parquet(path: Path, columns: tuple[str, ...]) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise RunError("the file is not valid Parquet", where=str(path), remedy="copy the run folder again") from error
    return _require(table, columns, path)


_TEXT_COLUMNS = (
    *(
        "class",
        "feature_id",
        "symbol",
        "fold",
        "from",
        "to",
        "direction",
        "gene",
        "file",
        "outcome",
        "meaning",
        "rule",
        "threshold",
    ),
    *("id", "chrom", "counted_allele", "other_allele", "clump_lead", "glm_class", "above_null"),
)
"""Columns of tables that are never numbers, whatever stands in them."""


def _table(path: Path, separator: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    text = dict.fromkeys(_TEXT_COLUMNS, str)
    try:
        # "NA" and "nan" are legal names of classes and genes, so they must not turn into missing values
        table = pd.read_csv(path, sep=separator, dtype=text, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise RunError("the table cannot be read", where=str(path)) from error
    table = _require(table, columns, path)
    numeric = [name for name in table.columns if name not in {*text, "method"}]
    return table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in numeric})


def _history(folder: Path) -> pd.DataFrame | None:
    """Return the history at the top and those of the folds; with folds, the one at the top is the final model's."""
    top = _table(folder / "history.csv", ",", ("epoch",))
    paths = sorted((folder / "folds").glob("*/history.csv"), key=lambda path: (len(path.parent.name), path.parent.name))
    below = [(path.parent.name, _table(path, ",", ("epoch",))) for path in paths]
    tables = [table.assign(fold=name) for name, table in below if table is not None]
    if top is not None:
        has_folds = "fold" in top and top["fold"].nunique() > 1
        # a top table that lists several folds itself already holds what is below
        tables = [top] if has_folds else [*tables, top.assign(fold="final" if tables else "0")]
    return pd.concat(tables, ignore_index=True) if tables else None


def _baselines(folder: Path) -> dict[str, pd.DataFrame]:
    tables = {path.stem: _parquet(path, ("sample_id", "label", "predicted")) for path in sorted(folder.glob("*.parquet"))}
    return {name: table for name, table in tables.items() if table is not None}
