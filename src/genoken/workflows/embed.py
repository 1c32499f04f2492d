"""Export embeddings: of samples, of genes as learned, of genes in context."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from genoken.core.errors import ConfigError
from genoken.interpretation.subject import Subject
from genoken.workflows.inputs import read_source
from genoken.workflows.predict import aligned_dataset, predict, write_table
from genoken.workflows.run import Run, as_run
from genoken.workflows.show import Show

if TYPE_CHECKING:
    from anndata import AnnData


def embed(
    run: Run | str | Path,
    data: str | Path | AnnData | None = None,
    output: str | Path | None = None,
    *,
    genes: bool = False,
    contextual: bool = False,
    show: Show | None = None,
) -> pd.DataFrame:
    """Export embeddings.

    Parameters
    ----------
    run
        A finished run or its folder.
    data
        Samples; not needed for the learned table of genes.
    output
        ``.h5ad`` (samples only), ``.csv``, ``.tsv`` or ``.parquet``.
    genes
        Export genes in place of samples.
    contextual
        With ``genes``: each gene's final state, averaged over the samples that express it, in place of the learned table.
    show
        Where progress goes; by default nowhere.

    Returns
    -------
    pandas.DataFrame
        One row per sample or gene.
    """
    run, show = as_run(run), show or Show(quiet=True)
    if not genes:
        if data is None:
            raise ConfigError("no file to embed is named", remedy="name one, or use --genes for the learned table of genes")
        return predict(run, data, output, show=show).states
    table = _contextual(run, data) if contextual else _learned(run)
    if output is not None:
        path = Path(output)
        if path.suffix not in (".csv", ".tsv", ".parquet"):
            raise ConfigError(
                f"gene embeddings cannot be written as '{path.suffix}'", where=str(path), remedy="use .parquet, .tsv or .csv"
            )
        write_table(path, table)
        show.line(f"Wrote {len(table):,} genes to {path}.")
    return table


def _learned(run: Run) -> pd.DataFrame:
    vectors = run.model.network.feature_table.detach().cpu().numpy()
    table = pd.DataFrame(
        vectors, index=list(run.model.state.feature_ids), columns=[f"width_{index}" for index in range(vectors.shape[1])]
    )
    table.insert(0, "symbol", list(run.model.symbols))
    return table.rename_axis("feature_id")


def _contextual(run: Run, data: str | Path | AnnData | None) -> pd.DataFrame:
    from genoken.interpretation.states import contextual_gene_states

    if data is None:
        raise ConfigError("contextual gene embeddings need samples", remedy="name a file")
    dataset, _ = aligned_dataset(run.model, read_source(data, run.config.data.source).samples)
    subject = Subject(run.model.network, dataset, run.config.objective, run.model.target)
    import numpy as np

    feature_ids, states, counts = contextual_gene_states(subject, np.arange(len(dataset)))
    table = pd.DataFrame(states, index=list(feature_ids), columns=[f"width_{index}" for index in range(states.shape[1])])
    table.insert(0, "symbol", list(run.model.symbols))
    table.insert(1, "samples", counts)
    return table.rename_axis("feature_id")
