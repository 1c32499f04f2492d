"""Export embeddings: of samples, of genes as learned, of genes in context."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError
from genoken.interpretation.subject import Subject
from genoken.workflows.predict import (
    OUTPUT_SUFFIXES,
    TABLE_SUFFIXES,
    align_samples,
    checked_output,
    predict,
    refuse_one_of_several,
    table_of_states,
    write_samples,
    write_table,
)
from genoken.workflows.pretrained_run import Pass, PretrainedRun, sample_states
from genoken.workflows.run import Run, as_any_run, as_run
from genoken.workflows.show import Show
from genoken.workflows.source import read_new

if TYPE_CHECKING:
    from genoken.workflows.source import Input


def embed(
    run: Run | PretrainedRun | str | Path,
    data: Input | None = None,
    output: str | Path | None = None,
    *,
    genes: bool = False,
    contextual: bool = False,
    phenotypes: str | Path = "",
    min_coverage: float | None = None,
    show: Show | None = None,
) -> pd.DataFrame:
    """Export embeddings.

    Parameters
    ----------
    run
        A finished run of training or of pretraining, or its folder.
    data
        Samples; not needed for the learned table of genes.
    output
        ``.csv``, ``.tsv`` or ``.parquet`` for the table; ``.h5ad`` (samples only) for the file with the embedding in
        ``obsm["X_genoken"]`` and, of a run with a label, the predictions in ``obs``.
    genes
        Export genes in place of samples.
    contextual
        Each gene's final state, averaged over the samples that express it, in place of the learned table.
    phenotypes
        Table of phenotypes and covariates, which a model with covariates needs, joined to the samples by their ids; empty for none.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        One row per sample or gene.

    Raises
    ------
    GenokenError
        When run, file or output cannot be used.
    """
    run, show = as_any_run(run), show or Show(quiet=True)
    path = checked_output(output, TABLE_SUFFIXES if genes or contextual else OUTPUT_SUFFIXES)
    if not (genes or contextual):
        if data is None:
            raise ConfigError("no file to embed is named", remedy="name one, or use --genes for the learned table of genes")
        is_table = path is not None and path.suffix != ".h5ad"
        if isinstance(run, PretrainedRun):
            table = _states(run, data, None if is_table else path, phenotypes, min_coverage, show)
        else:
            file = None if is_table else path
            table = predict(run, data, file, phenotypes=phenotypes, min_coverage=min_coverage, show=show).states
        return _written(table, path, "samples", show) if is_table else table
    if not contextual:
        return _written(_learned(run), path, "genes", show)
    return _written(_contextual(as_run(run), data, phenotypes, min_coverage, show), path, "genes", show)


def _states(
    run: PretrainedRun, data: Input, path: Path | None, phenotypes: str | Path, min_coverage: float | None, show: Show
) -> pd.DataFrame:
    """Return the states of samples, of which nothing is hidden; write them into the samples' file where a path is given."""
    refuse_one_of_several(path, data)
    samples = read_new(run.config, data, phenotypes=phenotypes).samples
    aligned = align_samples(run.model, samples, min_coverage, show)
    states = sample_states(run.model, aligned.dataset, Pass(precision=run.config.training.precision))
    if path is not None:
        write_samples(path, data, pd.DataFrame(index=samples.table.index), states)
        show.line(f"Wrote {path}.")
    return table_of_states(states, samples.table.index)


def _written(table: pd.DataFrame, path: Path | None, noun: str, show: Show) -> pd.DataFrame:
    if path is not None:
        write_table(path, table)
        show.line(f"Wrote {len(table):,} {noun} to {path}.")
    return table


def _learned(run: Run | PretrainedRun) -> pd.DataFrame:
    vectors = run.model.network.feature_table.detach().cpu().numpy()
    if not vectors.shape[1]:
        raise ConfigError("the model learns no vector of each feature", remedy="use model.encoder.kind: transformer")
    table = pd.DataFrame(
        vectors, index=list(run.model.state.feature_ids), columns=[f"width_{index}" for index in range(vectors.shape[1])]
    )
    table.insert(0, "symbol", list(run.model.symbols))
    return table.rename_axis("feature_id")


def _contextual(run: Run, data: Input | None, phenotypes: str | Path, min_coverage: float | None, show: Show) -> pd.DataFrame:
    from genoken.interpretation.states import contextual_gene_states

    if data is None:
        raise ConfigError("contextual gene embeddings need samples", remedy="name a file")
    samples = read_new(run.config, data, phenotypes=phenotypes).samples
    dataset = align_samples(run.model, samples, min_coverage, show).dataset
    subject = Subject(run.model.network, dataset, run.config.objective, run.model.target)
    feature_ids, states, counts = contextual_gene_states(subject, np.arange(len(dataset)))
    table = pd.DataFrame(states, index=list(feature_ids), columns=[f"width_{index}" for index in range(states.shape[1])])
    table.insert(0, "symbol", list(run.model.symbols))
    table.insert(1, "samples", counts)
    return table.rename_axis("feature_id")
