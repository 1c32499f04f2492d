"""Predict and embed new samples with a finished run: labels, or phenotypes with a pretraining run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError
from genoken.core.feature_words import noun_of_samples
from genoken.core.files import atomic_path
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.training.fit import predict as predict_dataset
from genoken.vocabulary.align import align
from genoken.workflows.files import load_file
from genoken.workflows.pretrained import PretrainedModel
from genoken.workflows.pretrained_run import Pass, PretrainedRun, filled_in, sample_states
from genoken.workflows.results import prediction_table
from genoken.workflows.run import Run, as_any_run
from genoken.workflows.show import Show
from genoken.workflows.source import read_new
from genoken.workflows.store import FittedModel

if TYPE_CHECKING:
    from anndata import AnnData

    from genoken.workflows.source import Input

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
OUTPUT_SUFFIXES = (".h5ad", *TABLE_SUFFIXES)
EMBEDDING_KEY = "X_genoken"
"""Key of ``obsm`` that receives the states."""
OBS_PREFIX = "genoken_"
"""Put in front of the columns that are added to ``obs``; a slash in a class's name becomes an underscore there."""


@dataclass(frozen=True)
class Prediction:
    """Predictions for some samples.

    Parameters
    ----------
    table
        Indexed by sample id: ``predicted`` and ``probability_<class>``, or what
        :func:`genoken.workflows.pretrained_run.filled_in` returns.
    states
        Indexed by sample id: the model's states.
    samples_per_second
        Speed of the network, reading left out.
    coverage
        One line that says how many of the model's genes the file holds.
    notes
        What else should be known of its values, as sentences.
    """

    table: pd.DataFrame
    states: pd.DataFrame
    samples_per_second: float
    coverage: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Aligned:
    """Samples of any file as a model takes them.

    Parameters
    ----------
    dataset
        Prepared by the model's tokenizer.
    columns
        Column of each feature of the vocabulary in the file, -1 where it is missing.
    coverage
        One line that says how many of the model's genes the file holds.
    notes
        What else should be known of its values, as sentences.
    """

    dataset: TokenDataset
    columns: np.ndarray
    coverage: str
    notes: tuple[str, ...]


def predict(  # noqa: PLR0913 - one parameter for each thing that a user can say
    run: Run | PretrainedRun | str | Path,
    data: Input,
    output: str | Path | None = None,
    *,
    batch_size: int = 0,
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto",
    compile: bool = False,  # noqa: A002 - the option's public name
    embed: bool = True,
    phenotypes: str | Path = "",
    min_coverage: float | None = None,
    show: Show | None = None,
) -> Prediction:
    """Predict the label of each sample of a file, or fill in its phenotypes.

    Parameters
    ----------
    run
        A finished run or its folder; one of pretraining fills in the phenotypes that it knows where they are missing.
    data
        Path of a file or folder (h5ad, zarr, GCTX, GCT, 10x, PLINK, VCF), or an AnnData object, or several, which are joined; genes
        and variants are found by id.
    output
        ``.h5ad``: the file with predictions in ``obs`` and states in ``obsm["X_genoken"]``; ``.csv``, ``.tsv``, ``.parquet``: a
        table of the predictions.
    batch_size
        Samples per batch; 0: as in training's validation.
    precision
        Number format; ``auto``: that of the run.
    compile
        Compile the encoder's layers first, which pays for large files.
    embed
        Whether an ``.h5ad`` output receives the states.
    phenotypes
        Table of phenotypes and covariates, which a model with covariates needs, joined to the samples by their ids; empty for none.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where progress goes; by default nowhere.

    Raises
    ------
    GenokenError
        When run, file or output cannot be used.
    """
    run, show = as_any_run(run), show or Show(quiet=True)
    path = checked_output(output, OUTPUT_SUFFIXES)
    if isinstance(run, PretrainedRun):
        run.require_phenotypes()
    refuse_one_of_several(path, data)
    samples = read_new(run.config, data, phenotypes=phenotypes).samples
    aligned = align_samples(run.model, samples, min_coverage, show)
    training = run.config.training
    size = batch_size or training.samples_per_pass
    how = Pass(size, training.precision if precision == "auto" else precision, compile)
    began = time.perf_counter()
    if isinstance(run, PretrainedRun):
        table, states = _phenotypes(run, samples.table, aligned.dataset, how, embed=embed)
    else:
        table, states = _labels(run, samples.table, aligned.dataset, how, show)
    speed = samples.num_samples / max(time.perf_counter() - began, 1e-9)
    states_table = table_of_states(states, samples.table.index)
    if path is not None:
        write_samples(path, data, table, states if embed else None)
        show.line(f"Wrote {path}.")
    show.line(f"{samples.num_samples:,} samples at {speed:,.0f} samples/s.")
    return Prediction(table, states_table, speed, aligned.coverage, aligned.notes)


def _labels(run: Run, table: pd.DataFrame, dataset: TokenDataset, how: Pass, show: Show) -> tuple[pd.DataFrame, np.ndarray]:
    with show.bar("Predicting", total=len(dataset)) as bar:
        predicted, states = predict_dataset(
            run.model.network,
            dataset,
            run.config.objective,
            run.model.target,
            batch_size=how.batch_size,
            precision=how.precision,
            attention=run.config.training.attention,
            compile=how.compile,
            on_batch=lambda row: bar.to(row["samples"]),
        )
    classes, threshold = run.model.target.classes, run.config.evaluation.threshold
    return prediction_table(table.index, predicted, classes, threshold, {}).set_index("sample_id"), states


def _phenotypes(
    run: PretrainedRun, table: pd.DataFrame, dataset: TokenDataset, how: Pass, *, embed: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    found = filled_in(run.model, dataset, table, how).rename_axis("sample_id")
    return found, sample_states(run.model, dataset, how) if embed else np.zeros((len(dataset), 0), dtype=np.float32)


def table_of_states(states: np.ndarray, ids: pd.Index) -> pd.DataFrame:
    """Return states (samples, width) indexed by sample id, with columns ``genoken_0`` and so on."""
    return pd.DataFrame(states, index=ids, columns=[f"genoken_{index}" for index in range(states.shape[1])])


def align_samples(model: FittedModel | PretrainedModel, samples: Samples, min_coverage: float | None, show: Show) -> Aligned:
    """Find the model's genes in samples and let its tokenizer prepare them; say how many were found, and warn of other scales.

    Parameters
    ----------
    model
        The model.
    samples
        Samples with any set of genes.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that they must hold; by default the run's ``data.min_coverage``.
    show
        Where this is said.

    Raises
    ------
    DataError
        When too few of the model's genes are there.
    """
    sought, symbols = model.state.sought(model.symbols)
    found = align(
        sought,
        samples.features,
        minimum_coverage=model.config.data.min_coverage if min_coverage is None else min_coverage,
        where=samples.origin,
        symbols=symbols,
        noun=noun_of_samples(samples),
    )
    for note in (*samples.notes, f"{samples.origin}: {found.line}"):
        show.line(f"{note}.")
    notes = model.tokenizer.notes(samples, model.state)
    for note in notes:
        show.warning(note)
    return Aligned(model.dataset(samples, found.columns), found.columns, found.line, notes)


def checked_output(output: str | Path | None, suffixes: Sequence[str]) -> Path | None:
    """Return the path to write to, if there is one, before any work is done for it.

    Raises
    ------
    ConfigError
        When its name has none of the suffixes.
    """
    if output is None:
        return None
    path = Path(output)
    if path.suffix not in suffixes:
        ending = f"'{path.suffix}'" if path.suffix else "a name without an ending"
        raise ConfigError(
            f"{ending} says no format that this can be written in", where=str(path), remedy=f"use {', '.join(suffixes)}"
        )
    return path


def refuse_one_of_several(path: Path | None, data: Input) -> None:
    """Refuse to write predictions into the samples' file where several of these are given.

    Raises
    ------
    ConfigError
        With the endings of tables.
    """
    if path is not None and path.suffix == ".h5ad" and isinstance(data, (list, tuple)):
        raise ConfigError(
            "samples of a list of files are not written into one", where=str(path), remedy=f"use {', '.join(TABLE_SUFFIXES)}"
        )


def write_samples(path: Path, data: Input, table: pd.DataFrame, states: np.ndarray | None) -> None:
    """Write a table of samples, or for ``.h5ad`` their file with the table's columns in ``obs`` and the states in ``obsm``."""
    if path.suffix != ".h5ad":
        write_table(path, table)
        return
    assert not isinstance(data, (list, tuple))  # noqa: S101 - see refuse_one_of_several
    adata = load_file(Path(data)) if isinstance(data, (str, Path)) else cast("AnnData", data).copy()
    for column, name in zip(table, _obs_names(list(table)), strict=True):
        values = table[column].to_numpy()
        adata.obs[name] = pd.Categorical(values) if values.dtype == object else values
    if states is not None:
        adata.obsm[EMBEDDING_KEY] = states
    with atomic_path(path) as temporary:
        adata.write_h5ad(temporary)


def _obs_names(columns: Sequence[str]) -> list[str]:
    """Return names for ``obs``, without the slashes that divide groups in HDF5, and each once."""
    names: list[str] = []
    for column in columns:
        plain = name = OBS_PREFIX + column.replace("/", "_")
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table with its index in the format that the suffix names, atomically."""
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary)
        else:
            table.to_csv(temporary, sep="\t" if path.suffix == ".tsv" else ",")
