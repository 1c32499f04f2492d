"""What a pretraining run reads: the same in memory and on disk, typed by hand."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from genoken.core.config import PretrainConfig, build
from genoken.core.errors import DataError
from genoken.core.files import sha256_of_file
from genoken.core.pretraining_settings import PretrainDataSettings
from genoken.core.stored_rows import StoredRows
from genoken.workflows.pretraining_data import cache_of, files_of, read_pretraining
from genoken.workflows.pretraining_parts import divide
from genoken.workflows.source import read_source

JOINED = [[6, 0, 180], [0, 10, 14], [0, 0, 6], [10, 0, 0]]


@pytest.fixture
def two_files(tmp_path):
    values = np.array([[3, 0, 90], [0, 5, 7]], dtype=np.float32)
    for name, genes in (("one", ["TP53", "EGFR", "MYC"]), ("two", ["MYC", "TP53", "JUN"])):
        obs = pd.DataFrame({"y": ["a", "b"]}, index=[f"{name}1", f"{name}2"])
        adata = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=genes))
        adata.layers["doubled"] = values * 2
        adata.write_h5ad(tmp_path / f"{name}.h5ad")
    return [tmp_path / "one.h5ad", tmp_path / "two.h5ad"]


def read(files, **settings):
    return read_pretraining(None, {"data": list(files), "eval": []}, PretrainDataSettings(**settings))


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_several_files_are_one_source_with_an_entry_for_each(store, two_files, tmp_path):
    reading = read(two_files, source="layers/doubled", store=store)
    if store == "disk":
        assert reading.source.samples.values.nnz == 0
        assert (reading.num_values, reading.gigabytes) == (8, 64e-9)
    found = reading.complete(tmp_path)
    assert reading.source.samples.values.nnz == 0
    assert isinstance(found.samples.values, StoredRows) == (store == "disk")
    np.testing.assert_array_equal(found.samples.in_memory().values.toarray(), JOINED)
    assert list(found.samples.table["file"]) == ["one.h5ad", "one.h5ad", "two.h5ad", "two.h5ad"]
    assert found.samples.totals.tolist() == [186, 24, 186, 24]
    assert [entry["path"] for entry in found.files] == [str(path) for path in two_files]
    assert [entry["sha256"] for entry in found.files] == [sha256_of_file(path) for path in two_files]
    assert [matrix["name"] for matrix in found.matrices if matrix["used"]] == ["layers/doubled"]


def test_genes_are_shared_as_asked_and_one_file_is_taken_as_it_is(two_files, tmp_path):
    assert read(two_files, shared="common").source.samples.num_features == 2
    assert read(two_files, shared="union").source.samples.num_features == 4
    with pytest.raises(DataError, match="too few genes in common"):
        read(two_files, min_coverage=0.7)
    alone = read_source(two_files[0], "auto")
    for store in ("memory", "disk"):
        found = read(two_files[:1], store=store).complete(tmp_path)
        assert found.files == alone.files
        assert (found.samples.totals, found.samples.origin, list(found.samples.table)) == (None, "one.h5ad:X", ["y"])
        np.testing.assert_array_equal(found.samples.in_memory().values.toarray(), [[3, 0, 90], [0, 5, 7]])


@pytest.mark.parametrize(("memory_gb", "is_on_disk"), [(0.0, True), (63e-9, True), (64e-9, False)])
def test_values_go_to_disk_from_a_size_on(memory_gb, is_on_disk, two_files):
    assert (read(two_files, memory_gb=memory_gb).joint is not None) == is_on_disk


def test_a_column_that_is_not_there_is_refused_at_the_first_look(two_files):
    with pytest.raises(DataError, match="no column 'donor'"):
        read(two_files, group="donor", store="disk")


def test_samples_of_files_to_report_on_are_the_test_part_and_empty_ones_are_left_out(two_files, tmp_path):
    adata = anndata.read_h5ad(two_files[0])
    adata.X = np.array([[0, 0, 0], [1, 2, 3]], dtype=np.float32)
    adata.write_h5ad(tmp_path / "three.h5ad")
    paths = files_of([two_files[0], tmp_path / "three.h5ad"], two_files[1])
    config = build(PretrainConfig, {"data": {"val": 0.3, "store": "disk"}})
    found = divide(read_pretraining(None, paths, config.data).complete(tmp_path), paths, config)
    assert found.words.tolist()[3:] == ["test", "test"]
    assert sorted(found.words[:3]) == ["train", "train", "val"]
    np.testing.assert_array_equal(found.source.samples.in_memory().values.toarray()[2:], [[1, 2, 3], [0, 0, 3], [5, 0, 0]])
    assert found.source.samples.notes[-1] == "1 sample has no values above zero and is left out"


def test_a_cache_is_empty_at_first_and_gone_in_the_end(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "left").write_text("by a killed run")
    with pytest.raises(FileExistsError), cache_of(tmp_path) as cache:
        cache.mkdir()
    with cache_of(tmp_path) as cache:
        assert list(cache.iterdir()) == []
        (cache / "new").write_text("x")
    assert list(tmp_path.iterdir()) == []
