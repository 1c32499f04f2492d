"""How a run says how its samples were divided."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.config import DataSettings, RunConfig, build
from genoken.workflows import split_words
from genoken.workflows.inputs import build_study


@pytest.fixture
def study(samples):
    made = samples(y=["a", "b", "a", "b", "a", "b"], donor=["p", "p", "q", "q", "r", "r"])
    return build_study(made, DataSettings(label="y"), seed=0, guess_group=True)


FOLDS = np.array([["test", "train", "train", "test", "unused", "val"], ["train", "test", "test", "train", "test", "test"]])


def config_of(kind):
    return build(RunConfig, {"split": kind})


def test_split_sizes_are_averages_over_folds(study):
    found = split_words.split_summary(config_of("folds"), study, FOLDS)
    assert found["samples"] == {"train": 2, "val": 0, "test": 3}
    assert found["groups"] == {"train": 2, "val": 0, "test": 2}
    assert (found["kind"], found["group"], found["folds"], found["leaky"]) == ("folds", "donor", 2, True)
    assert found["note"] == "2-fold cross-validation over whole 'donor' groups (3 groups); every sample is tested once"


def test_many_networks_are_announced_with_a_way_to_train_fewer(study):
    many = np.full((11, 6), "train")
    assert split_words.many_networks_note(config_of("leave_group_out"), study, many) == (
        "11 networks will be trained, one without each value of 'donor', and then the run's own; --folds 5 in the place of "
        "--split leave_group_out keeps groups whole too, with 5"
    )
    assert split_words.many_networks_note(config_of("leave_group_out"), study, many[:10]) == ""
    assert split_words.many_networks_note(config_of("folds"), study, many) == ""


def test_a_split_is_leaky_where_a_group_is_learned_from_and_tested(study, samples):
    by_group = np.array([["train" if group == study.groups[0] else "test" for group in study.groups]])
    assert not split_words.is_leaky(study, by_group)
    assert split_words.is_leaky(study, np.array([["train", "test", "test", "test", "test", "test"]]))
    assert split_words.split_note(config_of("random"), study, FOLDS[:1]) == "one split of samples: 2 train / 1 val / 2 test"
    alone = build_study(samples(y=["a", "b"]), DataSettings(label="y"), seed=0, guess_group=True)
    assert not split_words.is_leaky(alone, np.array([["train", "test"]]))
    assert split_words.split_note(config_of("column"), study, FOLDS[:1]) == "as the column 'split' says"


def test_validation_on_train_groups_is_said(samples):
    made = samples(y=["a", "b"] * 4, donor=[name for name in "pqrs" for _ in "ab"])
    study = build_study(made, DataSettings(label="y"), seed=0, guess_group=True)
    shared = ["train", "val", "train", "val", "train", "train", "test", "test"]
    apart = ["test", "test", "val", "val", "train", "train", "train", "train"]
    rests = "so stopping and the weights of the model's summands rest on groups that the model has seen; the test groups are new"
    assert split_words.split_note(config_of("group"), study, np.array([shared])) == (
        "one split of whole 'donor' groups: 4 train / 2 val / 2 test. Validation samples come from train groups, " + rests
    )
    both = split_words.split_note(config_of("folds"), study, np.array([shared, apart]))
    assert both.endswith(f"; every sample is tested once. Validation samples come from train groups in 1 of 2 folds, {rests}")
    plain = build(RunConfig, {"split": "group", "training": {"weigh_summands": False}})
    assert ", so stopping rests on groups that the model has seen" in split_words.split_note(plain, study, np.array([shared]))
    assert "Validation" not in split_words.split_note(config_of("group"), study, np.array([apart]))
    assert "Validation" not in split_words.split_note(config_of("random"), study, np.array([shared]))
