"""Covariates as numbers, typed by hand, and covariates that are the label in disguise."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.data.covariates import MOST_LEVELS, CovariateCoding, encode, fit_coding, refuse_telling

TRAIN = pd.DataFrame(
    {
        "age": [10.0, 20.0, None, 30.0],
        "sex": ["f", "m", "f", "f"],
        "cage": ["b", None, "a", "b"],
        "batch": [7, 7, 7, 7],
        "is_old": [False, False, True, True],
    },
    index=list("wxyz"),
)


def test_numbers_are_standardized_and_text_has_a_column_per_value_but_the_commonest():
    coding = fit_coding(TRAIN, ["age", "sex", "cage", "batch", "is_old"], "here")
    assert coding.names == ["age", "age missing", "sex=m", "cage=a", "cage missing", "is_old"]
    found, notes = encode(TRAIN, coding, "here")
    unit = (200 / 3) ** 0.5  # deviation of 10, 20, 30
    expected = [
        [-10 / unit, 0, 0, 0, 0, -1],
        [0, 0, 1, 0, 1, -1],
        [0, 1, 0, 1, 0, 1],
        [10 / unit, 0, 0, 0, 0, 1],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert notes == ()


def test_other_samples_are_coded_as_train_taught():
    coding = fit_coding(TRAIN, ["age", "sex"], "here")
    other = pd.DataFrame({"sex": ["x", None, "m"], "age": [20.0, 20.0 + (200 / 3) ** 0.5, None]}, index=list("pqr"))
    found, notes = encode(other, coding, "there")
    np.testing.assert_allclose(found, [[0, 0, 0], [1, 0, 0], [0, 1, 1]], atol=1e-12)
    assert notes == (
        "1 sample has a value of the covariate 'sex' that the train samples do not have, for example 'x'; it counts as 'f'",
    )


def test_a_number_that_is_missing_only_in_other_samples_is_the_mean_without_an_indicator():
    coding = fit_coding(pd.DataFrame({"age": [1.0, 3.0]}), ["age"], "here")
    found, _ = encode(pd.DataFrame({"age": [None, 3.0]}), coding, "there")
    np.testing.assert_allclose(found, [[0], [1]])


def test_a_coding_is_the_same_once_written_and_read():
    coding = fit_coding(TRAIN, ["age", "sex", "cage"], "here")
    assert CovariateCoding.from_json(json.loads(json.dumps(coding.to_json()))) == coding


def test_empty_text_is_missing_however_frequent():
    table = pd.DataFrame({"site": ["", "", " ", "east", "west", "east"]})
    coding = fit_coding(table, ["site"], "here")
    assert (coding.names, coding.columns[0].reference, coding.columns[0].is_number) == (
        ["site=west", "site missing"],
        "east",
        False,
    )
    found, notes = encode(table, coding, "here")
    assert (found.tolist(), notes) == ([[0, 1], [0, 1], [0, 1], [0, 0], [1, 0], [0, 0]], ())
    with pytest.raises(DataError, match="the covariate 'site' has no value in the train samples"):
        fit_coding(pd.DataFrame({"site": ["", " "]}), ["site"], "here")
    grouped = pd.DataFrame({"site": pd.Categorical(["", "east", "east"])})
    assert encode(grouped, fit_coding(grouped, ["site"], "here"), "here")[0].tolist() == [[1], [0], [0]]


def test_runs_of_earlier_versions_wrote_no_most_frequent_value_as_empty_text():
    content = fit_coding(TRAIN, ["age"], "here").to_json()
    assert content[0]["reference"] is None
    assert CovariateCoding.from_json([content[0] | {"reference": ""}]).columns[0].is_number


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"sex": ["f"]}, "there: there is no column 'age', which is a covariate of the model"),
        ({"sex": ["f"], "age": ["ten"]}, "there: the covariate 'age' is a number, but 1 samples have none, for example 'ten'"),
    ],
)
def test_samples_that_cannot_be_coded_are_refused(table, line):
    coding = fit_coding(TRAIN, ["age", "sex"], "here")
    with pytest.raises(DataError) as caught:
        encode(pd.DataFrame(table), coding, "there")
    assert str(caught.value).startswith(line)


def test_columns_that_say_who_a_sample_is_or_nothing_are_refused():
    many = pd.DataFrame({"name": [f"p{row}" for row in range(MOST_LEVELS + 1)], "none": None})
    with pytest.raises(DataError, match="'name' has 51 different texts in the train samples, more than 50"):
        fit_coding(many, ["name"], "here")
    with pytest.raises(DataError, match="'none' has no value in the train samples"):
        fit_coding(many, ["none"], "here")
    with pytest.raises(DataError, match="no column 'agee'"):
        fit_coding(TRAIN, ["agee"], "here")


CLASSES = ["a", "a", "b", "b", "c", "c", "a", "b"]
NUMBERS = [1.5, 1.5, 2.0, 2.0, 0.1, 0.1, 1.5, 2.0]
TELLING = pd.DataFrame(
    {
        "label": CLASSES,
        "same": CLASSES,
        "renamed": [{"a": "x", "b": "y", "c": "z"}[name] for name in CLASSES],
        "coded": [{"a": 3, "b": 1, "c": 2}[name] for name in CLASSES],
        "almost": ["x", "y", "y", "y", "z", "z", "x", "y"],
        "finer": ["1", "2", "3", "3", "4", "4", "1", "3"],
        "number": NUMBERS,
        "scaled": [10 - 3 * value for value in NUMBERS],
        "levels": CLASSES,
        "near": [*NUMBERS[:-1], 2.1],
    }
)


@pytest.mark.parametrize(
    ("covariate", "label"),
    [("same", "label"), ("renamed", "label"), ("coded", "label"), ("scaled", "number"), ("levels", "number")],
)
def test_a_covariate_that_equals_the_label_is_refused(covariate, label):
    with pytest.raises(ConfigError, match=f"the covariate '{covariate}' equals the label '{label}'"):
        refuse_telling(TELLING, [covariate], label, "", "here")


@pytest.mark.parametrize(("covariate", "label"), [("almost", "label"), ("finer", "label"), ("near", "number"), ("near", "label")])
def test_a_covariate_that_only_goes_with_the_label_passes(covariate, label):
    refuse_telling(TELLING, [covariate], label, "group", "here")


def test_two_columns_without_repeats_are_not_taken_for_each_other():
    table = pd.DataFrame({"age": [1.5, 2.5, 3.5, 9.5], "height": [3.1, 2.2, 7.7, 1.0]})
    refuse_telling(table, ["age"], "height", "", "here")


def test_label_group_and_repeated_covariates_are_refused_by_name():
    for covariates, line in (
        (["label"], "the covariate 'label' is the label"),
        (["almost"], "'almost' is both covariate and group"),
        (["near", "near"], "the covariate 'near' is named twice"),
    ):
        with pytest.raises(ConfigError, match=line):
            refuse_telling(TELLING, covariates, "label", "almost", "here")
