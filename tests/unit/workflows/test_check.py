"""The check of files and objects."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.workflows.check import check


def cells():
    counts = generator(0, "workflow").poisson(2.0, size=(40, 30)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": ["A", "B"] * 20, "donor": np.repeat(list("abcde"), 8)}, index=[f"c{row}" for row in range(40)])
    return anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"GENE{column}B" for column in range(30)]))


def errors(found):
    return [finding["title"] for finding in found["findings"] if finding["level"] == "error"]


def test_a_file_and_the_object_give_the_same_findings(tmp_path):
    path = tmp_path / "cells.h5ad"
    cells().write_h5ad(path)
    from_file, from_object = check(path, label="cell_type"), check(cells(), label="cell_type")
    assert from_file["suggestion"] == f"genoken train {path} --label cell_type --group donor -o runs/cells"
    assert from_object["suggestion"] == "genoken.train(adata, label='cell_type', group='donor')"
    for key in set(from_file) - {"file", "suggestion", "memory_mb"}:
        assert from_file[key] == from_object[key]
    assert errors(from_file) == []
    json.dumps(from_file, allow_nan=False)
    assert genoken.check(str(path), label="cell_type") == from_file


def test_all_problems_come_at_once():
    adata = cells()
    adata.X = (adata.X - adata.X.mean(axis=0)) / adata.X.std(axis=0)
    adata.X[3, 4] = np.nan
    adata.var_names = ["GENE1B"] * 2 + list(adata.var_names[2:])
    found = check(adata, label="celltype")
    titles = errors(found)
    assert titles[0].startswith("1 value is missing or infinite")
    assert titles[1].startswith("No counts, normalized or log values found: X is scaled")
    assert titles[2].startswith("1 gene name occurs more than once (GENE1B)")
    assert titles[3] == "No label: there is no column 'celltype' in the sample table (obs)"
    assert len(titles) == 4
    assert found["identifiers"]["duplicates"] == 1


def test_a_named_source_is_examined_and_a_wrong_one_refused():
    adata = cells()
    adata.layers["doubled"] = adata.X * 2
    found = check(adata, source="layers/doubled")
    assert [(matrix["name"], matrix["used"]) for matrix in found["matrices"]] == [("X", False), ("layers/doubled", True)]
    with pytest.raises(DataError, match="did you mean 'layers/doubled'"):
        check(adata, source="layers/double")
    with pytest.raises(DataError, match="does not exist"):
        check("nowhere.h5ad")


def test_the_cells_that_come_with_scanpy():
    import scanpy

    found = check(scanpy.datasets.pbmc68k_reduced(), label="bulk_labels")
    assert [(matrix["name"], matrix["kind"], matrix["used"]) for matrix in found["matrices"]] == [
        ("X", "scaled", False),
        ("raw", "log", True),
    ]
    assert found["label"]["counts"]["Dendritic"] == 240
    assert found["identifiers"] == {"type": "symbol", "species": "human", "versions": False, "duplicates": 0}
    assert errors(found) == []


@pytest.mark.parametrize(
    ("name", "label", "group", "warnings"),
    [
        ("glioblastoma_panobinostat_5patients", "condition", 5, ["Only 300 features"]),
        ("kang18_pbmc_ifnb_8donors", "cell_type", 9, ["A group that reads like no group", "Predicted labels"]),
        (
            "pbmc3k_raw",
            "cell_type",
            None,
            ["A class that reads like no label", "'donor_id' has one value only", "'seurat_cluster' decides 'cell_type'"],
        ),
        ("pig_airway_cftr_7animals", "condition", 7, ["'condition' cannot be told from 'donor_id'"]),
        (
            "pancreas_endocrinogenesis_E15_hvg2000",
            "clusters",
            None,
            ["'clusters' looks like a clustering", "No donor column was found"],
        ),
        ("worm_embryo_amphid_1805", "cell_type", None, ["No donor column was found"]),
        ("zheng_pbmc68k_reduced_counts", "cell_type", None, ["Only 765 features", "'donor_id' has one value only"]),
    ],
)
def test_real_files_show_their_traps(real_data, name, label, group, warnings):
    path = real_data / "expression" / "single_cell" / f"{name}.h5ad"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found = check(path, label=label)
    assert errors(found) == []
    assert [finding["title"] for finding in found["findings"] if finding["level"] == "warning"] == warnings
    assert (found["group"] or {}).get("count") == group
    assert found["matrices"][0]["kind"] == "counts"
