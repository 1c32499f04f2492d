"""Matrices of 10x: both versions of the HDF5 file and of the folder, typed by hand; what is refused with which line."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.io import mmwrite

from genoken.core.errors import DataError
from genoken.readers.tenx import TenxReader

COUNTS = np.array([[0, 3, 40], [1, 0, 0]])
BARCODES = ["AAAC-1", "AAAG-1"]
IDS = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997"]
SYMBOLS = ["TP53", "EGFR", "MYC"]


def write_h5(path, group="matrix", counts=COUNTS, types=("Gene Expression",) * 3, genomes=("GRCh38",) * 3, mode="w"):
    cells = sp.csr_matrix(counts)
    with h5py.File(path, mode) as file:
        place = file.create_group(group)
        for name in ("data", "indices", "indptr"):
            place[name] = getattr(cells, name)
        place["shape"] = np.array(counts.shape[::-1])
        place["barcodes"] = np.array(BARCODES, dtype="S")
        if group == "matrix":
            for name, words in (("id", IDS), ("name", SYMBOLS), ("feature_type", types), ("genome", genomes)):
                place[f"features/{name}"] = np.array(words, dtype="S")
        else:
            place["genes"], place["gene_names"] = np.array(IDS, dtype="S"), np.array(SYMBOLS, dtype="S")
    return path


def write_folder(path, *, new=True, prefix="", types=("Gene Expression",) * 3):
    path.mkdir(exist_ok=True)
    mmwrite(path / f"{prefix}matrix.mtx", sp.coo_matrix(COUNTS.T))
    rows = zip(IDS, SYMBOLS, types, strict=True) if new else zip(IDS, SYMBOLS, strict=True)
    (path / f"{prefix}{'features' if new else 'genes'}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    (path / f"{prefix}barcodes.tsv").write_text("".join(f"{name}\n" for name in BARCODES))
    if new:
        for file in list(path.glob(f"{prefix}*")):
            (path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    return path


def check(found, origin):
    np.testing.assert_array_equal(found.values.toarray(), COUNTS)
    assert found.values.dtype == np.float32
    assert list(found.table.index) == BARCODES
    assert list(found.features.index) == IDS
    assert list(found.features["gene_symbol"]) == SYMBOLS
    assert (found.value_kind, found.origin, found.notes) == ("counts", origin, ())


@pytest.mark.parametrize("group", ["matrix", "GRCh38"], ids=["version 3", "version 2"])
def test_hdf5(tmp_path, group):
    check(TenxReader().read(write_h5(tmp_path / "counts.h5", group)), "counts.h5:X")


@pytest.mark.parametrize("new", [True, False], ids=["version 3", "version 2"])
def test_folders(tmp_path, new):
    check(TenxReader().read(write_folder(tmp_path / "cells", new=new)), "cells:X")


@pytest.mark.parametrize("name", ["GSM1_matrix.mtx.gz", "GSM2_matrix.mtx"])
def test_a_matrix_is_read_with_the_lists_of_its_prefix(tmp_path, name):
    write_folder(tmp_path, prefix="GSM1_")
    write_folder(tmp_path, prefix="GSM2_", new=False)
    check(TenxReader().read(tmp_path / name), f"{name}:X")


def test_scanpy_reads_the_same(tmp_path):
    import scanpy

    path = write_h5(tmp_path / "counts.h5")
    expected = scanpy.read_10x_h5(path)
    found = TenxReader().read(path)
    np.testing.assert_array_equal(found.values.toarray(), expected.X.toarray())
    assert list(found.features.index) == list(expected.var["gene_ids"])
    expected = scanpy.read_10x_mtx(write_folder(tmp_path / "cells"), var_names="gene_ids")
    found = TenxReader().read(tmp_path / "cells")
    np.testing.assert_array_equal(found.values.toarray(), expected.X.toarray())
    assert list(found.features.index) == list(expected.var_names)


def test_features_that_are_no_genes_are_left_out_with_a_count(tmp_path):
    types = ("Gene Expression", "Antibody Capture", "Gene Expression")
    for path in (write_h5(tmp_path / "counts.h5", types=types), write_folder(tmp_path / "cells", types=types)):
        found = TenxReader().read(path)
        np.testing.assert_array_equal(found.values.toarray(), COUNTS[:, [0, 2]])
        assert list(found.features["gene_symbol"]) == ["TP53", "MYC"]
        assert found.notes == ("features that are not gene expression are left out: 1 Antibody Capture",)
    with pytest.raises(DataError, match="no feature of type 'Gene Expression' in it — there are: Peaks"):
        TenxReader().read(write_h5(tmp_path / "peaks.h5", types=("Peaks",) * 3))


def test_two_genomes_are_said(tmp_path):
    found = TenxReader().read(write_h5(tmp_path / "counts.h5", genomes=("GRCh38", "GRCh38", "mm10")))
    assert found.notes == ("the features are of 2 genomes: GRCh38, mm10",)
    path = write_h5(tmp_path / "old.h5", "GRCh38")
    write_h5(path, "mm10", mode="a")
    with pytest.raises(DataError, match="the file holds several genomes: GRCh38, mm10 — write one file per genome"):
        TenxReader().read(path)


def change(path, name, values):
    with h5py.File(write_h5(path), "r+") as file:
        del file[name]
        if values is not None:
            file[name] = values


def other(path, *names):
    with h5py.File(path, "w") as file:
        for name in names:
            file.create_group(name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: change(path, "matrix/indptr", None), r"'/matrix/indptr' is missing in this file of 10x"),
        (lambda path: change(path, "matrix/features", None), r"the names of the features are missing in '/matrix'"),
        (lambda path: change(path, "matrix/indptr", [0, 2]), r"the matrix is damaged \("),
        (lambda path: change(path, "matrix/indices", [1, 7, 0]), "sparse matrix is damaged|the matrix is damaged"),
        (lambda path: change(path, "matrix/barcodes", [b"A"]), r"2 cells and 3 features, but there are 1 barcodes and names of 3"),
        (lambda path: other(path, "obs", "var"), r"not of 10x: it holds obs, var — .*give it the ending \.h5ad"),
        (lambda path: other(path, "results"), "not of 10x: it holds results — a file of 10x holds a group 'matrix'"),
        (other, "not of 10x: it is empty"),
        (lambda path: path.write_bytes(write_h5(path).read_bytes()[:3000]), "it starts as HDF5 but is cut off"),
        (lambda path: path.write_text("x"), r"this is not an HDF5 file, so it is not \.h5"),
    ],
)
def test_files_that_cannot_be_read_end_in_one_clear_line(tmp_path, make, message):
    path = tmp_path / "counts.h5"
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        TenxReader().read(path)
    assert "counts.h5" in str(caught.value)
    assert "\n" not in str(caught.value)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("new", "name", "make", "message"),
    [
        (True, "matrix.mtx.gz", lambda path: path.unlink(), "there is no matrix.mtx or matrix.mtx.gz in this folder"),
        (
            True,
            "barcodes.tsv.gz",
            lambda path: path.unlink(),
            "the list of barcodes is missing — put barcodes.tsv or barcodes.tsv.gz",
        ),
        (True, "features.tsv.gz", lambda path: path.unlink(), "the list of features is missing — put features.tsv or .*genes.tsv"),
        (True, "matrix.mtx.gz", cut, "the matrix is damaged or cut off"),
        (False, "matrix.mtx", cut, "the matrix is damaged or cut off"),
        (True, "features.tsv.gz", cut, r"features.tsv.gz: the file is damaged \("),
        (False, "genes.tsv", lambda path: path.write_text("A\tB\nC\n"), "genes.tsv: the lines do not have equally many fields"),
        (False, "genes.tsv", lambda path: path.write_text("A\tB\n"), "2 cells and 3 features, but .* names of 1 features"),
        (False, "genes.tsv", lambda path: path.write_bytes(b""), r"genes.tsv: the file is empty \(0 bytes\)"),
        (False, "matrix.mtx", lambda path: path.write_text("gene,cell"), "the matrix is damaged or cut off"),
        (
            False,
            "matrix.mtx",
            lambda path: path.write_text("%%MatrixMarket matrix array real general\n1 1\n2.5\n"),
            "this Matrix Market file is not a sparse matrix",
        ),
    ],
)
def test_folders_that_cannot_be_read_end_in_one_clear_line(tmp_path, new, name, make, message):
    folder = write_folder(tmp_path / "cells", new=new)
    make(folder / name)
    with pytest.raises(DataError, match=message) as caught:
        TenxReader().read(folder)
    assert "cells" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ids_without_symbols(tmp_path):
    folder = write_folder(tmp_path / "cells", new=False)
    (folder / "genes.tsv").write_text("".join(f"{name}\n" for name in IDS))
    assert list(TenxReader().read(folder).features["gene_symbol"]) == IDS
