"""A user's own module is trained, compared, explained, and opened again with its code alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import genoken
from genoken.core.config import RunConfig, build, read_yaml
from genoken.core.errors import ConfigError, RunError
from genoken.core.files import read_json
from genoken.workflows.fold import fit_fold
from genoken.workflows.own_network import with_network


class Convolution(nn.Module):
    """A small network as a user would write it; it needs at least four features."""

    def __init__(self, num_features: int, channels: int, outputs: int) -> None:
        super().__init__()
        assert num_features > 3
        self.first = nn.Conv1d(channels, 8, 3, padding=1)
        self.last = nn.Linear(8 * num_features, outputs)

    def forward(self, values):
        return self.last(torch.relu(self.first(values.transpose(1, 2))).flatten(1))


class Other(Convolution):
    """Not the network that was trained: a map more."""

    def __init__(self, num_features: int, channels: int, outputs: int) -> None:
        super().__init__(num_features, channels, outputs)
        self.more = nn.Linear(2, 2)


@pytest.fixture(scope="module")
def own(cells_file, tiny, tmp_path_factory):
    """A run of a user's own network, with explanations and report."""
    changes = {"tokenizer.tokens": "all", "evaluation.baselines": ["majority", "linear"], "training.epochs": 6}
    folder = tmp_path_factory.mktemp("runs") / "own"
    return tiny(cells_file, folder, changes, full=True, network=Convolution)


def test_it_is_trained_evaluated_and_explained(own):
    test = own.metrics["test"]
    assert test["model"]["macro_f1"] > test["baselines"]["majority"]["macro_f1"] + 0.3
    assert set(own.metrics["ablation"]) == {"without_linear_path", "linear_path_alone"}
    assert own.metrics["verdict"].startswith("The user's own network with its linear path")
    ranking = own.explain(method="gradient", top=40)
    assert np.isfinite(ranking["importance"]).all()
    assert (own.folder / "explanations" / "genes.tsv").is_file()
    assert "own" in (own.folder / "report.html").read_text(encoding="utf-8")


def test_the_folder_says_whose_code_it_is_and_holds_none(own):
    written = read_yaml(own.folder / "config.yaml")["model"]["encoder"]
    assert written == {"kind": "own", "name": f"{__name__}.Convolution"}
    manifest = read_json(own.folder / "manifest.json")
    assert manifest["model"]["own_code"] == f"{__name__}.Convolution"
    assert "its code is not in this folder" in manifest["model"]["summary"]


def test_it_is_opened_with_the_same_code(own, cells_file):
    again = genoken.load_run(own.folder, network=Convolution)
    expected = own.predict(cells_file)
    found = again.predict(cells_file)
    assert found.equals(expected)
    again.explain(cells_file, method="gradient", top=3)


def test_without_the_code_or_with_other_code_it_is_one_line(own, lean):
    with pytest.raises(ConfigError, match=r"own: the network is its user's own code, .*Convolution, which no file holds — give it"):
        genoken.load_run(own.folder)
    with pytest.raises(RunError, match="the weights do not fit"):
        genoken.load_run(own.folder, network=Other)
    with pytest.raises(ConfigError, match="the run has no network of its user's own"):
        genoken.load_run(lean.folder, network=Convolution)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Convolution(5, 1, 2), "'network' is a module that is made already"),
        (lambda width: nn.Identity(), "cannot be called with three numbers"),
        (3, "cannot be called with three numbers"),
    ],
)
def test_what_is_no_code_for_a_network_is_refused(network, message):
    with pytest.raises(ConfigError, match=message):
        with_network(build(RunConfig, {}), network)


def test_the_command_line_has_no_word_for_it(cells_file):
    with pytest.raises(ConfigError, match="the network is its user's own code, which no file holds"):
        genoken.train(cells_file, label="cell_type", settings={"model.encoder.kind": "own", "tokenizer.tokens": "all"})


def test_genotypes_train_it_too(people, tmp_path):
    content = {
        "tokenizer": {"kind": "genotype", "encoding": "one_hot"},
        "model": {"linear_path": False},
        "training": {"epochs": 8, "batch_size": 16, "learning_rate": 0.01, "logger": "none"},
        "evaluation": {"baselines": ["majority"]},
    }
    config = with_network(build(RunConfig, content), Convolution)
    words = np.array(["train"] * 160 + ["val"] * 40 + ["test"] * 40)
    found = fit_fold(config, people, words, tmp_path, on_epoch=None)
    assert (found.predictions["model"].argmax(axis=1) == people.labels[200:]).mean() > 0.75
    again = fit_fold(config, people, words, tmp_path, on_epoch=None)  # read from the folder
    np.testing.assert_array_equal(again.predictions["model"], found.predictions["model"])
