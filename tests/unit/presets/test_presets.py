"""What the presets fix, number by number, and that every line says what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig, RunConfig, build, read_yaml, to_dict
from genoken.core.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[3] / "src" / "genoken" / "presets"
NEXT_CELL = ("next_cell_106m", "next_cell_10m", "next_cell_8x512", "next_cell_small", "next_value_small")
PRETRAINING = ("geneformer_10m", "geneformer_small", "l1000_expression", "l1000_rank", *NEXT_CELL, "phenotype_mlm")
NAMES = ("gene_transformer", "gene_transformer_small", *PRETRAINING, "linear", "mlp", "single_effect")


def read(name: str) -> RunConfig:
    return build(RunConfig, read_yaml(FOLDER / f"{name}.yaml"), where=name)


def test_these_presets_are_there():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.yaml"))) == tuple(sorted(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_comment(name):
    lines = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    bare = [line for line in lines if ":" in line and not line.rstrip().endswith(":") and "#" not in line]
    assert bare == []


@pytest.mark.parametrize("name", NAMES)
def test_a_mistyped_name_would_be_refused(name):
    content = read_yaml(FOLDER / f"{name}.yaml")
    content["model"]["widht"] = content["model"].pop("width")
    with pytest.raises(ConfigError, match=r"unknown option 'model.widht'.*'width'"):
        build(PretrainConfig if name in PRETRAINING else RunConfig, content)


def test_gene_transformer_has_the_published_numbers():
    config = to_dict(read("gene_transformer"))
    model, training = config["model"], config["training"]
    assert model["width"] == 128
    assert model["encoder"] == {
        "kind": "transformer",
        "layers": 3,
        "heads": 8,
        "feed_forward": 256,
        "dropout": 0.1,
        "attention_dropout": 0.0,
    }
    assert model["embedding"] == {"combine": "multiplicative", "init": "random", "position": "none", "token_dropout": 0.0}
    assert (model["pooling"], model["head"], model["head_dropout"], model["linear_path"]) == ("cls", "mlp", 0.1, False)
    expected = {
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 1e-4,
        "weight_decay": 1e-4,
        "accumulate": 2,
        "clip_norm": 1.0,
        "patience": 5,
        "precision": "auto",
        "seed": 42,
    }
    assert {name: training[name] for name in expected} == expected
    assert (config["tokenizer"]["hvgs"], config["tokenizer"]["tokens"]) == (2000, "all")


def test_small_is_the_default_recipe_on_a_smaller_network():
    default, small = to_dict(build(RunConfig, {})), to_dict(read("gene_transformer_small"))
    assert (small["model"]["width"], small["model"]["encoder"]["layers"]) == (64, 2)
    assert small["model"]["width"] % small["model"]["encoder"]["heads"] == 0
    for section in ("data", "split", "objective", "training", "evaluation"):
        assert small[section] == default[section]
    assert small["model"]["embedding"] == default["model"]["embedding"]


@pytest.mark.parametrize(("name", "head"), [("mlp", "mlp"), ("linear", "linear")])
def test_rivals_are_pure(name, head):
    config = read(name)
    assert (kind_of(config.model.encoder), config.model.head, config.model.linear_path) == (name, head, False)


def test_single_effects_add_up_with_nothing_beside_them():
    model = to_dict(read("single_effect"))["model"]
    assert (model["head"], model["linear_path"], model["embedding"]["token_dropout"]) == ("linear", False, 0.0)
    assert model["width"] == model["encoder"]["effects"] + model["encoder"]["pairs"]


@pytest.mark.parametrize(
    ("name", "layers", "width", "feed_forward", "heads"),
    [("next_cell_10m", 6, 256, 512, 4), ("next_cell_8x512", 8, 512, 2048, 8), ("next_cell_106m", 12, 768, 3072, 12)],
)
def test_next_cell_presets_have_the_sizes_of_the_source(name, layers, width, feed_forward, heads):
    config = to_dict(build(PretrainConfig, read_yaml(FOLDER / f"{name}.yaml"), where=name))
    encoder = config["model"]["encoder"]
    assert (encoder["layers"], config["model"]["width"], encoder["feed_forward"], encoder["heads"]) == (
        layers, width, feed_forward, heads,
    )  # fmt: skip
    assert config["tokenizer"]["max_tokens"] == 2048


@pytest.mark.parametrize("name", NEXT_CELL)
def test_next_cell_presets_mask_what_they_ask_for_and_do_not_leak(name):
    config = to_dict(build(PretrainConfig, read_yaml(FOLDER / f"{name}.yaml"), where=name))
    (objective,) = config["objectives"]
    assert objective["kind"] == ("next_value" if name == "next_value_small" else "next_cell")
    assert (objective["mask_share"], objective["random_share"]) == (1.0, 0.0)
    successors = config["successors"]
    assert (successors["key"], successors["attention"], successors["without"]) == ("next_cell_ids", "strict", "skip")
    assert list(successors["controls"]) == ["reversed", "shuffled"]
