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
GENOTYPES = ("genotype", "snp_fast_prototype", "snp_large_multi_gpu", "snp_medium_gpu", "snp_memory_constrained", "snp_production",
             "snp_small_cpu")  # fmt: skip
NAMES = ("gene_transformer", "gene_transformer_small", *GENOTYPES, *PRETRAINING, "haploblock", "linear", "mlp", "single_effect")


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
        "window": 0,
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
    ("name", "channels", "training"),
    [
        ("snp_small_cpu", (32, 64), {"epochs": 50, "batch_size": 16, "patience": 10, "precision": "fp32"}),
        ("snp_fast_prototype", (16, 32), {"epochs": 10, "batch_size": 32, "patience": 5}),
    ],
)
def test_convolutional_presets_have_the_numbers_of_the_source(name, channels, training):
    config = read(name)
    encoder, written = config.model.encoder, to_dict(config)["training"]
    assert (kind_of(encoder), encoder.channels, encoder.kernel_sizes, encoder.dropout) == ("cnn", channels, (3, 5, 7), 0.3)
    assert config.model.head_dropout == 0.3
    assert {option: written[option] for option in training} == training
    assert written["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("name", "size", "training"),
    [
        ("snp_medium_gpu", (128, 4, 8, 512, 0.2), {"batch_size": "auto", "learning_rate": 1e-4, "patience": 15, "compile": True}),
        (
            "snp_large_multi_gpu",
            (256, 6, 16, 1024, 0.2),
            {"epochs": 150, "batch_size": "auto", "learning_rate": 5e-5, "accumulate": 2, "patience": 20, "compile": True,
             "gradient_checkpointing": True, "devices": 4, "strategy": "ddp"},
        ),
        ("snp_memory_constrained", (64, 3, 8, 256, 0.3), {"batch_size": 8, "accumulate": 4, "gradient_checkpointing": True}),
        ("snp_production", (128, 4, 8, 512, 0.0), {"batch_size": 64, "compile": True, "num_workers": 8}),
    ],
)  # fmt: skip
def test_presets_with_patches_have_the_numbers_of_the_source(name, size, training):
    config = read(name)
    encoder, written = config.model.encoder, to_dict(config)["training"]
    assert kind_of(encoder) == "cnn_transformer"
    assert (config.model.width, encoder.layers, encoder.heads, encoder.feed_forward, encoder.dropout) == size
    assert (encoder.channels, encoder.kernel_size, config.model.head_dropout) == ((32, 64), 5, encoder.dropout)
    assert {option: written[option] for option in training} == training


@pytest.mark.parametrize("name", [name for name in GENOTYPES if name != "genotype"])
def test_presets_of_the_source_have_what_all_of_it_has(name):
    config = read(name)
    training = config.training
    assert (config.tokenizer.encoding, config.model.linear_path) == ("genotype8", False)
    assert (training.weight_decay, training.clip_norm, training.schedule, training.average_decay) == (1e-5, 1.0, "cosine", 0.0)


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


def test_haploblock_has_the_size_of_the_source():
    config = read("haploblock")
    encoder = to_dict(config.model)["encoder"]
    assert (config.model.width, config.model.head_dropout) == (128, 0.2)
    assert [encoder[name] for name in ("layers", "heads", "feed_forward", "dropout", "window")] == [4, 8, 512, 0.2, 0]
