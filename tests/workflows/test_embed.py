"""Embeddings of samples and genes."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.workflows.embed import embed


def test_states_of_samples_in_a_table(run, cells, tmp_path, said):
    found = embed(run, cells, tmp_path / "states.parquet", show=said)
    assert list(found) == [f"genoken_{index}" for index in range(8)]
    assert list(found.index) == list(cells.obs_names)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "states.parquet"), found)
    assert said.lines[-1] == f"Wrote 90 samples to {tmp_path / 'states.parquet'}."
    np.testing.assert_allclose(found, run.embed(cells), atol=1e-6)
    assert found.to_numpy().std(axis=0).min() > 0


def test_states_of_samples_in_a_file(run, cells, tmp_path):
    found = embed(run, cells, tmp_path / "states.h5ad")
    np.testing.assert_array_equal(anndata.read_h5ad(tmp_path / "states.h5ad").obsm["X_genoken"], found.to_numpy())


def test_the_learned_table_of_genes(run, tmp_path):
    found = embed(run, output=tmp_path / "genes.tsv", genes=True)
    written = pd.read_parquet(run.folder / "gene_embeddings.parquet").set_index("feature_id")
    pd.testing.assert_frame_equal(found, written)
    assert list(pd.read_csv(tmp_path / "genes.tsv", sep="\t", index_col="feature_id")) == list(found)


def test_genes_in_context_are_averages_over_the_samples_that_express_them(run, cells):
    found = embed(run, cells, genes=True, contextual=True)
    assert list(found)[:3] == ["symbol", "samples", "width_0"]
    expressing = np.asarray((cells.X > 0).sum(axis=0)).ravel()
    np.testing.assert_array_equal(found["samples"], expressing[[cells.var_names.get_loc(name) for name in found.index]])
    one = embed(run, cells[:1], genes=True, contextual=True)
    other = embed(run, cells[1:2], genes=True, contextual=True)
    both = embed(run, cells[:2], genes=True, contextual=True)
    gene = one.index[(one["samples"] == 1) & (other["samples"] == 1)][0]
    widths = [f"width_{index}" for index in range(8)]
    np.testing.assert_allclose(
        both.loc[gene, widths].astype(float), ((one.loc[gene, widths] + other.loc[gene, widths]) / 2).astype(float), atol=1e-5
    )
    learned = embed(run, genes=True)
    assert np.abs(found[widths].to_numpy() - learned[widths].to_numpy()).max() > 0.01


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "no file to embed is named — name one, or use --genes"),
        ({"genes": True, "contextual": True}, "contextual gene embeddings need samples — name a file"),
        (
            {"genes": True, "output": "genes.h5ad"},
            r"'\.h5ad' says no format that this can be written in — use \.csv, \.tsv, \.parquet",
        ),
    ],
)
def test_what_is_missing_is_said(named, message, run):
    with pytest.raises(ConfigError, match=message):
        embed(run, **named)


def test_coverage_is_required_of_context_too(run, cells):
    with pytest.raises(DataError, match="too few genes in common"):
        embed(run, cells[:, :5], genes=True, contextual=True)
    assert embed(run, cells[:, :5], genes=True, contextual=True, min_coverage=0.1)["samples"].gt(0).sum() == 5
