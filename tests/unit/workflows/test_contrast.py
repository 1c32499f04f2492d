"""The random split beside a run by groups has its shares and folds."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.config import DataSettings
from genoken.core.errors import DataError
from genoken.workflows.contrast import random_split, random_words
from genoken.workflows.inputs import build_study

NUM_SAMPLES = 60


@pytest.fixture
def study(samples):
    made = samples(y=["a", "b"] * (NUM_SAMPLES // 2), donor=list(np.repeat([f"d{i}" for i in range(12)], 5)))
    return build_study(made, DataSettings(label="y"), seed=0, guess_group=True)


def sizes(words):
    return [[int((row == part).sum()) for part in ("train", "val", "test", "unused")] for row in words]


def test_a_single_split_is_contrasted_with_a_single_split_of_its_shares(study):
    by_group = np.repeat(["train"] * 7 + ["val"] * 2 + ["test"] * 3, 5)[None]
    words = random_words(random_split(by_group), study, by_group, 0)
    assert sizes(words) == sizes(by_group) == [[35, 10, 15, 0]]
    straddling = set(study.groups[words[0] == "test"]) & set(study.groups[words[0] == "train"])
    assert len(straddling) > 6


def test_folds_are_contrasted_with_as_many_folds(study):
    by_group = np.stack([np.repeat(np.roll(["test"] * 4 + ["val"] * 2 + ["train"] * 6, 4 * fold), 5) for fold in range(3)])
    words = random_words(random_split(by_group), study, by_group, 0)
    assert sizes(words) == sizes(by_group) == [[30, 10, 20, 0]] * 3
    assert ((words == "test").sum(axis=0) == 1).all()


def test_what_is_unused_stays_unused(study):
    given = np.repeat(["unused"] * 6 + ["train"] * 3 + ["val"] + ["test"] * 2, 5)[None]
    words = random_words(random_split(given), study, given, 0)
    assert sizes(words) == sizes(given)
    assert ((words == "unused") == (given == "unused")).all()


def test_classes_that_are_too_small_are_refused(samples):
    made = samples(y=["a"] * 18 + ["b"] * 2, donor=list("pqrs") * 5)
    study = build_study(made, DataSettings(label="y"), seed=0, guess_group=True)
    words = np.array([["train"] * 10 + ["val"] * 5 + ["test"] * 5])
    with pytest.raises(DataError):
        random_words(random_split(words), study, words, 0)
