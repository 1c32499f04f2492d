"""The truth about a simulated trait, and rankings that are scored by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.workflows.inputs import Study
from genoken.workflows.variant_associations import Cohort
from genoken.workflows.variant_truth import read_truth, recovered


def test_background_is_not_causal_and_pairs_count_once_each(tmp_path):
    path = tmp_path / "truth.tsv"
    path.write_text("variant_id\trole\tpartner\nrs1\tepistatic\trs2\nrs2\tepistatic\trs1\nrs1\tepistatic\trs3\nrs9\tbackground\t\n")
    assert read_truth(path) == ("rs1", "rs2")
    path.write_text("variant_id\nNA\n")  # a legal name
    assert read_truth(path) == ("NA",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file does not exist"),
        ("id\nrs1\n", "there is no column 'variant_id'"),
        ("variant_id\trole\nrs1\tbackground\n", "no causal variant is named"),
        ("", "the file is not a table of text"),
    ],
)
def test_what_is_no_truth_is_refused(tmp_path, content, message):
    path = tmp_path / "truth.tsv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_truth(path)


@pytest.fixture
def cohort():
    """Four variants of 40 people; the third is the second again."""
    dense = np.random.default_rng(2).integers(0, 3, size=(40, 4)).astype(np.int8)
    dense[:, 2] = dense[:, 1]
    ids = pd.DataFrame(index=["a", "b", "c", "d"])
    return Cohort(Study(None, "regression", "trait", np.zeros(40), (), "", "", None, ()), ids, dense)


def test_each_ranking_of_the_table_is_scored(cohort):
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "ensemble": [0.1, 0.9, 0.5, 0.2],
            "importance_gradient": [0.4, 0.2, 0.3, 0.1],
            "importance_permuted": [4.0, 1.0, 2.0, 3.0],
            "glm_minus_log10_p": [1.0, 3.0, 2.0, np.nan],
            "glm_minus_log10_p_without_components": [9.0, 8.0, 7.0, 6.0],
            "pip": [np.nan, 0.2, 0.8, np.nan],
        }
    )
    found = recovered(table, cohort, ("b", "elsewhere"))
    assert (found["causal"], found["absent"], found["chance"]) == (["b"], 1, 0.25)
    assert [(row["ranking"], row["average_precision"]) for row in found["rankings"]] == [
        ("ensemble", 1.0),
        ("gradient", pytest.approx(1 / 3)),
        ("glm", 1.0),
        ("glm_without_components", 0.5),
        ("pip", 0.5),
        ("permuted", 0.25),
    ]
    # the first of fine-mapping is the causal variant's twin, so the signal is found all the same
    assert [row["signal_fdr"] for row in found["rankings"]] == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    with pytest.raises(DataError, match="the run knows none of the causal variants"):
        recovered(table, cohort, ("elsewhere",))


def test_without_permuted_labels_they_are_no_ranking(cohort):
    columns = ("ensemble", "glm_minus_log10_p", "glm_minus_log10_p_without_components", "pip")
    table = pd.DataFrame({"id": ["a", "b", "c", "d"]} | dict.fromkeys(columns, 0.5))
    assert [row["ranking"] for row in recovered(table, cohort, ("a",))["rankings"]] == [
        "ensemble",
        "glm",
        "glm_without_components",
        "pip",
    ]
