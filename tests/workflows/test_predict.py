"""Predictions for other files, in every format, whatever their genes and matrices look like."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.workflows.predict import predict

PROBABILITIES = [f"probability_type_{code}" for code in range(3)]


@pytest.fixture(scope="module")
def expected(run, cells):
    return predict(run, cells)


def assert_equal(found, expected):
    assert list(found.table.index) == list(expected.table.index)
    assert (found.table["predicted"] == expected.table["predicted"]).all()
    np.testing.assert_allclose(found.table[PROBABILITIES], expected.table[PROBABILITIES], atol=1e-6)
    np.testing.assert_allclose(found.states, expected.states, atol=1e-5)


def test_table_and_states(expected, cells):
    assert list(expected.table) == ["predicted", *PROBABILITIES]
    assert list(expected.table.index) == list(cells.obs_names)
    largest = expected.table[PROBABILITIES].to_numpy().argmax(axis=1)
    assert (expected.table["predicted"] == [f"type_{code}" for code in largest]).all()
    assert expected.states.shape == (90, 8)
    assert expected.samples_per_second > 0
    assert expected.coverage == "40 of 40 genes found (100.0%), matched by index"


@pytest.mark.parametrize("given", ["file", "folder of the run"])
def test_from_a_file_and_a_folder(given, run, cells, cells_file, expected):
    assert_equal(predict(run if given == "file" else str(run.folder), cells_file if given == "file" else cells), expected)


def test_h5ad_output_is_the_file_with_more_in_it(run, cells, cells_file, expected, tmp_path, said):
    predict(run, cells_file, tmp_path / "out.h5ad", show=said)
    found = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert (found.X != cells.X).nnz == 0
    assert list(found.obs) == [*cells.obs, "genoken_predicted", *(f"genoken_{name}" for name in PROBABILITIES)]
    assert (found.obs["genoken_predicted"].astype(str) == expected.table["predicted"]).all()
    np.testing.assert_allclose(found.obs["genoken_probability_type_1"], expected.table["probability_type_1"], atol=1e-6)
    np.testing.assert_allclose(found.obsm["X_genoken"], expected.states, atol=1e-5)
    assert said.lines[-2] == f"Wrote {tmp_path / 'out.h5ad'}."
    assert said.lines[-1].startswith("90 samples at ")
    assert said.lines[-1].endswith(" samples/s.")


def test_an_object_in_memory_is_not_changed(run, cells, tmp_path):
    before = list(cells.obs)
    predict(run, cells, tmp_path / "out.h5ad", embed=False)
    assert (list(cells.obs), list(cells.obsm)) == (before, [])
    assert "X_genoken" not in anndata.read_h5ad(tmp_path / "out.h5ad").obsm


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("out.csv", lambda path: pd.read_csv(path, index_col="sample_id")),
        ("out.tsv", lambda path: pd.read_csv(path, sep="\t", index_col="sample_id")),
        ("out.parquet", pd.read_parquet),
    ],
)
def test_tables(name, read, run, cells, expected, tmp_path):
    predict(run, cells, tmp_path / "new" / name)
    found = read(tmp_path / "new" / name)
    assert found.index.name == "sample_id"
    pd.testing.assert_frame_equal(found, expected.table, rtol=1e-5, check_dtype=False)


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.h5"])
def test_another_format_is_refused_before_anything_is_done(name, run, tmp_path):
    with pytest.raises(ConfigError, match=r"says no format that this can be written in — use \.h5ad, \.csv, \.tsv, \.parquet"):
        predict(run, tmp_path / "absent.h5ad", tmp_path / name)


def test_names_of_classes_that_HDF5_would_divide(cells, tiny, tmp_path):
    adata = cells.copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].replace({"type_0": "CD4+/CD25 T", "type_1": "CD4+_CD25 T"})
    run = tiny(adata, tmp_path / "run")
    predict(run, adata, tmp_path / "out.h5ad")
    found = anndata.read_h5ad(tmp_path / "out.h5ad").obs
    assert [name for name in found if name.startswith("genoken_probability")] == [
        "genoken_probability_CD4+_CD25 T",
        "genoken_probability_CD4+_CD25 T_2",
        "genoken_probability_type_2",
    ]
    assert set(found["genoken_predicted"]) <= {"CD4+/CD25 T", "CD4+_CD25 T", "type_2"}


# --- genes ---


def test_genes_are_found_by_id_in_any_order(run, cells, expected):
    order = np.random.default_rng(5).permutation(cells.n_vars)
    assert_equal(predict(run, cells[:, order].copy()), expected)


def test_genes_that_the_model_does_not_know_count_for_the_total_alone(run, cells):
    adata = cells.copy()
    adata.var_names = [*adata.var_names[:39], "ELSE"]
    zero = cells.copy()
    zero.X = zero.X.toarray()
    found = predict(run, adata)
    assert found.coverage == "39 of 40 genes found (97.5%), matched by index; missing: GENE0040"
    scaled = zero.X / zero.X.sum(axis=1, keepdims=True) * 1e4
    scaled[:, 39] = 0
    zero.X = sp.csr_matrix(np.log1p(scaled))
    assert_equal(found, predict(run, zero))


@pytest.mark.parametrize("column", ["gene_symbol", "ensembl_id"])
def test_genes_are_found_by_a_column(column, run, cells, expected):
    adata = cells.copy()
    adata.var[column] = adata.var_names
    adata.var_names = [f"X{number}" for number in range(40)]
    assert_equal(predict(run, adata), expected)


def test_too_few_genes_are_refused_unless_fewer_are_asked_for(run, cells, tmp_path):
    few = cells[:, :12].copy()
    with pytest.raises(DataError, match=r"^AnnData:X: too few genes in common: 12 of 40 genes found \(30\.0%\).*50% are needed"):
        predict(run, few, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []
    assert predict(run, few, min_coverage=0.3).table.notna().all().all()


def test_no_gene_in_common_is_refused_whatever_is_asked_for(run, cells):
    adata = cells.copy()
    adata.var_names = [f"ENSG{number:011d}" for number in range(40)]
    with pytest.raises(DataError, match=r"no gene in common with the model: it knows .*GENE0001.*the file has human Ensembl ids"):
        predict(run, adata, min_coverage=0.0)


# --- matrices ---


@pytest.mark.parametrize("form", [sp.csc_matrix, sp.coo_matrix, np.asarray, sp.csr_array], ids=["csc", "coo", "dense", "array"])
def test_the_form_of_the_matrix_does_not_matter(form, run, cells, expected):
    values = cells.X.toarray() if form is np.asarray else form(cells.X)
    if form is sp.coo_matrix:
        values = values.tocsc()
    assert_equal(predict(run, anndata.AnnData(values, obs=cells.obs, var=cells.var)), expected)


def test_log_values_of_the_same_cells_give_the_same(run, cells, expected):
    dense = cells.X.toarray()
    logged = np.log1p(dense / dense.sum(axis=1, keepdims=True) * 1e4)
    assert_equal(predict(run, anndata.AnnData(logged, obs=cells.obs, var=cells.var)), expected)


def logged(cells, total):
    dense = cells.X.toarray()
    return anndata.AnnData(np.log1p(dense / dense.sum(axis=1, keepdims=True) * total), obs=cells.obs, var=cells.var)


def test_log_values_of_another_total_are_rescaled_and_that_is_said(run, cells, expected, said):
    found = predict(run, logged(cells, 1e6), show=said)
    assert_equal(found, expected)
    note = (
        "the log values sum to about 1,000,000 per sample before the logarithm, those that the model was trained on to about "
        "10,000; they were rescaled to that"
    )
    assert f"warning: {note}" in said.lines
    assert found.notes == (note,)


def test_log_values_of_a_panel_whose_scale_cannot_be_told_have_a_warning(run, cells, said):
    found = predict(run, logged(cells, 1e6)[:, :30].copy(), show=said)
    assert len(found.notes) == 1
    assert "they were not rescaled, because not all these sums are alike" in found.notes[0]
    assert f"warning: {found.notes[0]}" in said.lines
    assert predict(run, logged(cells, 1e4)[:, :30].copy()).notes == ()


def test_counts_are_found_behind_scaled_values(run, cells, expected):
    adata = anndata.AnnData(np.random.default_rng(0).normal(size=(90, 40)).astype(np.float32), obs=cells.obs, var=cells.var)
    adata.layers["counts"] = cells.X
    assert_equal(predict(run, adata), expected)


def test_batches_do_not_matter(run, cells, expected):
    assert_equal(predict(run, cells, batch_size=7), expected)


def test_a_cell_without_any_count_is_predicted_too(run, cells, expected):
    adata = cells[:6].copy()
    adata.X = adata.X.toarray()
    adata.X[2] = 0
    found = predict(run, adata).table
    assert np.isfinite(found[PROBABILITIES].to_numpy()).all()
    np.testing.assert_allclose(
        found.drop(index=adata.obs_names[2])[PROBABILITIES], expected.table.iloc[[0, 1, 3, 4, 5]][PROBABILITIES], atol=1e-6
    )


def test_a_full_disk_leaves_nothing(run, cells, tmp_path, monkeypatch):
    import errno

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("out.h5ad", "out.csv", "out.parquet"):
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(RunError, match=rf"{name}: cannot write the file \(No space left on device\) — free disk space"):
                predict(run, cells, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
