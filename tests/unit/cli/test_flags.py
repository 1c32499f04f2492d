"""The table of flags: every path is a setting of that type, every choice is one that the configuration takes."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

from genoken.cli import flags
from genoken.cli.flags import PRETRAIN_FLAGS, TRAIN_FLAGS, Flag, one_of, read_flags, with_choices
from genoken.core.components import kinds
from genoken.core.config import RunConfig, build, override, to_dict
from genoken.core.errors import ConfigError

SETTINGS = [flag for flag in TRAIN_FLAGS if flag.path]
EXAMPLES = {int: 3, float: 0.25, bool: True, str: "X"}
BINNED = {"tokenizer.kind": "binned"}
NEED_KIND = {"split.folds": {"split.kind": "folds"}, "tokenizer.top_genes": BINNED, "tokenizer.edges": BINNED}


def value_at(content: dict, path: str):
    place = content
    for part in path.split("."):
        place = place[part]
    return place


def example_of(flag: Flag):
    if flag.several and not flag.choices:
        return flag.read("0.5,2")
    return flag.read(flag.choices[0]) if flag.choices else EXAMPLES[flag.type]


@pytest.mark.parametrize("flag", SETTINGS, ids=lambda flag: flag.name)
def test_every_path_is_a_setting_of_the_flags_type(flag):
    value = example_of(flag)
    built = build(RunConfig, override({}, NEED_KIND.get(flag.path, {}) | {flag.path: value}))
    found = value_at(to_dict(built), flag.path)
    if flag.name == "baselines":
        found = [baseline["kind"] for baseline in found]
    assert found == value


@pytest.mark.parametrize("flag", [flag for flag in SETTINGS if flag.choices], ids=lambda flag: flag.name)
def test_every_choice_is_taken_by_the_configuration(flag):
    for word in flag.choices:
        build(RunConfig, override({}, {flag.path: flag.read(word)}))


@pytest.mark.parametrize(
    ("name", "owner", "field"),
    [
        ("precision", "training", "precision"),
        ("attention", "training", "attention"),
        ("monitor", "training", "monitor"),
        ("logger", "training", "logger"),
        ("strategy", "training", "strategy"),
        ("contrast", "evaluation", "contrast"),
        ("task", "data", "task"),
    ],
)
def test_choices_are_all_that_the_configuration_takes(name, owner, field):
    section = getattr(build(RunConfig, {}), owner)
    hint = typing.get_type_hints(type(section))[field]
    flag = next(flag for flag in TRAIN_FLAGS if flag.name == name)
    assert flag.choices == typing.get_args(hint)


def test_kinds_come_from_the_families():
    choices = {flag.name: flag.choices for flag in TRAIN_FLAGS}
    assert choices["split"] == kinds("splits")
    assert choices["encoder"] == kinds("encoders")
    assert choices["tokenizer"] == kinds("tokenizers")
    assert choices["baselines"] == (*kinds("baselines"), "none")


def test_names_and_paths_are_given_once():
    names = [flag.name for flag in TRAIN_FLAGS]
    paths = [flag.path for flag in SETTINGS]
    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)


def test_only_what_was_typed_is_a_setting():
    given = read_flags({"epochs": 5, "warmup": 0.0, "strict": False, "seed": None, "set": [], "label": "cell_type", "quiet": True})
    assert given.settings == {"training.epochs": 5, "training.warmup": 0.0}
    assert given.others == {"label": "cell_type", "quiet": True}
    assert read_flags({}).settings == {}


def test_zero_counts_as_typed():
    assert read_flags({"patience": 0, "hvgs": 0}).settings == {"training.patience": 0, "tokenizer.hvgs": 0}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("linear", ["linear"]), ("linear, majority", ["linear", "majority"]), ("none", []), ("linear,", ["linear"])],
)
def test_several_words(typed, meant):
    assert read_flags({"baselines": typed}).settings == {"evaluation.baselines": meant}


def test_several_numbers():
    assert read_flags({"bin_edges": "0.1, 5e-1,2"}).settings == {"tokenizer.edges": [0.1, 0.5, 2.0]}
    with pytest.raises(ConfigError) as caught:
        read_flags({"bin_edges": "0.1,high"})
    assert str(caught.value) == "--bin-edges: 'high' is not a number — for example: 0.1,0.5"


def test_pretraining_takes_them_as_well():
    typed = {"bin_edges": "0.1", "top_genes": 2000, "evaluate_every": 50, "checkpoint_every": 100}
    assert read_flags(typed, PRETRAIN_FLAGS).settings == {
        "tokenizer.edges": [0.1],
        "tokenizer.top_genes": 2000,
        "training.evaluate_every": 50,
        "training.checkpoint_every": 100,
    }


def test_none_is_refused_beside_others():
    with pytest.raises(ConfigError):
        build(RunConfig, override({}, read_flags({"baselines": "linear,none"}).settings))


def test_a_wrong_word_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        read_flags({"split": "grup"})
    assert str(caught.value) == "--split: 'grup' is not among its words — did you mean 'group'?"
    with pytest.raises(ConfigError, match=r"--baselines: 'linaer'.*'linear'"):
        read_flags({"baselines": "majority,linaer"})


def test_a_word_far_from_all_lists_them():
    with pytest.raises(ConfigError, match="choose among: auto, bf16, fp16, fp32"):
        one_of("zzz", flags.PRECISIONS, "--precision")


def test_choices_stand_in_the_help():
    assert with_choices("Number format.", ("a", "b")) == "Number format: a, b."
    assert with_choices("Epochs.", ()) == "Epochs."


def test_flags_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TRAIN_FLAGS[0].name = "other"
    assert TRAIN_FLAGS[3].type is Path
