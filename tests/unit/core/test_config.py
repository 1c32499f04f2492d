"""Configuration: strict at every level, changed by path, and written so that it reads back equal."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core import components
from genoken.core.components import FAMILIES
from genoken.core.config import (
    EvaluationSettings,
    ModelSettings,
    RunConfig,
    TrainingSettings,
    build,
    component_from_dict,
    dump_yaml,
    merge,
    override,
    parse_assignment,
    read_yaml,
    to_dict,
)
from genoken.core.errors import ConfigError

MEMBERS = {
    "splits": ("Split", "assign", ("auto", "random")),
    "tokenizers": ("Tokenizer", "fit layout prepare encode lengths", ("continuous", "rank")),
    "encoders": ("Encoder", "build", ("transformer", "mlp")),
    "objectives": ("Objective", "fit head prepare loss predict", ("classify", "regress")),
    "baselines": ("Baseline", "fit predict", ("majority", "linear", "pca_linear", "nearest_neighbors")),
}
OPTIONS = {
    "auto": "folds: int = 0",
    "random": "fraction: float = 0.15",
    "continuous": "max_tokens: int = 1024",
    "rank": "max_tokens: int = 2048",
    "transformer": "layers: int = 3",
    "mlp": "hidden: tuple[int, ...] = (64, 32)",
}


@pytest.fixture(scope="module", autouse=True)
def parts(tmp_path_factory):
    """Small stand-ins for the families, so that these tests say nothing about the real members."""
    root = tmp_path_factory.mktemp("families")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(root))
    for family, (contract, methods, kinds) in MEMBERS.items():
        folder = root / f"config_{family}"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for kind in kinds:
            lines = [f"    {OPTIONS[kind]}", '    """An option."""'] if kind in OPTIONS else []
            body = [*lines, *(f"    {method} = None" for method in methods.split())]
            (folder / f"{kind}.py").write_text(
                f"from genoken.core.components import settings\nfrom genoken.core.contracts import {contract}\n\n"
                f"@settings\nclass Part({contract}):\n" + "\n".join(body) + "\n"
            )
        patch.setitem(FAMILIES, family, f"config_{family}")
    patch.setattr(components, "family_folder", lambda family: root / FAMILIES[family])
    yield
    patch.undo()
    for name in [name for name in sys.modules if name.startswith("config_")]:
        del sys.modules[name]


def fails(content, *, where=""):
    with pytest.raises(ConfigError) as caught:
        build(RunConfig, content, where=where)
    return str(caught.value)


def test_an_empty_configuration_holds_every_default():
    config = build(RunConfig, {})
    assert {name: value["kind"] for name, value in to_dict(config).items() if "kind" in value} == {
        "split": "auto",
        "tokenizer": "continuous",
        "objective": "classify",
    }
    assert components.kind_of(config.model.encoder) == "transformer"
    assert [components.kind_of(part) for part in config.evaluation.baselines] == [
        "majority",
        "linear",
        "pca_linear",
        "nearest_neighbors",
    ]
    assert config.training == TrainingSettings()
    assert config.model.width == 128


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"trainin": {}}, "unknown option 'trainin' — did you mean 'training'?"),
        ({"training": {"precison": 1}}, "unknown option 'training.precison' — did you mean 'precision'?"),
        (
            {"model": {"embedding": {"combin": "additive"}}},
            "unknown option 'model.embedding.combin' — did you mean 'combine'?",
        ),
        (
            {"model": {"encoder": {"kind": "transformer", "layer": 2}}},
            "unknown option 'model.encoder.layer' — did you mean 'layers'?",
        ),
        (
            {"evaluation": {"baselines": ["majority", {"kind": "linear", "c": 1}]}},
            "unknown option 'evaluation.baselines[1].c' — it has no options",
        ),
        ({"tokenizer": {"kind": "rank", "maxtokens": 3}}, "unknown option 'tokenizer.maxtokens' — did you mean 'max_tokens'?"),
    ],
)
def test_unknown_options_name_their_path_and_the_nearest(content, line):
    assert fails(content) == line
    assert fails(content, where="c.yaml") == f"c.yaml: {line}"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"training": {"epochs": "3"}}, "'training.epochs': input should be a valid integer, got '3' (str)"),
        ({"training": {"epochs": -1}}, "'training.epochs': input should be greater than or equal to 0, got -1 (int)"),
        ({"training": {"learning_rate": 0}}, "'training.learning_rate': input should be greater than 0, got 0 (int)"),
        ({"training": {"compile": 1}}, "'training.compile': input should be a valid boolean, got 1 (int)"),
        ({"model": {"head_dropout": 1.5}}, "'model.head_dropout': input should be less than or equal to 1, got 1.5 (float)"),
        ({"model": {"width": 12.0}}, "'model.width': input should be a valid integer, got 12.0 (float)"),
        (
            {"model": {"embedding": {"combine": "multiply"}}},
            "'model.embedding.combine': input should be 'affine', 'multiplicative', 'additive' or 'concatenate', "
            "got 'multiply' (str)",
        ),
        (
            {"model": {"encoder": {"kind": "transformer", "layers": True}}},
            "'model.encoder.layers': input should be a valid integer, got True (bool)",
        ),
        (
            {"model": {"encoder": {"kind": "mlp", "hidden": [8, "x"]}}},
            "'model.encoder.hidden.1': input should be a valid integer, got 'x' (str)",
        ),
        ({"training": 3}, "'training' must be a mapping of names to values, not 3 (int)"),
        (
            {"evaluation": {"rivals": ["cnn"]}},
            "'evaluation.rivals.0': input should be 'mlp', 'linear' or 'scratch', got 'cnn' (str)",
        ),
        ({"evaluation": {"baselines": "linear"}}, "'evaluation.baselines': input should be a valid tuple, got 'linear' (str)"),
    ],
)
def test_mistyped_values_name_their_path_and_what_was_got(content, line):
    assert fails(content) == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"tokenizer": "rnk"}, "tokenizer: 'rnk' is not one of the tokenizers — did you mean 'rank'?"),
        ({"tokenizer": {"kind": "rnk"}}, "tokenizer: 'rnk' is not one of the tokenizers — did you mean 'rank'?"),
        ({"model": {"encoder": "xyz"}}, "model.encoder: 'xyz' is not one of the encoders — known: mlp, transformer"),
        ({"tokenizer": 3}, "'tokenizer' needs a 'kind' — one of the tokenizers, for example 'tokenizer: {kind: …}'"),
        (
            {"evaluation": {"baselines": [{"c": 1}]}},
            "'evaluation.baselines[0]' needs a 'kind' — one of the baselines, for example 'evaluation.baselines[0]: {kind: …}'",
        ),
    ],
)
def test_unknown_kinds(content, line):
    assert fails(content) == line


def test_a_configuration_must_be_a_mapping():
    assert fails([1]) == "'the file' must be a mapping of names to values, not [1] (list)"


def test_options_without_a_kind_belong_to_the_default_kind():
    config = build(RunConfig, {"tokenizer": {"max_tokens": 7}, "model": {"encoder": {"layers": 1}}})
    assert (components.kind_of(config.tokenizer), config.tokenizer.max_tokens) == ("continuous", 7)
    assert (components.kind_of(config.model.encoder), config.model.encoder.layers) == ("transformer", 1)


def test_sections_that_stand_empty_hold_their_defaults():
    assert build(RunConfig, {"training": None, "model": {"embedding": None}}) == build(RunConfig, {})


def test_components_may_be_given_as_objects():
    encoder = component_from_dict("encoders", {"kind": "mlp", "hidden": [5]})
    assert encoder.hidden == (5,)
    assert build(ModelSettings, {"encoder": encoder}, path="model").encoder is encoder


def test_a_component_of_another_family_is_refused():
    with pytest.raises(ConfigError, match=r"'model\.encoder': input should be an instance of Encoder"):
        build(ModelSettings, {"encoder": component_from_dict("splits", "auto")}, path="model")


changes = st.fixed_dictionaries(
    {},
    optional={
        "data": st.fixed_dictionaries(
            {},
            optional={
                "label": st.text(),
                "min_coverage": st.floats(0, 1),
                "limit_samples": st.integers(0, 10**6),
                "strict": st.booleans(),
            },
        ),
        "split": st.just({"kind": "random", "fraction": 0.25}),
        "tokenizer": st.builds(lambda count: {"kind": "rank", "max_tokens": count}, st.integers(1, 10**5)),
        "model": st.fixed_dictionaries(
            {},
            optional={
                "width": st.integers(1, 4096),
                "encoder": st.builds(lambda hidden: {"kind": "mlp", "hidden": hidden}, st.lists(st.integers(1, 99), max_size=3)),
                "embedding": st.fixed_dictionaries(
                    {"combine": st.sampled_from(["additive", "concatenate"]), "token_dropout": st.floats(0, 1)}
                ),
            },
        ),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.floats(1e-12, 1e3),
                "weight_decay": st.floats(0, 1),
                "epochs": st.integers(1, 10**4),
                "compile": st.booleans(),
                "precision": st.sampled_from(["auto", "bf16", "fp32"]),
            },
        ),
        "evaluation": st.fixed_dictionaries(
            {
                "baselines": st.lists(st.sampled_from(["majority", "linear"]), max_size=2),
                "rivals": st.sampled_from([[], ["mlp"], ["linear", "mlp"]]),
            }
        ),
    },
)


@given(content=changes)
def test_a_written_configuration_reads_back_equal(tmp_path_factory, content):
    config = build(RunConfig, content)
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_text(dump_yaml(config), encoding="utf-8")
    again = build(RunConfig, read_yaml(path))
    assert again == config
    assert hash(again) == hash(config)
    assert build(RunConfig, to_dict(config)) == config


def test_a_written_configuration_holds_every_option_and_no_tags():
    text = dump_yaml(build(RunConfig, {"data": {"label": "no", "positive": "1e-3"}}))
    content = to_dict(build(RunConfig, {}))
    assert list(content) == ["data", "split", "tokenizer", "model", "objective", "training", "evaluation"]
    assert set(content["training"]) == {field.name for field in dataclasses.fields(TrainingSettings)}
    assert set(content["evaluation"]) == {field.name for field in dataclasses.fields(EvaluationSettings)}
    assert "!!" not in text
    assert "positive: '1e-3'" in text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: [1", "this is not valid YAML"),
        ("- 1\n- 2", "a configuration is a mapping of names to values, not list"),
        ("just words", "a configuration is a mapping of names to values, not str"),
        ("a: 1\na: 2", "'a' is given twice"),
        ("!!python/object/apply:os.getcwd []", "this is not valid YAML"),
    ],
)
def test_files_that_are_not_configurations(tmp_path, text, error):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: the configuration file does not exist"):
        read_yaml(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "binary.yaml")


def test_an_empty_file_is_an_empty_configuration(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "c.yaml") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.width=64", ("model.width", 64)),
        ("training.learning_rate=1e-3", ("training.learning_rate", 0.001)),
        ("training.learning_rate = 1e-4", ("training.learning_rate", 0.0001)),
        ("training.compile=true", ("training.compile", True)),
        ("data.label=no", ("data.label", "no")),
        ("data.label=a=b", ("data.label", "a=b")),
        ("data.group=", ("data.group", "")),
        ("data.group=null", ("data.group", None)),
        ("evaluation.rivals=[mlp, linear]", ("evaluation.rivals", ["mlp", "linear"])),
        ("split={kind: random}", ("split", {"kind": "random"})),
    ],
)
def test_assignments(text, expected):
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["model.width", "=3", " =3", "model.width=[1", ""])
def test_assignments_that_are_none(text):
    with pytest.raises(ConfigError, match=r"^--set: "):
        parse_assignment(text)


def test_override_sets_paths_and_leaves_its_input_alone():
    content = {"training": {"epochs": 3, "seed": 1}, "tokenizer": "rank"}
    changed = override(content, {"training.epochs": 5, "tokenizer.max_tokens": 9, "model.embedding.combine": "additive", "a": 1})
    assert changed == {
        "training": {"epochs": 5, "seed": 1},
        "tokenizer": {"kind": "rank", "max_tokens": 9},
        "model": {"embedding": {"combine": "additive"}},
        "a": 1,
    }
    assert content == {"training": {"epochs": 3, "seed": 1}, "tokenizer": "rank"}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_changed_kind_drops_the_old_options_whatever_the_order(reverse):
    content = to_dict(build(RunConfig, {}))
    assignments = {"tokenizer.max_tokens": 5, "tokenizer.kind": "rank", "model.encoder.hidden": [3], "model.encoder": "mlp"}
    if reverse:
        assignments = dict(reversed(assignments.items()))
    changed = override(content, assignments)
    assert changed["tokenizer"] == {"kind": "rank", "max_tokens": 5}
    assert changed["model"]["encoder"] == {"kind": "mlp", "hidden": [3]}
    assert build(RunConfig, changed).model.encoder.hidden == (3,)


def test_an_unchanged_kind_keeps_its_options():
    assert override({"tokenizer": {"kind": "rank", "max_tokens": 5}}, {"tokenizer.kind": "rank"}) == {
        "tokenizer": {"kind": "rank", "max_tokens": 5}
    }


def test_items_of_lists_are_set_by_their_place():
    content = {"objectives": ["masked_value", {"kind": "phenotype", "drop": 0.1}], "edges": [1.0, 2.0]}
    changes = {"objectives.0.probability": 0.2, "objectives.1.drop": 0.0, "edges.1": 3.0}
    assert override(content, changes) == {
        "objectives": [{"kind": "masked_value", "probability": 0.2}, {"kind": "phenotype", "drop": 0.0}],
        "edges": [1.0, 3.0],
    }
    assert content == {"objectives": ["masked_value", {"kind": "phenotype", "drop": 0.1}], "edges": [1.0, 2.0]}
    assert override(content, {"objectives.1.kind": "masked_value"})["objectives"][1] == {"kind": "masked_value"}
    whole = override(content, {"objectives.0.weight": 3.0, "objectives": ["masked_feature"]})
    assert whole["objectives"] == [{"kind": "masked_feature", "weight": 3.0}]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("list.2", "'list.2': the list has no item '2' — it has items 0 to 1"),
        ("list.2.weight", "'list.2.weight': the list has no item '2' — it has items 0 to 1"),
        ("list.-1", "'list.-1': the list has no item '-1' — it has items 0 to 1"),
        ("list.kind", "'list.kind': the list has no item 'kind' — it has items 0 to 1"),
        ("one.1", "'one.1': the list has no item '1' — it has item 0"),
        ("none.0", "'none.0': there is no list that has an item 0 — set the whole list, or name a preset that has one"),
    ],
)
def test_items_that_a_list_does_not_have(path, line):
    with pytest.raises(ConfigError) as caught:
        override({"list": [1, 2], "one": [1]}, {path: 3})
    assert str(caught.value) == line


def test_merge_lays_one_over_the_other():
    base = {"training": {"epochs": 3, "seed": 1}, "tokenizer": {"kind": "rank", "max_tokens": 5}, "split": "auto", "list": [1, 2]}
    assert merge(base, {"training": {"epochs": 4}, "list": [3]})["training"] == {"epochs": 4, "seed": 1}
    assert merge(base, {"list": [3]})["list"] == [3]
    assert merge(base, {"tokenizer": {"max_tokens": 6}})["tokenizer"] == {"kind": "rank", "max_tokens": 6}
    assert merge(base, {"tokenizer": {"kind": "continuous"}})["tokenizer"] == {"kind": "continuous"}
    assert merge(base, {"tokenizer": "continuous"})["tokenizer"] == "continuous"
    assert merge(base, {"split": {"kind": "auto", "folds": 3}})["split"] == {"kind": "auto", "folds": 3}
    assert base["training"] == {"epochs": 3, "seed": 1}


def test_merge_does_not_share_with_its_inputs():
    base, change = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    merged = merge(base, change)
    merged["a"]["b"].append(9)
    merged["c"]["d"].append(9)
    assert (base, change) == ({"a": {"b": [1]}}, {"c": {"d": [2]}})
