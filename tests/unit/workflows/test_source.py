"""What is read: one input or several, their names, and how they stand in ``state.json``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import genoken
from genoken.core.errors import DataError
from genoken.workflows.source import joined_paths, named_again, paths_of, read_source


def people(name: str, num_variants: int = 3) -> AnnData:
    calls = np.arange(2 * num_variants).reshape(2, num_variants) % 3
    columns = {"chromosome": "1", "position_bp": np.arange(num_variants) + 1, "counted_allele": "A", "other_allele": "G"}
    variants = pd.DataFrame(columns, index=[f"rs{number}" for number in range(num_variants)])
    return genoken.genotypes(calls, pd.DataFrame({"y": [1, 2]}, index=[f"{name}0", f"{name}1"]), variants=variants)


def cells(name: str) -> AnnData:
    counts = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    return AnnData(counts, pd.DataFrame(index=[f"{name}0", f"{name}1"]), pd.DataFrame(index=["TP53", "EGFR", "MYC"]))


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        people(name).write_h5ad(tmp_path / f"{name}.h5ad")
    return tmp_path / "one.h5ad", tmp_path / "two.h5ad"


def test_a_list_of_one_is_that_one(files):
    alone, listed = read_source(files[0], "auto"), read_source([files[0]], "auto")
    assert listed.files == alone.files
    assert listed.joined is None
    assert "cohort" not in listed.samples.table


def test_genotypes_of_files_get_the_column_cohort(files):
    found = read_source(files, "auto")
    assert found.samples.table["cohort"].tolist() == ["one", "one", "two", "two"]
    assert found.joined["variants"].tolist()[-1] == 3
    assert [entry["path"] for entry in found.files] == [str(file) for file in files]
    assert [entry["samples"] for entry in found.files] == [2, 2]


def test_patterns_in_a_list_stand_for_files(files):
    assert read_source([files[0].with_name("*.h5ad")], "auto").samples.num_samples == 4
    with pytest.raises(DataError, match="named twice"):
        read_source([files[0], files[0].with_name("*.h5ad")], "auto")


def test_files_of_one_name_in_two_folders_are_told_apart_by_their_paths(files, tmp_path):
    (tmp_path / "other").mkdir()
    people("x").write_h5ad(tmp_path / "other" / "one.h5ad")
    found = read_source([files[0], tmp_path / "other" / "one.h5ad"], "auto").samples.table["cohort"]
    assert found.unique().tolist() == [str(files[0]), str(tmp_path / "other" / "one.h5ad")]


def test_expression_is_joined_by_gene_with_the_column_file():
    found = read_source([cells("a"), cells("b")], "auto")
    assert found.samples.table["file"].tolist() == ["data_1", "data_1", "data_2", "data_2"]
    assert found.joined is None


def test_expression_and_genotypes_are_not_joined():
    for mixed in ([cells("a"), people("b")], [people("b"), cells("a")]):
        with pytest.raises(DataError, match="the files hold different kinds of values"):
            read_source(mixed, "auto")


def test_phenotypes_are_joined_before_ids_that_collide_get_a_name_in_front(files, tmp_path):
    people("one").write_h5ad(tmp_path / "again.h5ad")
    (tmp_path / "p.csv").write_text("sample_id,trait\none0,4\none1,5\n", encoding="utf-8")
    found = read_source([files[0], tmp_path / "again.h5ad"], "auto", phenotypes=tmp_path / "p.csv").samples.table
    assert found.index.tolist() == ["one:one0", "one:one1", "again:one0", "again:one1"]
    assert found["trait"].tolist() == [4, 5, 4, 5]


def test_paths_of_several_files_are_one_text_and_back(files):
    assert named_again(joined_paths(files)) == [str(file) for file in files]
    assert named_again(joined_paths(files[0])) == str(files[0])
    assert paths_of(people("a")) == paths_of([files[0], people("a")]) == paths_of(None) == []
    assert joined_paths(people("a")) == ""
