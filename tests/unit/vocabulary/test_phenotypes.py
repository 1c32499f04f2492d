"""Phenotype vocabularies: entries, ranges, what is missing or new, and given maps."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.vocabulary.phenotypes import UNKNOWN_ENTRY, PhenotypeVocabulary

TRAIN = pd.DataFrame(
    {
        "tissue": pd.Categorical(["lung", "blood", None, " lung ", "blood"], categories=["spleen", "lung", "blood", " lung "]),
        "sex": ["male", "female", "unknown", np.nan, "NA"],
        "stage": [2, 10, 2, 1, 1],
    }
)
VOCABULARY = PhenotypeVocabulary(("sex", "stage", "tissue"), (("female", "male"), ("1", "10", "2"), ("blood", "lung")))


def test_columns_and_categories_are_those_of_the_train_samples_in_sorted_order():
    assert PhenotypeVocabulary.fit(TRAIN, ["tissue", "sex", "stage"]) == VOCABULARY
    assert PhenotypeVocabulary.fit(TRAIN, ["sex"]).to_map() == {"sex": ["female", "male"]}


def test_entries_are_typed_by_hand():
    assert UNKNOWN_ENTRY == 2
    assert VOCABULARY.bounds == (3, 5, 8, 10)
    assert VOCABULARY.num_entries == 10
    codes = VOCABULARY.codes(TRAIN)
    assert codes.dtype == np.int64
    assert codes.tolist() == [[4, 7, 9], [3, 6, 8], [2, 7, 2], [2, 5, 9], [2, 5, 8]]


def test_values_and_columns_that_are_new_or_absent_are_unknown_and_counted():
    other = pd.DataFrame({"tissue": ["liver", "blood", "liver", None], "stage": ["10", "x", "unknown", "1"]})
    assert VOCABULARY.codes(other).tolist() == [[2, 6, 2], [2, 2, 8], [2, 2, 2], [2, 5, 2]]
    assert VOCABULARY.count_new(other) == {"stage": {"x": 1}, "tissue": {"liver": 2}}
    assert VOCABULARY.count_new(TRAIN) == {}


def test_a_given_map_is_sorted_and_goes_to_json_and_back():
    given_map = {"tissue": ["lung", " blood"], "sex": ["male", "female"], "stage": ["2", "10", "1"]}
    assert PhenotypeVocabulary.from_map(given_map) == VOCABULARY
    assert PhenotypeVocabulary.from_map(json.loads(json.dumps(VOCABULARY.to_map()))) == VOCABULARY


def test_a_word_for_missing_is_a_category_where_a_map_names_it():
    vocabulary = PhenotypeVocabulary.from_map({"sex": ["unknown", "male"]})
    assert vocabulary.codes(TRAIN[["sex"]]).ravel().tolist() == [3, 2, 4, 2, 2]
    assert vocabulary.count_new(TRAIN) == {"sex": {"female": 1}}


def test_a_map_is_read_from_a_file(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"sex": ["male", "female"]}))
    assert PhenotypeVocabulary.read(path).columns == ("sex",)
    path.write_text('{"sex": ["male"')
    with pytest.raises(DataError, match=r"map\.json: .*not valid JSON"):
        PhenotypeVocabulary.read(path)
    with pytest.raises(DataError, match=r"absent\.json: the file does not exist"):
        PhenotypeVocabulary.read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "object of columns"),
        ({}, "object of columns"),
        ({"sex": {}}, "'sex' has no list"),
        ({"sex": []}, "'sex' has no list"),
        ({"sex": "male"}, "'sex' has no list"),
        ({"sex": ["male", 3]}, "not a name: 3"),
        ({"sex": ["male", " "]}, "not a name"),
        ({"sex": ["male", "female", "male "]}, "'male' twice"),
        ({"": ["a"]}, "not the name of a column"),
        ({3: ["a"]}, "3 is not the name of a column"),
    ],
)
def test_other_maps_are_refused(content, message):
    with pytest.raises(DataError, match=message) as raised:
        PhenotypeVocabulary.from_map(content, where="map.json")
    assert str(raised.value).startswith("map.json: ")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["tisue"], r"no phenotype column 'tisue' — did you mean 'tissue'"),
        (["sex", "sex"], "named twice"),
        (["nothing"], "no value in any train sample"),
        (["identifier"], "6,000 different values"),
    ],
)
def test_columns_that_cannot_be_used_are_named(columns, message):
    table = pd.DataFrame({"tissue": ["a"] * 6000, "sex": ["b"] * 6000, "nothing": [None] * 6000})
    table["identifier"] = [f"cell{number}" for number in range(6000)]
    with pytest.raises(DataError, match=message):
        PhenotypeVocabulary.fit(table, columns, where="cells.h5ad")


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(["x", "y", ""])), min_size=1, max_size=20))
def test_every_entry_names_its_value(pairs):
    table = pd.DataFrame(pairs, columns=["one", "two"])
    known = [name for name in ("one", "two") if table[name].isin(list("abcxy")).any()]
    vocabulary = PhenotypeVocabulary.fit(table, known)
    codes = vocabulary.codes(table)
    for index, name in enumerate(vocabulary.columns):
        low, high = vocabulary.bounds[index : index + 2]
        for value, code in zip(table[name], codes[:, index], strict=True):
            if value in (None, ""):
                assert code == UNKNOWN_ENTRY
            else:
                assert low <= code < high
                assert vocabulary.categories[index][code - low] == value


def test_a_vocabulary_is_sorted_and_complete():
    for columns, categories in [
        (("b", "a"), (("x",), ("y",))),
        (("a",), ()),
        (("a",), ((),)),
        (("a",), (("y", "x"),)),
        (("a",), (("x", "x"),)),
    ]:
        with pytest.raises(ValueError, match="sorted"):
            PhenotypeVocabulary(columns, categories)
