"""Zarr stores: folders and zip files of both formats; stores that are damaged, incomplete or of something else."""

from __future__ import annotations

import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from genoken.core.errors import DataError
from genoken.readers.zarr import ZarrReader

COUNTS = np.array([[3, 0, 90], [0, 5, 7], [11, 0, 0], [1, 2, 40]], dtype=np.float32)


def cells(make=sp.csr_matrix):
    obs = pd.DataFrame({"cell_type": ["A", "B", "A", "B"]}, index=["c1", "c2", "c3", "c4"])
    adata = anndata.AnnData(make(np.log1p(COUNTS)), obs=obs, var=pd.DataFrame(index=["TP53", "EGFR", "MYC"]))
    adata.layers["counts"] = make(COUNTS)
    adata.raw = adata
    return adata


@pytest.fixture
def store(tmp_path):
    cells().write_zarr(tmp_path / "cells.zarr")
    return tmp_path / "cells.zarr"


def zipped(store):
    return store.parent / shutil.make_archive(str(store), "zip", store).rsplit("/", 1)[1]


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix, np.asarray])
@pytest.mark.parametrize("version", [2, 3])
def test_stores_of_every_form_are_read(tmp_path, make, version):
    path = tmp_path / "cells.zarr"
    with anndata.settings.override(zarr_write_format=version):
        cells(make).write_zarr(path)
    assert zarr.open_group(path, mode="r").metadata.zarr_format == version
    for place in (path, zipped(path)):
        found = ZarrReader().read(place)
        np.testing.assert_array_equal(found.values.toarray(), COUNTS)
        assert (found.origin, found.value_kind) == (f"{place.name}:layers/counts", "counts")
        assert list(found.features.index) == ["TP53", "EGFR", "MYC"]
        assert list(found.table["cell_type"]) == ["A", "B", "A", "B"]
    np.testing.assert_allclose(ZarrReader(source="raw").read(path).values.toarray(), np.log1p(COUNTS), rtol=1e-6)


def refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        ZarrReader().read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(("place", "array"), [("X", "data"), ("raw/X", "indices"), ("layers/counts", "data")])
def test_a_store_with_a_lost_chunk_is_refused_and_not_read_as_zeros(store, place, array):
    chunk = next(path for path in (store / place / array).rglob("*") if path.is_file() and not path.name.startswith("."))
    chunk.unlink()
    refused(store, f"the store is incomplete: 1 of the 1 chunks of {place}/{array} are missing — copy the whole store again")
    refused(zipped(store), "the store is incomplete")


def test_a_chunk_that_is_cut_off(store):
    chunk = next(path for path in (store / "layers/counts/data").rglob("*") if path.is_file() and not path.name.startswith("."))
    chunk.write_bytes(chunk.read_bytes()[:10])
    refused(store, "this AnnData file cannot be read, it is damaged")


def test_settings_that_are_cut_off(store):
    settings = next(path for path in (store / ".zmetadata", store / ".zgroup") if path.is_file())
    settings.write_text(settings.read_text()[:7])
    refused(store, "it is damaged")


def test_zip_files_that_are_cut_off_or_something_else(store):
    packed = zipped(store)
    packed.write_bytes(packed.read_bytes()[:2000])
    refused(packed, "the zip file is cut off, or is none")
    packed.write_bytes(b"")
    refused(packed, r"the file is empty \(0 bytes\)")


def test_folders_and_files_of_another_kind(tmp_path):
    path = tmp_path / "cells.zarr"
    refused(path, "the file does not exist")
    path.mkdir()
    refused(path, "there is no zarr store in it")
    zarr.open_group(path, mode="w").create_array("image", data=np.arange(3))
    refused(path, "this zarr store is not of AnnData: it holds image, not obs and var")
    shutil.rmtree(path)
    path.write_text("cells")
    refused(path, "this is a file, not a zarr store")
