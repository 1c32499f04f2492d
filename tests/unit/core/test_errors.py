"""Errors: one line with its place and its remedy, and suggestions that are near."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import (
    ConfigError,
    DataError,
    GenokenError,
    MissingExtraError,
    RunError,
    TrainingError,
    nearest,
    suggestion,
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (GenokenError("it is broken"), "it is broken"),
        (DataError("the file is cut off", where="cells.h5ad"), "cells.h5ad: the file is cut off"),
        (ConfigError("unknown option 'a'", remedy="did you mean 'b'?"), "unknown option 'a' — did you mean 'b'?"),
        (RunError("no weights", where="runs/x", remedy="train again"), "runs/x: no weights — train again"),
    ],
)
def test_an_error_is_one_line(error, line):
    assert str(error) == line
    assert isinstance(error, GenokenError)


def test_an_error_keeps_its_parts():
    error = TrainingError("the loss is not finite", where="step 7", remedy="lower the learning rate")
    assert (error.message, error.where, error.remedy) == ("the loss is not finite", "step 7", "lower the learning rate")


def test_a_missing_extra_says_how_to_install_it():
    line = str(MissingExtraError("wandb", "track"))
    assert line == "the optional package 'wandb' is not installed — install it with: pip install 'genoken[track]'"


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("learning_rat", ["learning_rate", "weight_decay", "epochs"], ["learning_rate"]),
        ("LEARNING_RATE", ["learning_rate"], ["learning_rate"]),
        ("cell_typ", ["Cell_Type", "donor"], ["Cell_Type"]),
        ("xyz", ["learning_rate"], []),
        ("ab", [], []),
    ],
)
def test_nearest(name, known, expected):
    assert nearest(name, known) == expected


def test_nearest_is_best_first_and_bounded():
    assert nearest("epoch", ["epochs", "epoch", "epochs_", "epoch_s", "other"], count=2) == ["epoch", "epochs"]


@given(st.lists(st.text(min_size=1), min_size=1, unique_by=str.lower), st.data())
def test_a_known_name_is_nearest_to_itself(known, data):
    name = data.draw(st.sampled_from(known))
    assert nearest(name, known)[0].lower() == name.lower()


def test_suggestion_names_the_nearest_or_lists_what_there_is():
    assert suggestion("ranks", ["rank", "binned"]) == "did you mean 'rank'?"
    assert suggestion("donor1", ["donor_1", "donor_2"]) == "did you mean 'donor_1' or 'donor_2'?"
    assert suggestion("zzz", ["rank", "binned"], "columns") == "columns: rank, binned"
    assert suggestion("zzz", [], "column") == "there is no column name to choose from"
    assert suggestion("q", [f"name{index:02d}" for index in range(13)]).endswith("name11, …")
    assert not suggestion("q", [f"name{index:02d}" for index in range(12)]).endswith("…")


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(DataError("bad", where="file", remedy="mend it")))
    assert str(error) == "file: bad — mend it"
