"""From words to the arguments of the workflow, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from genoken.workflows.request import default_folder

DOCUMENTED = [
    ("--epochs 5", {"training.epochs": 5}),
    ("--batch-size 16", {"training.batch_size": 16}),
    ("--batch-size auto", {"training.batch_size": "auto"}),
    ("--memory-use aggressive", {"training.memory_use": "aggressive"}),
    ("--memory-fraction 0.5", {"training.memory_fraction": 0.5}),
    ("--tokens-per-batch 4096", {"training.tokens_per_batch": 4096}),
    ("--learning-rate 1e-4", {"training.learning_rate": 1e-4}),
    ("--weight-decay 0.1", {"training.weight_decay": 0.1}),
    ("--warmup 0", {"training.warmup": 0.0}),
    ("--patience 0", {"training.patience": 0}),
    ("--monitor macro_f1", {"training.monitor": "macro_f1"}),
    ("--accumulate 2", {"training.accumulate": 2}),
    ("--precision bf16", {"training.precision": "bf16"}),
    ("--attention eager", {"training.attention": "eager"}),
    ("--compile", {"training.compile": True}),
    ("--num-workers 2", {"training.num_workers": 2}),
    ("--eval-batch-size 64", {"training.eval_batch_size": 64}),
    ("--checkpoint-every 10", {"training.checkpoint_every": 10}),
    ("--keep-last 1", {"training.keep_last": 1}),
    ("--limit-samples 100", {"data.limit_samples": 100}),
    ("--gradient-checkpointing", {"training.gradient_checkpointing": True}),
    ("--logger csv", {"training.logger": "csv"}),
    ("--profile", {"training.profile": True}),
    ("--seed 7", {"training.seed": 7}),
    ("--devices 2", {"training.devices": 2}),
    ("--nodes 2", {"training.nodes": 2}),
    ("--strategy ddp", {"training.strategy": "ddp"}),
    ("--contrast random_split", {"evaluation.contrast": "random_split"}),
    ("--hvgs 500", {"tokenizer.hvgs": 500}),
    ("--tokens all", {"tokenizer.tokens": "all"}),
    ("--tokenizer continuous", {"tokenizer.kind": "continuous"}),
    ("--max-tokens 2048", {"tokenizer.max_tokens": 2048}),
    ("--source layers/counts", {"data.source": "layers/counts"}),
    ("--task regression", {"data.task": "regression"}),
    ("--min-coverage 0.3", {"data.min_coverage": 0.3}),
    ("--strict", {"data.strict": True}),
    ("--split random", {"split.kind": "random"}),
    ("--folds 5", {"split.folds": 5}),
    ("--split group --folds 5", {"split.kind": "folds", "split.folds": 5}),
    ("--split random --folds 5", {"split.kind": "random", "split.folds": 5}),
    ("--encoder transformer", {"model.encoder.kind": "transformer"}),
    ("--encoder mlp", {"model.encoder.kind": "mlp", "model.linear_path": False}),
    ("--encoder linear", {"model.encoder.kind": "linear", "model.linear_path": False, "model.head": "linear"}),
    ("--encoder mlp --set model.linear_path=true", {"model.encoder.kind": "mlp", "model.linear_path": True}),
    ("--baselines linear,majority", {"evaluation.baselines": ["linear", "majority"]}),
    ("--baselines none", {"evaluation.baselines": []}),
    ("--rivals mlp", {"evaluation.rivals": ["mlp"]}),
    ("--rivals scratch,linear", {"evaluation.rivals": ["scratch", "linear"]}),
    ("--split inherited", {"split.kind": "inherited"}),
    ("--pooling mean", {"model.pooling": "mean"}),
    ("--train-share 0.1", {"data.train_share": 0.1}),
    ("--freeze-layers 2", {"training.freeze_layers": 2}),
    ("--layer-decay 0.8", {"training.layer_decay": 0.8}),
    ("--set model.width=64 --set training.clip_norm=1e-1", {"model.width": 64, "training.clip_norm": 0.1}),
    ("--set training.epochs=3 --epochs 5", {"training.epochs": 5}),
    ("--epochs 5 --set training.epochs=3", {"training.epochs": 5}),
    (
        "--fast-dev-run --epochs 2 --set data.limit_samples=50",
        {
            "training.epochs": 2,
            "training.limit_batches": 4,
            "data.limit_samples": 50,
            "evaluation.bootstrap": 100,
            "evaluation.baselines": ["majority", "linear"],
        },
    ),
    ("--log-level debug --quiet", {}),
]


@pytest.fixture
def trained(recorded):
    return recorded("train")


@pytest.mark.parametrize(("words", "settings"), DOCUMENTED, ids=[words for words, _ in DOCUMENTED])
def test_every_documented_option_becomes_its_setting(call, trained, words, settings):
    answer = call("train", "cells.h5ad", "--label", "cell_type", *words.split())
    assert (answer.code, answer.error) == (0, "")
    (arguments,) = trained
    assert arguments["settings"] == settings
    assert {name: type(value) for name, value in arguments["settings"].items()} == {
        name: type(value) for name, value in settings.items()
    }


def test_the_workflow_gets_exactly_this(call, trained):
    words = "train data/cells.h5ad --label cell_type --group donor --positive B --preset mlp --overwrite -o runs/x --seed 3 --quiet"
    assert call(*words.split()).code == 0
    (arguments,) = trained
    show = arguments.pop("show")
    assert show.quiet is True
    assert arguments == {
        "arguments": (),
        "data": Path("data/cells.h5ad"),
        "label": "cell_type",
        "group": "donor",
        "positive": "B",
        "preset": "mlp",
        "overwrite": True,
        "settings": {"training.seed": 3},
        "output": Path("runs/x"),
    }


def test_what_is_not_typed_is_left_to_the_workflow(call, trained):
    assert call("train", "cells.h5ad").code == 0
    (arguments,) = trained
    show = arguments.pop("show")
    assert show.quiet is False
    assert arguments == {"arguments": (), "data": Path("cells.h5ad"), "settings": {}, "output": Path("runs/cells")}


def test_a_pretrained_network_to_start_from(call, trained):
    assert call("train", "cells.h5ad", "--label", "y", "--from", "runs/p").code == 0
    assert trained[0]["start_from"] == Path("runs/p")
    assert "from_" not in trained[0]


def test_three_files(call, trained):
    assert call("train", "--train", "a.h5ad", "--val", "b.h5ad", "--test", "c.h5ad", "--label", "y").code == 0
    (arguments,) = trained
    assert (arguments["data"], arguments["train"], arguments["val"], arguments["test"]) == (
        None,
        Path("a.h5ad"),
        Path("b.h5ad"),
        Path("c.h5ad"),
    )
    assert arguments["output"] == Path("runs/a-y")


def test_the_label_of_a_configuration_names_the_folder(call, trained, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("data: {label: cell_type}\n", encoding="utf-8")
    assert call("train", "cells.h5ad", "--config", config).code == 0
    assert trained[0]["config"] == config
    assert trained[0]["output"] == Path("runs/cells-cell_type")


@pytest.mark.parametrize(
    ("file", "label", "folder"),
    [
        ("cells.h5ad", "cell_type", "runs/cells-cell_type"),
        ("a/b.c.h5ad", "Cell type/level 1", "runs/b.c-Cell_type_level_1"),
        ("cells.h5ad", "", "runs/cells"),
    ],
)
def test_the_default_folder(file, label, folder):
    assert default_folder({"data": Path(file)}, label) == Path(folder)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--set epochs", "--set: 'epochs' is not of the form path=value"),
        ("--set training.epoch=3", "unknown option 'training.epoch' — did you mean 'epochs'"),
        ("--preset gene_transformr", "there is no preset 'gene_transformr' — did you mean 'gene_transformer'"),
        ("--config missing.yaml", "missing.yaml: the configuration file does not exist"),
        ("--batch-size 0", "'training.batch_size': input should be greater than or equal to 1, got 0"),
    ],
)
def test_wrong_settings_are_one_line(call, trained, words, part):
    answer = call("train", "cells.h5ad", *words.split())
    assert answer.code == 2
    assert part in answer.error
    assert answer.error.count("\n") == 1
    assert trained == []
