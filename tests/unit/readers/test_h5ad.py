"""AnnData files and objects: which values are taken, and what is refused with which line."""

from __future__ import annotations

import gzip

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.readers._anndata import inspect_anndata, list_matrices, samples_from_anndata
from genoken.readers.h5ad import H5adReader

RNG = generator(0, "h5ad")
COUNTS = (
    RNG.poisson(3.0 * RNG.uniform(0.3, 3.0, size=(30, 1)) * RNG.gamma(0.7, 2.0, size=(1, 20)), size=(30, 20)).astype(np.float32) + 1
)
NORMALIZED = COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4
LOGS = np.log1p(NORMALIZED)
SCALED = (LOGS - LOGS.mean(axis=0)) / LOGS.std(axis=0)


def cells(values, **layers):
    return anndata.AnnData(
        values,
        obs=pd.DataFrame({"cell_type": ["A", "B"] * 15}, index=[f"cell{row}" for row in range(30)]),
        var=pd.DataFrame({"n": range(20)}, index=[f"GENE{column}A" for column in range(20)]),
        layers=layers,
    )


def with_raw(values, raw, **layers):
    adata = cells(raw)
    wider = anndata.concat([adata, cells(raw)[:, :2].copy()], axis=1, index_unique=None)
    wider.var_names = [*adata.var_names, "EXTRA1", "EXTRA2"]
    wider.obs = adata.obs
    adata = cells(values, **layers)
    adata.raw = wider
    return adata


@pytest.mark.parametrize(
    ("adata", "matrix", "kind"),
    [
        (cells(COUNTS, counts=NORMALIZED), "X", "counts"),
        (cells(LOGS, counts=COUNTS), "layers/counts", "counts"),
        (cells(LOGS, Raw_Counts=COUNTS), "layers/Raw_Counts", "counts"),
        (cells(LOGS, counts=LOGS), "X", "log"),
        (cells(LOGS, spliced=COUNTS), "X", "log"),
        (with_raw(LOGS, COUNTS), "X", "log"),
        (cells(NORMALIZED), "X", "normalized"),
        (with_raw(SCALED, LOGS), "raw", "log"),
        (with_raw(SCALED, COUNTS), "raw", "counts"),
        (with_raw(SCALED, NORMALIZED), "raw", "normalized"),
        (with_raw(SCALED, LOGS, counts=COUNTS), "layers/counts", "counts"),
        (with_raw(np.zeros_like(COUNTS), COUNTS), "raw", "counts"),
        (cells(None, counts=COUNTS), "layers/counts", "counts"),
    ],
)
def test_auto_takes_the_best_values(adata, matrix, kind):
    samples = samples_from_anndata(adata, origin="cells.h5ad")
    assert samples.origin == f"cells.h5ad:{matrix}"
    assert samples.value_kind == kind
    assert [info.name for info in list_matrices(adata) if info.used] == [matrix]
    expected = {"counts": COUNTS, "log": LOGS, "normalized": NORMALIZED}[kind]
    np.testing.assert_allclose(samples.values.toarray()[:, :20], expected, rtol=1e-6)
    assert list(samples.features.index[:20]) == [f"GENE{column}A" for column in range(20)]
    assert samples.num_features == (22 if matrix == "raw" else 20)
    assert list(samples.table["cell_type"]) == ["A", "B"] * 15


@pytest.mark.parametrize(("source", "values"), [("X", SCALED), ("raw", LOGS), ("layers/other", COUNTS)])
def test_a_named_source_is_taken_as_it_is(source, values):
    samples = samples_from_anndata(with_raw(SCALED, LOGS, other=COUNTS), source)
    np.testing.assert_allclose(samples.values.toarray()[:, :20], values, rtol=1e-5)
    assert samples.origin == f"AnnData:{source}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("layers/cuonts", "no layer 'cuonts' — did you mean 'layers/counts'"),
        ("counts", "no matrix 'counts' — did you mean 'layers/counts'"),
        ("raw", "no matrix 'raw' — there are: X, layers/counts"),
    ],
)
def test_a_source_that_does_not_exist_names_the_nearest(source, message):
    with pytest.raises(DataError, match=message):
        samples_from_anndata(cells(LOGS, counts=COUNTS), source)


def test_scaled_values_without_raw_say_what_was_found_and_what_to_do():
    with pytest.raises(DataError) as caught:
        samples_from_anndata(cells(SCALED), origin="cells.h5ad")
    text = str(caught.value)
    for part in (
        "cells.h5ad: no counts",
        "X is scaled (negative values",
        "there is no raw",
        "adata.layers['counts']",
    ):
        assert part in text
    assert "data.source" not in text  # no part of genoken takes scaled values
    with pytest.raises(DataError, match=r"--set data.source=layers/spliced"):
        samples_from_anndata(cells(SCALED, spliced=COUNTS))
    with pytest.raises(DataError, match="raw is scaled"):
        samples_from_anndata(with_raw(SCALED, SCALED))


def test_problems_are_collected_for_the_check():
    values = SCALED.copy()
    values[1, 2] = np.nan
    adata = cells(values)
    adata.var_names = ["A", "A", *adata.var_names[2:]]
    inspection = inspect_anndata(adata)
    assert [problem.message.split(":")[0][:24] for problem in inspection.problems] == [
        "1 value is missing or in",
        "no counts, normalized or",
        "1 gene name occurs more ",
    ]
    assert inspection.samples.values.toarray()[1, 2] == 0
    assert np.isnan(adata.X[1, 2])


def test_names_that_occur_twice_are_refused_with_examples():
    adata = cells(COUNTS)
    adata.var_names = ["TP53", "TP53", "EGFR", "EGFR", *adata.var_names[4:]]
    with pytest.raises(DataError, match=r"2 gene names occur more than once \(TP53, EGFR\).*var_names_make_unique"):
        samples_from_anndata(adata)
    adata = cells(COUNTS)
    adata.obs_names = ["c", "c", *adata.obs_names[2:]]
    with pytest.raises(DataError, match=r"1 sample name occurs more than once \(c\).*obs_names_make_unique"):
        samples_from_anndata(adata)


def test_values_that_are_not_finite_and_empty_objects_are_refused():
    values = COUNTS.copy()
    values[4, 5] = np.inf
    with pytest.raises(DataError, match=r"cells.h5ad:X: 1 value is missing or infinite, the first at sample 4, feature 5"):
        samples_from_anndata(cells(values), origin="cells.h5ad")
    with pytest.raises(DataError, match="no samples"):
        samples_from_anndata(cells(COUNTS)[:0])
    with pytest.raises(DataError, match="holds no matrix"):
        samples_from_anndata(anndata.AnnData(obs=pd.DataFrame(index=["a"]), var=pd.DataFrame(index=["b"])))
    with pytest.raises(DataError, match="no features"):
        samples_from_anndata(cells(COUNTS)[:, :0], "X")


def test_negative_values_outside_the_rows_that_were_looked_at_are_refused():
    values = np.tile(COUNTS, (100, 1))
    values[1001, 3] = -1
    adata = anndata.AnnData(values)
    assert list_matrices(adata)[0].state.kind == "counts"
    with pytest.raises(DataError, match="AnnData:X: 1 value is negative, though most of the matrix looks like counts"):
        samples_from_anndata(adata)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_files_are_read_in_every_form(tmp_path, make):
    path = tmp_path / "cells.h5ad"
    cells(make(COUNTS)).write_h5ad(path)
    samples = H5adReader().read(path)
    np.testing.assert_array_equal(samples.values.toarray(), COUNTS)
    assert samples.origin == "cells.h5ad:X"
    assert samples.values.dtype == np.float32
    backed = anndata.read_h5ad(path, backed="r")
    np.testing.assert_array_equal(samples_from_anndata(backed).values.toarray(), COUNTS)
    backed.file.close()


def test_a_view_is_read_and_nothing_is_changed():
    adata = cells(sp.csr_matrix(COUNTS))
    before = adata.copy()
    samples = samples_from_anndata(adata[5:9, ::2])
    np.testing.assert_array_equal(samples.values.toarray(), COUNTS[5:9, ::2])
    np.testing.assert_array_equal(adata.X.toarray(), before.X.toarray())
    pd.testing.assert_frame_equal(adata.obs, before.obs)


def test_the_source_is_a_setting(tmp_path):
    path = tmp_path / "cells.h5ad"
    with_raw(SCALED, LOGS).write_h5ad(path)
    assert H5adReader().read(path).origin == "cells.h5ad:raw"
    assert H5adReader(source="X").read(path).value_kind == "scaled"
    assert H5adReader.suffixes == (".h5ad",)


def pointer(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def truncated(path):
    cells(COUNTS).write_h5ad(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path):
    cells(RNG.normal(size=(30, 20)).astype(np.float32)).write_h5ad(path, compression="gzip")
    with h5py.File(path) as file:
        chunk = file["X"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(bytes(content))


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["results"] = np.arange(3)


def tenx(path):
    with h5py.File(path, "w") as file:
        file.create_group("matrix")


def future(path):
    cells(COUNTS).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["obs"].attrs["encoding-version"] = "99.0.0"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "the file does not exist"),
        (lambda path: path.mkdir(), "this is a folder"),
        (lambda path: path.touch(), r"the file is empty \(0 bytes\)"),
        (pointer, "git-LFS pointer, not the data — fetch the data with: git lfs pull"),
        (lambda path: path.write_bytes(gzip.compress(b"cells")), "compressed with gzip"),
        (lambda path: path.write_text("cell,gene\n1,2\n"), "not an HDF5 file"),
        (truncated, "damaged: it starts as HDF5"),
        (overwritten, "this AnnData file cannot be read, it is damaged"),
        (other_hdf5, "not an AnnData file: it holds results"),
        (tenx, "file of 10x"),
        (future, "written by a newer anndata"),
    ],
)
def test_files_that_cannot_be_read_end_in_one_clear_line(tmp_path, make, message):
    path = tmp_path / "cells.h5ad"
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        H5adReader().read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_mistyped_file_name_finds_its_neighbor(tmp_path):
    cells(COUNTS).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match=r"did you mean 'cells.h5ad'"):
        H5adReader().read(tmp_path / "cell.h5ad")
    with pytest.raises(DataError, match="check the path"):
        H5adReader().read(tmp_path / "nowhere" / "cells.h5ad")


def test_the_cells_that_come_with_scanpy_are_read_from_raw():
    import scanpy

    adata = scanpy.datasets.pbmc68k_reduced()
    samples = samples_from_anndata(adata)
    assert samples.origin == "AnnData:raw"
    assert samples.value_kind == "log"
    assert samples.values.shape == (700, 765)
    np.testing.assert_array_equal(samples.values.toarray(), adata.raw.X.toarray())
    assert {info.name: info.state.kind for info in list_matrices(adata)} == {"X": "scaled", "raw": "log"}


def test_what_is_no_anndata_object_is_refused():
    with pytest.raises(DataError, match="int is no AnnData object"):
        inspect_anndata(5)


@pytest.mark.parametrize(("values", "kind"), [(LOGS, "real"), (SCALED, "real"), (COUNTS, "counts"), (NORMALIZED, "normalized")])
def test_dense_values_of_a_panel_are_real_unless_they_are_counts_or_normalized(values, kind):
    found = inspect_anndata(cells(values), panel=True)
    assert (found.samples.value_kind, found.problems) == (kind, ())
    np.testing.assert_allclose(found.usable().values.toarray(), values, rtol=1e-6)


def test_a_damaged_matrix_is_named_with_its_file():
    damaged = sp.csr_matrix(COUNTS)
    adata = cells(damaged)
    adata.X.indices[3] = 99
    with pytest.raises(DataError, match=r"^cells\.h5ad:X: the sparse matrix is damaged"):
        samples_from_anndata(adata, origin="cells.h5ad")
