"""Columns of phenotypes typed by hand: what is missing, what is a number, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.phenotypes import missing_notes, phenotype_column

NAN = np.nan


@pytest.mark.parametrize(
    ("words", "case_codes", "expected", "coded"),
    [
        (["-9", "1.5", "-9.0", "-9.000", "-9e0"], False, [NAN, 1.5, NAN, NAN, NAN], {"-9": 4}),
        (["0", "1", "2", "2"], True, [NAN, 1, 2, 2], {"0": 1}),
        (["0", "1", "2", "2"], False, [0, 1, 2, 2], {}),
        (["0.0", "1.0", "2.0", "-9"], True, [NAN, 1, 2, NAN], {"-9": 1, "0": 1}),
        (["0", "1", "1"], True, [0, 1, 1], {}),  # no case: zeros and ones are a code of their own
        (["0", "1", "3"], True, [0, 1, 3], {}),
        (["NA", ".", " ", "null", "2.5"], True, [NAN, NAN, NAN, NAN, 2.5], {}),
        (["-9", "-9"], True, [NAN, NAN], {}),  # an empty column is nothing to speak of
        (["-0.3", "-2.1", "-9"], False, [-0.3, -2.1, NAN], {"-9": 1}),
        (["-999", "3", "-9"], False, [-999, 3, NAN], {"-9": 1}),
    ],
)
def test_columns_of_numbers(words, case_codes, expected, coded):
    found = phenotype_column(words, case_codes=case_codes)
    assert found.values.dtype == np.float64
    np.testing.assert_array_equal(found.values, expected)
    assert (dict(found.num_coded), found.keeps_code) == (coded, False)


@pytest.mark.parametrize("lowest", ["-8.5", "-10", "-18"])
def test_minus_nine_among_numbers_that_are_as_low_is_one_of_them(lowest):
    found = phenotype_column(["-8", "-9", lowest, ""], case_codes=True)
    np.testing.assert_array_equal(found.values, [-8, -9, float(lowest), NAN])
    assert (dict(found.num_coded), found.keeps_code) == ({}, True)


def test_a_column_with_a_word_is_text():
    found = phenotype_column(["black", "-9", "NA", "0", "2"], case_codes=True)
    assert [None if value is NAN or value != value else value for value in found.values] == ["black", None, None, "0", "2"]
    assert dict(found.num_coded) == {"-9": 1}


def test_what_is_said():
    columns = {
        "bmi": phenotype_column(["-9", "-9", "20"], case_codes=True),
        "case": phenotype_column(["-9", "0", "2"], case_codes=True),
        "score": phenotype_column(["-9", "-10", "2"], case_codes=True),
        "empty": phenotype_column(["-9", "-9", "-9"], case_codes=True),
    }
    assert missing_notes(columns) == (
        "-9 is read as missing: bmi (2), case (1)",
        "0 is read as missing where all numbers are 0, 1 and 2, as PLINK codes cases: case (1)",
        "-9 is read as a number among others that are as low: score",
    )
    many = {f"t{number}": phenotype_column(["-9", "1"], case_codes=True) for number in range(7)}
    assert missing_notes(many) == ("-9 is read as missing: t0 (1), t1 (1), t2 (1), t3 (1), t4 (1) and 2 other columns",)
