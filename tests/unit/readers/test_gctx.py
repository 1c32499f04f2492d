"""GCTX files: values, ids and annotations typed by hand; missing values; what is refused with which line."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.readers.gctx import GctxReader

SAMPLES = [b"plate1:A01", b"plate1:A02", b"plate1:A03"]
GENES = [b"16", b"23"]
VALUES = np.array([[8.5, 10.25], [9.0, 2.5], [-1.5, 4.0]], dtype=np.float32)


def write(path, matrix=VALUES, samples=SAMPLES, genes=GENES, **columns):
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = matrix
        for place, ids in (("ROW", genes), ("COL", samples)):
            file.create_group(f"0/META/{place}")
            if ids is not None:
                file[f"0/META/{place}/id"] = ids
        file["0/META/ROW/pr_gene_symbol"] = [b"AARS", b"ABCF1"]
        for name, values in columns.items():
            file[f"0/META/COL/{name}"] = values
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "panel.gctx"


@pytest.mark.parametrize(
    "matrix", [VALUES, VALUES.T, VALUES.astype(np.float64)], ids=["samples first", "features first", "float64"]
)
def test_a_file_is_read_whichever_way_round(path, matrix):
    found = GctxReader().read(write(path, matrix, cell_id=[b"A375", b"PC3", b"A375"], dose=[1.5, 2.0, 3.0]))
    np.testing.assert_array_equal(found.values.toarray(), VALUES)
    assert found.values.dtype == np.float32
    assert list(found.table.index) == ["plate1:A01", "plate1:A02", "plate1:A03"]
    assert list(found.features.index) == ["16", "23"]
    assert list(found.features["pr_gene_symbol"]) == ["AARS", "ABCF1"]
    assert found.table["cell_id"].tolist() == ["A375", "PC3", "A375"]
    assert found.table["dose"].tolist() == [1.5, 2.0, 3.0]
    assert (found.value_kind, found.origin, found.notes) == ("real", "panel.gctx:X", ())


def test_a_square_matrix_lists_samples_first(path):
    matrix = np.array([[1.5, 2.5], [3.5, 4.5]], dtype=np.float32)
    found = GctxReader().read(write(path, matrix, samples=SAMPLES[:2]))
    np.testing.assert_array_equal(found.values.toarray(), matrix)


def test_text_is_utf8_or_else_latin1_and_666_is_missing(path):
    columns = {
        "latin": np.array(["10 µM", "1 µM", "-666"], dtype=object),
        "number": [1.0, -666.0, 3.0],
        "whole": [1, 2, -666],
        "same": [4, 5, 6],
    }
    columns["latin"] = [text.encode("latin-1") for text in columns["latin"]]
    found = GctxReader().read(write(path, utf8=["µM", "é", "-666"], **columns)).table
    assert found["latin"].tolist()[:2] == ["10 µM", "1 µM"]
    assert found["utf8"].tolist()[:2] == ["µM", "é"]
    assert found["latin"].isna().tolist() == found["utf8"].isna().tolist() == [False, False, True]
    assert found["number"].isna().tolist() == [False, True, False]
    assert found["whole"].isna().tolist() == [False, False, True]
    assert found["same"].tolist() == [4, 5, 6]
    assert found["same"].dtype.kind == "i"


def test_samples_with_missing_values_are_left_out_with_a_count(path):
    matrix = VALUES.copy()
    matrix[0, 1] = np.nan
    matrix[2, 0] = -666
    found = GctxReader().read(write(path, matrix, cell_id=[b"a", b"b", b"c"]))
    np.testing.assert_array_equal(found.values.toarray(), VALUES[[1]])
    assert found.table["cell_id"].tolist() == ["b"]
    assert found.notes == ("2 samples have missing values and are left out",)
    with pytest.raises(
        DataError, match=r"panel.gctx: 2 samples have missing values; most often in feature 16 — .*without --strict"
    ):
        GctxReader(strict=True).read(path)


def test_one_missing_sample_is_said_in_the_singular(path):
    matrix = VALUES.copy()
    matrix[1] = np.inf
    assert GctxReader().read(write(path, matrix)).notes == ("1 sample has missing values and is left out",)


def test_nothing_left_is_refused_with_the_feature_that_is_missing_most(path):
    matrix = VALUES.copy()
    matrix[:, 1] = np.nan
    with pytest.raises(DataError, match="3 samples have missing values; most often in feature 23 — leave out the features"):
        GctxReader().read(write(path, matrix))


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        (np.array([[5, 900], [3, 0], [7, 45]]), "counts"),
        (np.array([[0.1, -2.5], [1.0, 2.0], [-1.0, 0.5]]), "real"),
        (np.array([[5000.5, 120.25], [3000.25, 99.5], [4000.75, 80.5]]), "real"),
        (np.array([[2.0, 10.0], [10.0, 2.0], [2.5, 9.5]]), "real"),
        (np.array([[250000.5, 749999.5], [600000.25, 399999.75], [1.5, 999998.5]]), "normalized"),
    ],
    ids=["counts", "z-scores", "intensities", "quantile-normalized logarithms", "per million"],
)
def test_what_the_values_are(path, matrix, kind):
    assert GctxReader().read(write(path, matrix)).value_kind == kind


def test_a_sparse_matrix_is_no_panel(path):
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, size=(3, 200))
    values = np.log1p(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4)
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = values
        file["0/META/ROW/id"] = [f"g{number}" for number in range(200)]
        file["0/META/COL/id"] = SAMPLES
    found = GctxReader().read(path)
    assert found.value_kind == "log"
    assert found.values.nnz == np.count_nonzero(values)


def without_ids(path):
    write(path, samples=None)


def without_metadata(path):
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = VALUES


def cut(path):
    write(path)
    path.write_bytes(path.read_bytes()[:900])


def damaged(path):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.create_dataset("0/DATA/0/matrix", data=rng.normal(size=(3, 2)), compression="gzip")
        file["0/META/ROW/id"] = GENES
        file["0/META/COL/id"] = SAMPLES
        chunk = file["0/DATA/0/matrix"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(bytes(content))


def anndata_file(path):
    with h5py.File(path, "w") as file:
        file.create_group("obs")
        file.create_group("var")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (without_ids, "there is no metadata: the ids of the samples, /0/META/COL/id, are missing — write it with its ids"),
        (without_metadata, "there is no metadata: the ids of the features, /0/META/ROW/id, are missing"),
        (lambda path: write(path, np.ones((3, 5))), "the matrix has 3 x 5 values, but there are ids of 3 samples and 2 features"),
        (lambda path: write(path, np.ones(6)), "this HDF5 file is not a GCTX file: it holds 0, not /0/DATA/0/matrix"),
        (lambda path: write(path, dose=[1.0]), "/0/META/COL/dose does not have one value for each of the 3 samples"),
        (lambda path: write(path, dose=1.0), "/0/META/COL/dose does not have one value for each of the 3 samples"),
        (lambda path: write(path, samples=[b"a", b"b", b"b"]), r"1 sample name occurs more than once \(b\)"),
        (lambda path: write(path, np.ones((0, 2)), samples=np.array([], dtype="S1")), "there are no samples in it"),
        (cut, "the file is damaged: it starts as HDF5 but is cut off"),
        (damaged, r"the file is damaged \(.*\) — copy or download it again"),
        (anndata_file, r"it holds obs, var, not /0/DATA/0/matrix — it looks like an AnnData file: give it the ending \.h5ad"),
        (lambda path: path.write_text("gene,sample"), "this is not an HDF5 file, so it is not .gctx"),
        (lambda path: path.mkdir(), "this is a folder, not a .gctx file"),
        (lambda _: None, "the file does not exist"),
    ],
)
def test_files_that_cannot_be_read_end_in_one_clear_line(path, make, message):
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        GctxReader().read(path)
    assert "panel.gctx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape", "first", "column", "value"),
    [
        ("l1000_level3_n1429x978.gctx", (1429, 978), 8.5096, "cell_id", "HT115"),
        ("modzs_n272x978.gctx", (272, 978), -0.52360797, "pert_idose", "10 µM"),
    ],
)
def test_real_files(real_data, name, shape, first, column, value):
    path = real_data / "expression" / "l1000" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found = GctxReader().read(path)
    assert (found.values.shape, found.value_kind, found.notes) == (shape, "real", ())
    assert found.values[0, 0] == np.float32(first)
    assert found.table[column].iloc[0] == value
    with h5py.File(path) as file:
        np.testing.assert_array_equal(found.values.toarray(), file["0/DATA/0/matrix"][:])
