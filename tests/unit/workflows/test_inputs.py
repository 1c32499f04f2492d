"""From samples to a study: targets, groups, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.config import DataSettings
from genoken.core.errors import ConfigError, DataError
from genoken.workflows.hashes import hash_of_samples
from genoken.workflows.inputs import _class_shares, _limited, build_study, has_split_column
from genoken.workflows.source import read_inputs, read_source


def study_of(samples, guess_group=True, **settings):
    return build_study(samples, DataSettings(label="y", **settings), seed=3, guess_group=guess_group)


def test_classes_are_sorted_and_coded(samples):
    study = study_of(samples(y=["b", "a", "c", "a"]))
    assert (study.task, study.classes, study.labels.tolist()) == ("classification", ("a", "b", "c"), [1, 0, 2, 0])
    assert study.named_labels().tolist() == ["b", "a", "c", "a"]
    assert (study.positive, study.group, study.groups, study.notes) == ("", "", None, ())


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([True, False, True], ("False", "True")),
        ([2, 10, 2], ("10", "2")),
        ([2.0, np.nan, 10.0], ("10", "2")),
        (pd.Categorical(["x", "y", "x"], categories=["y", "x", "z"]), ("x", "y")),
    ],
)
def test_columns_of_any_type_become_names(values, classes, samples):
    assert study_of(samples(y=values)).classes == classes


def test_one_against_two_is_named_after_both(samples):
    study = study_of(samples(y=["b", "a", "b"]), positive="a")
    assert (study.classes, study.labels.tolist(), study.positive) == (("b", "a"), [0, 1, 0], "a")


def test_one_against_all_others(samples):
    study = study_of(samples(y=["b", "a", "c"]), positive="b")
    assert (study.classes, study.labels.tolist()) == (("not b", "b"), [1, 0, 0])


def test_real_numbers_are_regressed_on(samples):
    study = study_of(samples(y=[0.5, 1.5, np.nan, -2.0]))
    assert (study.task, study.classes, study.labels.tolist()) == ("regression", (), [0.5, 1.5, -2.0])
    assert study.samples.table.index.tolist() == ["s0", "s1", "s3"]
    assert study.notes == ("1 sample has no value in 'y' and is left out",)


def test_a_positive_class_of_a_number_is_refused(samples):
    with pytest.raises(ConfigError) as caught:
        study_of(samples(y=[0.5, 1.5, -2.0]), positive="1.5")
    assert str(caught.value) == (
        "cells.h5ad:X: 'y' is a number to be regressed on, and has no class '1.5' — leave out --positive, choose another --label, "
        "or use --set data.task=classification"
    )
    assert study_of(samples(y=[0.5, 1.5, -2.0]), positive="1.5", task="classification").classes == ("not 1.5", "1.5")


def test_a_task_that_is_asked_for_is_taken(samples):
    assert study_of(samples(y=[0.5, 1.5]), task="classification").classes == ("0.5", "1.5")
    assert study_of(samples(y=[1, 2, 3]), task="regression").labels.tolist() == [1.0, 2.0, 3.0]
    assert study_of(samples(y=["1", "2.5"]), task="regression").labels.tolist() == [1.0, 2.5]


def test_empty_samples_are_counted_apart_from_unlabeled_ones(samples):
    values = np.ones((6, 4))
    values[[1, 2, 4]] = 0
    study = study_of(samples(values, y=["a", None, "b", "a", "b", "b"]))
    assert study.notes == (
        "1 sample has no value in 'y' and is left out",
        "2 samples have no values above zero and are left out",
    )
    assert study.samples.table.index.tolist() == ["s0", "s3", "s5"]


def test_groups_are_guessed_said_and_not_the_label(samples):
    study = study_of(samples(y=["a", "b", "a", "b"], Donor=["p", "p", "q", "q"]))
    assert (study.group, study.groups.tolist()) == ("Donor", ["p", "p", "q", "q"])
    assert "(--group names another)" in study.notes[0]
    assert study_of(samples(y=["a", "b"], donor=["p", "q"]), guess_group=False).groups is None
    table = samples(y=[0] * 4, donor=["a", "b", "a", "b"])
    assert build_study(table, DataSettings(label="donor"), seed=0, guess_group=True).group == ""


def test_a_group_that_is_the_label_is_refused(samples):
    with pytest.raises(ConfigError, match="'y' is both label and group"):
        study_of(samples(y=["a", "b"]), group="y")


def test_two_columns_of_one_name_are_refused(samples):
    made = samples(y=["a", "b"], z=["c", "d"])
    made.table.columns = ["y", "y"]
    with pytest.raises(DataError, match="there are 2 columns named 'y'"):
        study_of(made)


@given(st.lists(st.sampled_from("abc"), min_size=20, max_size=60).filter(lambda names: len(set(names)) > 1), st.integers(5, 20))
def test_a_limited_draw_keeps_every_class_and_depends_on_the_seed_alone(names, limit):
    classes = tuple(sorted(set(names)))
    labels = np.array([classes.index(name) for name in names])
    rows = _limited(labels, classes, limit, 1)
    np.testing.assert_array_equal(rows, _limited(labels, classes, limit, 1))
    assert (np.diff(rows) > 0).all()
    sizes = np.bincount(labels)
    least = np.minimum(sizes, 3)
    drawn = np.bincount(labels[rows], minlength=len(classes))
    assert (least <= drawn).all()
    assert (drawn <= sizes).all()
    assert len(rows) == max(limit, least.sum()) or limit > len(names)


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [
        ([100, 100, 100], 200, [67, 67, 66]),  # the same remainder three times: the first classes have it
        ([10, 20, 30], 30, [5, 10, 15]),
        ([54, 33, 13], 12, [6, 3, 3]),  # exactly 6.48, 3.96 and 1.56
        ([50, 30, 21], 10, [4, 3, 3]),  # exactly 4.95, 2.97 and 2.08
        ([1000, 2, 1000], 11, [4, 2, 5]),
        ([1000, 10, 10], 10, [4, 3, 3]),
        ([10, 10, 10], 5, [3, 3, 3]),
    ],
)
def test_shares_of_a_limited_draw_are_typed_by_hand(sizes, count, shares):
    found = _class_shares(np.array(sizes), count)
    assert found.tolist() == shares


def test_a_limited_draw_of_classes_has_exactly_that_many_and_says_so(samples):
    study = study_of(samples(y=["a", "b", "c"] * 100), limit_samples=200)
    assert study.samples.num_samples == 200
    assert study.notes == ("200 of 300 samples are used, as asked (data.limit_samples)",)
    more = study_of(samples(y=["a", "b", "c"] * 100), limit_samples=5)
    assert more.notes == ("9 of 300 samples are used, to have three of each class (data.limit_samples)",)


def test_a_limited_draw_of_numbers_has_exactly_that_many(samples):
    study = study_of(samples(y=np.linspace(0, 1, 30)), limit_samples=12)
    assert study.samples.num_samples == len(study.labels) == 12


@pytest.mark.parametrize(
    ("words", "is_split"),
    [
        (["train", "test"], True),
        (["Train", "VALIDATION", "test", "unused"], True),
        (["train", "val"], False),
        (["train", "test", "control"], False),
        ([0, 1], False),
    ],
)
def test_a_split_column_is_known_by_its_words(words, is_split):
    assert has_split_column(pd.DataFrame({"split": words})) == is_split
    assert not has_split_column(pd.DataFrame({"part": words}))


def test_hashes_tell_values_and_names_apart(samples):
    one = samples(np.eye(4), y=list("abcd"))
    other = samples(np.eye(4) * 2, y=list("abcd"))
    renamed = one.take(np.arange(4))
    renamed.table.index = ["t0", "s1", "s2", "s3"]
    assert hash_of_samples(one) == hash_of_samples(samples(np.eye(4), y=list("dcba")))
    assert len({hash_of_samples(found) for found in (one, other, renamed, one.take(np.array([1, 0, 2, 3])))}) == 4


def test_what_was_left_out_while_reading_is_the_study_s_first_note(samples):
    noted = replace(samples(y=["a", None, "b"]), notes=("2 samples have missing values and are left out",))
    assert study_of(noted).notes == (
        "2 samples have missing values and are left out",
        "1 sample has no value in 'y' and is left out",
    )


def test_missing_values_are_left_out_or_refused_when_strict(tmp_path):
    path = tmp_path / "panel.gct"
    path.write_text("#1.2\n2\t3\nName\tDescription\ts1\ts2\ts3\nG1\tna\t1.5\tNA\t3.5\nG2\tna\t-4\t5.5\t6.25\n")
    assert read_source(path, "auto").samples.num_samples == 2
    for read in (read_source, lambda data, source, strict: read_inputs({"data": data}, DataSettings(source=source, strict=strict))):
        with pytest.raises(DataError, match="1 sample has missing values"):
            read(path, "auto", strict=True)
