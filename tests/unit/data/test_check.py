"""The input doctor: every finding, with its figures and its level."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import contingency as scipy_contingency

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.data._check_association import cramers_v, purity
from genoken.data.check import check_samples, guess_group_column, guess_label_columns, guess_task, require_column

MATRICES = [{"name": "X", "kind": "counts", "evidence": "whole numbers from 0 to 9", "density": 0.5, "used": True}]
KEYS = {"file", "samples", "features", "matrices", "identifiers", "label", "group", "confounding", "memory_mb"}
KEYS |= {"suggestion", "findings"}


def make(table, *, values=None, kind="counts", names=None):
    """Return samples with this table; by default 1,200 features and no two samples alike."""
    table = pd.DataFrame(table)
    table.index = [f"cell{row}" for row in range(len(table))]
    if values is None:
        values = generator(0, "check").integers(0, 10, size=(len(table), 1200))
        values[0, :3] = 1
    values = np.asarray(values, dtype=np.float32)
    features = pd.DataFrame(index=names or [f"GENE{column}A" for column in range(values.shape[1])])
    return Samples(values=sp.csr_matrix(values), table=table, features=features, value_kind=kind, origin="cells.h5ad:X")


def check(samples, label="", group="", **options):
    found = check_samples(samples, MATRICES, label=label, group=group, file="my cells.h5ad", **options)
    assert set(found) == KEYS
    json.dumps(found, allow_nan=False)
    for finding in found["findings"]:
        assert set(finding) == {"level", "title", "detail", "remedy"}
        assert finding["level"] == "ok" or finding["remedy"]
    return found


def level_of(found, title):
    """Return (level, detail) of the one finding with this title."""
    matching = [finding for finding in found["findings"] if finding["title"] == title]
    assert len(matching) == 1, [finding["title"] for finding in found["findings"]]
    return matching[0]["level"], matching[0]["detail"]


def titles(found, *levels):
    return [finding["title"] for finding in found["findings"] if finding["level"] in levels]


DONORS = ["d1", "d2", "d3", "d4", "d5"] * 12
TYPES = ["A", "B", "A", "C", "B", "C"] * 10


def test_sound_data_has_no_warning_and_a_ready_command():
    found = check(make({"cell_type": TYPES, "donor": DONORS}), label="cell_type")
    assert titles(found, "warning", "error") == []
    assert (found["samples"], found["features"]) == (60, 1200)
    assert found["label"] == {"name": "cell_type", "counts": {"A": 20, "B": 20, "C": 20}}
    assert found["group"] == {"name": "donor", "count": 5}
    assert found["identifiers"] == {"type": "symbol", "species": "human", "versions": False, "duplicates": 0}
    assert found["suggestion"] == "genoken train 'my cells.h5ad' --label cell_type --group donor -o 'runs/my cells'"
    assert found["confounding"] == {"rows": ["A", "B", "C"], "columns": ["d1", "d2", "d3", "d4", "d5"], "counts": [[4] * 5] * 3}
    assert level_of(found, "'donor': 5 groups") == ("ok", "12 to 12 samples each; pooled over cross-validation folds")


def test_without_a_label_the_likely_ones_are_listed():
    found = check(make({"quality": np.linspace(0, 1, 60), "phase": ["G1", "S"] * 30, "Cell Type": TYPES}))
    assert found["label"] is None
    assert level_of(found, "No label was named") == ("ok", "columns that could be predicted: Cell Type, phase")
    assert "--label 'Cell Type'" in found["suggestion"]
    assert level_of(found, "No donor column was found")[0] == "warning"
    found = check(make({"quality": np.linspace(0, 1, 60)}))
    assert level_of(found, "No column looks like a label") == ("warning", "columns: quality")
    assert "--label COLUMN" in found["suggestion"]


def test_an_object_in_memory_gets_a_python_command():
    samples = make({"cell_type": TYPES, "donor": DONORS})
    found = check_samples(samples, MATRICES, label="cell_type", group="", file="")
    assert found["suggestion"] == "genoken.train(adata, label='cell_type', group='donor')"
    assert found["file"] == "AnnData"


@pytest.mark.parametrize(("option", "wrong", "near"), [("label", "cel_type", "cell_type"), ("group", "doner", "donor")])
def test_columns_that_do_not_exist_name_the_nearest(option, wrong, near):
    found = check(make({"cell_type": TYPES, "donor": DONORS}), **{"label": "cell_type", "group": "donor"} | {option: wrong})
    errors = [finding for finding in found["findings"] if finding["level"] == "error"]
    assert [finding["title"] for finding in errors] == [f"No {option}: there is no column '{wrong}' in the sample table (obs)"]
    assert f"did you mean '{near}'" in errors[0]["remedy"]
    assert found["suggestion"] == ""


def test_missing_unbalanced_and_meaningless_labels():
    labels = ["A"] * 50 + ["B"] * 4 + [None, np.nan] + ["unknown"] * 4
    found = check(make({"label": labels, "donor": DONORS}), label="label")
    assert level_of(found, "Missing labels") == ("warning", "2 of 60 samples have no 'label'")
    assert level_of(found, "A class that reads like no label") == ("warning", "'unknown' (4 samples)")
    assert found["label"]["counts"] == {"A": 50, "B": 4, "unknown": 4}
    found = check(make({"label": ["A"] * 57 + ["B"] * 3}), label="label")
    assert level_of(found, "'label' is unbalanced") == ("warning", "95% are 'A'; A 57, B 3")


@pytest.mark.parametrize(
    ("labels", "title", "detail"),
    [
        (["A"] * 60, "'label' has 1 class", "every sample is 'A'"),
        ([None] * 60, "'label' has 0 classes", "every label is missing"),
        (
            [f"cell{row}" for row in range(60)],
            "'label' cannot be learned",
            "60 classes for 60 samples: it names samples rather than classes",
        ),
        (["A"] * 57 + ["B"] + ["C"] * 2, "Classes too small to split", "fewer than 3 samples in C (2), B (1)"),
    ],
)
def test_labels_that_cannot_be_learned_are_errors(labels, title, detail):
    assert level_of(check(make({"label": labels}), label="label"), title) == ("error", detail)


def test_a_number_is_a_regression_target():
    ages = np.repeat([20.5, 30.25, 41.0, 52.0, 60.0], 12)
    found = check(make({"age": ages, "donor": np.repeat(list("abcde"), 12)}), label="age")
    assert level_of(found, "'age' is a number: regression")[1].startswith("from 20.5 to 60, mean 40.75")
    assert level_of(found, "'age' cannot be told from 'donor'")[1].endswith("so there are 5 independent observations")
    assert found["label"] == {"name": "age", "counts": {}}
    assert found["confounding"] is None
    found = check(make({"age": [*np.linspace(0, 1, 58), np.inf, np.nan], "donor": DONORS}), label="age")
    assert level_of(found, "Infinite labels") == ("error", "1 infinite label")
    assert titles(found, "warning") == ["Missing labels"]


def test_whole_numbers_with_few_values_are_classes():
    found = check(make({"grade": np.array([1.0, 2.0, 3.0, np.nan] * 15)}), label="grade")
    assert found["label"]["counts"] == {"1": 15, "2": 15, "3": 15}
    assert guess_task(pd.Series(range(21))) == "regression"
    assert guess_task(pd.Series(range(20))) == "classification"
    assert guess_task(pd.Series([True, False])) == "classification"
    assert guess_task(pd.Series([0.5, 1.0])) == "regression"
    assert guess_task(pd.Series(["1", "2"])) == "classification"


def test_a_label_that_is_one_per_group_counts_groups_not_samples():
    donors = np.repeat([f"d{number}" for number in range(6)], 10)
    found = check(make({"condition": np.repeat(["sick", "well"], 30), "donor_id": donors}), label="condition")
    level, detail = level_of(found, "'condition' cannot be told from 'donor_id'")
    assert level == "warning"
    assert "there are 6 independent observations, not 60: sick 3, well 3" in detail
    assert found["confounding"]["counts"] == [[10, 10, 10, 0, 0, 0], [0, 0, 0, 10, 10, 10]]


def test_classes_in_too_few_groups_are_errors():
    types = np.where((np.array(DONORS) == "d1") & (np.arange(60) % 2 == 0), "rare", np.array(["A", "B"] * 30))
    found = check(make({"cell_type": types, "donor": DONORS}), label="cell_type")
    assert level_of(found, "Classes in too few groups to split") == ("error", "in fewer than 3 values of 'donor': rare (1)")


def test_without_groups_the_label_is_held_against_the_batch():
    found = check(make({"condition": ["x", "y"] * 30, "batch": ["b1", "b2"] * 29 + ["b2", "b1"]}), label="condition")
    level, detail = level_of(found, "'condition' goes with 'batch'")
    assert level == "warning"
    assert detail.startswith("Cramér's V 0.9")
    assert found["group"] is None
    assert found["confounding"]["counts"] == [[29, 1], [1, 29]]
    assert "--group batch" in next(finding for finding in found["findings"] if finding["title"].startswith("No donor"))["remedy"]


def test_other_columns_that_decide_the_label_are_named_by_what_they_are():
    table = {
        "cell_type": TYPES,
        "donor": DONORS,
        "louvain": ["0" if cell_type == "A" else cell_type for cell_type in TYPES],
        "plate": ["p1" if cell_type == "A" else "p2" for cell_type in TYPES],
        "renamed": [f"type {cell_type}" for cell_type in TYPES],
        "barcode": [f"bc{row}" for row in range(60)],
        "coin": ["h", "t", "t", "h", "h", "t", "h", "t", "h", "t"] * 6,
        "cell_type_is_predicted": [row % 4 == 0 for row in range(60)],
    }
    found = check(make(table), label="cell_type")
    assert level_of(found, "'louvain' decides 'cell_type'")[0] == "warning"
    assert level_of(found, "'cell_type' goes with 'plate'")[0] == "warning"
    assert level_of(found, "'renamed' decides 'cell_type'")[0] == "ok"
    assert level_of(found, "Predicted labels")[1].startswith("'cell_type_is_predicted' marks 15 of 60")
    assert not [title for title in titles(found, "ok", "warning", "error") if "barcode" in title or "coin" in title]
    assert level_of(check(make(table), label="louvain"), "'louvain' looks like a clustering")[0] == "warning"


@pytest.mark.parametrize(
    ("donors", "title", "level"),
    [
        (["d1"] * 60, "'donor' has one value only", "warning"),
        (["d1", "d2"] * 30, "'donor': 2 groups", "error"),
        (["d1", "d2", "d3"] * 20, "'donor': 3 groups", "warning"),
        ([f"d{row % 20}" for row in range(60)], "'donor': 20 groups", "ok"),
        ([f"d{row}" for row in range(60)], "'donor': 60 groups", "warning"),
    ],
)
def test_numbers_of_groups_are_judged(donors, title, level):
    found = check(make({"cell_type": TYPES, "donor": donors}), label="cell_type", group="donor")
    assert level_of(found, title)[0] == level


def test_two_groups_are_an_error_and_one_suggests_a_random_split():
    found = check(make({"cell_type": TYPES, "donor": ["d1", "d2"] * 30}), label="cell_type")
    assert found["suggestion"] == ""
    assert any("--split random" in finding["remedy"] for finding in found["findings"] if finding["level"] == "error")
    found = check(make({"cell_type": TYPES, "donor": ["d1"] * 60}), label="cell_type", group="donor")
    assert "--split random" in found["suggestion"]
    assert "--group" not in found["suggestion"]


def test_a_source_that_was_asked_for_is_in_the_command():
    found = check(make({"label": TYPES}), source="X")
    assert found["suggestion"].endswith("--set data.source=X -o 'runs/my cells'")


def test_odd_groups_are_named():
    donors = ["big"] * 40 + ["d1"] * 6 + ["d2"] * 6 + ["ambiguous"] * 5 + [None] * 3
    found = check(make({"cell_type": TYPES, "donor": donors}), label="cell_type")
    assert level_of(found, "Samples without a group") == ("warning", "3 of 60 samples have no 'donor'")
    assert "'ambiguous' (5 samples)" in level_of(found, "A group that reads like no group")[1]
    assert level_of(found, "One group dominates") == ("warning", "'big' has 70% of the samples")
    assert (
        level_of(check(make({"donor": DONORS}), label="donor", group="donor"), "Label and group are the same column")[0] == "error"
    )


def test_empty_samples_constant_features_and_sparsity():
    values = np.tile(np.arange(8.0), (60, 1)) * np.arange(1, 61)[:, None]
    values[:, 7] = 3
    values[5] = 0
    values[9] = 0
    found = check(make({"label": TYPES}, values=values), label="label")
    assert level_of(found, "2 empty samples") == ("warning", "all values are 0 in cell5, cell9")
    assert level_of(found, "1 of 8 features are constant")[1].endswith("for example GENE0A")
    assert level_of(found, "15% of the values are 0") == ("ok", "a sample has 7 features above 0 (median)")
    assert level_of(found, "Only 8 features")[0] == "warning"
    assert level_of(check(make({"label": TYPES}, values=np.zeros((60, 4))), label="label"), "60 empty samples")[0] == "error"
    constant = np.c_[np.full(60, 2.0), np.arange(60.0) + 1]
    assert level_of(check(make({"label": TYPES}, values=constant)), "1 of 2 features are constant")[0] == "ok"


def test_negative_values_and_unusable_kinds():
    values = generator(0, "negative").normal(size=(60, 1200))
    found = check(make({"label": TYPES}, values=values, kind="unknown"), label="label")
    assert level_of(found, "Negative values")[0] == "warning"
    assert level_of(found, "X holds values of unknown kind")[0] == "warning"
    assert "Negative values" not in titles(check(make({"label": TYPES}, values=values, kind="scaled")), "warning")


def test_repeated_samples_are_found_with_what_they_differ_in():
    values = generator(0, "repeated").integers(0, 5, size=(60, 1200))
    values[7] = values[3]
    values[20] = values[3]
    values[41] = values[40]
    values[50:52] = 0
    found = check(make({"cell_type": TYPES, "donor": ["x"] * 30 + ["y"] * 30}, values=values), label="cell_type")
    level, detail = level_of(found, "Repeated samples")
    assert level == "warning"
    assert detail.startswith("3 samples repeat another one exactly, for example cell7 equals cell3")
    assert detail.endswith("2 sets of copies differ in label")
    assert TYPES[3] != TYPES[7]
    assert TYPES[40] != TYPES[41]


def test_feature_ids_are_judged():
    values = generator(0, "ids").integers(0, 9, size=(60, 4))
    ensembl = ["ENSG00000141510.18", "ENSG00000012048.23", "ENSG00000139618.19", "ENSG00000146648.21"]
    found = check(make({"organism": ["Mus musculus"] * 60}, values=values, names=ensembl))
    assert found["identifiers"] == {"type": "ensembl", "species": "human", "versions": True, "duplicates": 0}
    assert level_of(found, "Two species") == ("warning", "the ids are of human, the sample table says mouse")
    found = check(make({"organism": ["Sus scrofa"] * 60}, values=values, names=["TP53", "BRCA1", "TP53", "TP53"]))
    assert found["identifiers"] == {"type": "symbol", "species": "pig", "versions": False, "duplicates": 2}
    assert level_of(found, "Repeated feature names")[0] == "error"
    found = check(make({"label": TYPES}, values=values, names=["gene_1", "gene_2", "gene_3", "gene_4"]))
    assert level_of(found, "Features have ids of unknown type")[0] == "warning"


def test_a_transposed_matrix_is_noticed():
    samples = make(
        {"label": ["a", "b"] * 2}, values=np.arange(12).reshape(4, 3), names=["AAACATACAACC-1", "AAACATTGAGCT-1", "AAACATTGATCA-1"]
    )
    samples.table.index = [f"ENSG{number:011d}" for number in range(4)]
    assert level_of(check(samples), "The matrix looks transposed")[0] == "error"


def test_problems_of_the_reader_come_first_and_once():
    problems = [
        DataError("3 values are missing or infinite", where="cells.h5ad:X", remedy="replace them"),
        DataError("1 gene name occurs more than once (A)", where="cells.h5ad", remedy="make unique"),
    ]
    values = generator(0, "ids").integers(0, 9, size=(60, 3))
    found = check(make({"label": TYPES}, values=values, names=["A", "A", "B"]), problems=problems, source="X")
    assert found["findings"][0] == {
        "level": "error", "title": "3 values are missing or infinite", "detail": "cells.h5ad:X", "remedy": "replace them",
    }  # fmt: skip
    assert titles(found, "error") == ["3 values are missing or infinite", "1 gene name occurs more than once (A)"]
    assert "No missing values" not in titles(found, "ok")
    assert found["suggestion"] == ""


def test_long_tables_are_cut_to_the_largest_groups():
    donors = [f"d{row:03d}" for row in range(70) for _ in range(2)] + ["d005"]
    found = check(make({"label": ["A", "B"] * 70 + ["A"], "donor": donors}), label="label")
    assert len(found["confounding"]["columns"]) == 60
    assert found["confounding"]["columns"][5] == "d005"
    assert found["confounding"]["counts"][0][5] == 2


def test_memory_is_that_of_two_copies():
    samples = make({"label": TYPES})
    matrix = samples.values.data.nbytes + samples.values.indices.nbytes + samples.values.indptr.nbytes
    assert 2 * matrix / 1e6 < check(samples)["memory_mb"] < 2 * matrix / 1e6 + 1


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"donor_id": DONORS}, "donor_id"),
        ({"Donor ID": DONORS}, "Donor ID"),
        ({"orig.ident": DONORS}, "orig.ident"),
        ({"orig.ident": DONORS, "PatientID": DONORS}, "PatientID"),
        ({"sample_id": DONORS, "patient": ["p"] * 60}, "sample_id"),
        ({"donor": ["d"] * 60}, None),
        ({"donor": [f"d{row}" for row in range(60)]}, None),
        ({"donor": [None] * 59 + ["d"]}, None),
        ({"donor_id_other": DONORS, "x": TYPES}, None),
        ({}, None),
    ],
)
def test_group_columns_are_guessed(columns, expected):
    assert guess_group_column(pd.DataFrame(columns, index=range(60))) == expected


def test_label_columns_are_guessed_in_order():
    table = {
        "batch": ["x", "y"] * 30,
        "flag": [True, False] * 30,
        "sex": ["m", "f"] * 30,
        "donor": DONORS,
        "Condition": ["a", "b"] * 30,
    }
    table |= {
        "split": ["train", "test"] * 30,
        "celltype": TYPES,
        "barcode": [str(row) for row in range(60)],
        "one": ["x"] * 60,
        "score": np.linspace(0, 1, 60),
    }
    assert guess_label_columns(pd.DataFrame(table)) == ["celltype", "Condition", "sex"]


def test_required_columns():
    table = pd.DataFrame({"cell_type": TYPES})
    pd.testing.assert_series_equal(require_column(table, "cell_type", "cells.h5ad"), table["cell_type"])
    with pytest.raises(
        DataError, match=r"cells.h5ad: there is no column 'CellType' in the sample table \(obs\) — did you mean 'cell_type'"
    ):
        require_column(table, "CellType", "cells.h5ad")
    with pytest.raises(DataError, match="no column at all"):
        require_column(table[[]], "label", "cells.h5ad")
    with pytest.raises(DataError, match="2 columns named 'cell_type'"):
        require_column(pd.concat([table, table], axis=1), "cell_type", "cells.h5ad")


def test_association_agrees_with_the_plain_formula_for_many_samples():
    counts = generator(0, "association").integers(1, 9, size=(4, 6)) * 100_000
    table = pd.DataFrame(counts)
    assert cramers_v(table) == pytest.approx(scipy_contingency.association(counts, method="cramer"), abs=1e-4)


def test_association_of_known_tables():
    assert cramers_v(pd.DataFrame([[10, 0], [0, 10]])) == pytest.approx(1.0)
    assert cramers_v(pd.DataFrame([[10, 10, 0, 0], [0, 0, 10, 10]])) == pytest.approx(1.0, abs=0.03)
    assert cramers_v(pd.DataFrame([[10, 10], [10, 10]])) == 0.0
    assert cramers_v(pd.DataFrame([[10, 20]])) == 0.0
    # chi2 / n = 0.36 with 200 samples: the correction takes 1/199 off above and off the smaller side.
    assert cramers_v(pd.DataFrame([[80, 20], [20, 80]])) == pytest.approx(np.sqrt((0.36 - 1 / 199) / (1 - 1 / 199)))
    assert purity(pd.DataFrame([[9, 1, 0], [1, 9, 10]])) == pytest.approx(28 / 30)
