"""Switches that were planted on a trajectory are predicted before they happen, and the direction of time is learned from them."""

from __future__ import annotations

from collections.abc import Iterator

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score

from genoken.synthetic import planted_changes, planted_trajectory
from genoken.workflows.next_cell_predictions import NextCells, log_values
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained_run import PretrainedRun

pytestmark = pytest.mark.slow
STEPS = 5
SETTINGS = {
    "tokenizer.hvgs": 0, "model.width": 16, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 16,
    "training.epochs": 3, "training.logger": "none", "training.precision": "fp32", "data.group": "donor_id", "data.test": 0.5,
    "successors.time": "time",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def adata() -> anndata.AnnData:
    return planted_trajectory(samples=360, features=60, steps=STEPS, donors=12, seed=4)


@pytest.fixture(scope="module")
def run(adata, tmp_path_factory) -> PretrainedRun:
    """A run with the reversed control."""
    settings = SETTINGS | {"successors.controls": ["reversed"]}
    return pretrain(adata, preset="next_value_small", settings=settings, output=tmp_path_factory.mktemp("true") / "run")


@pytest.fixture(scope="module")
def turned(adata, tmp_path_factory) -> PretrainedRun:
    """The same on successors that are turned around."""
    backward = adata.copy()
    backward.obsp["next_cell_ids"] = adata.obsp["next_cell_ids"].T.tocsr()
    settings = SETTINGS | {"successors.controls": []}
    return pretrain(backward, preset="next_value_small", settings=settings, output=tmp_path_factory.mktemp("turned") / "run")


def precision_of_changes(run: PretrainedRun, adata: anndata.AnnData) -> float:
    """Return the average precision of the genes that rise and of those that fall, mean over the time steps of test cells.

    The change of a gene is the predicted value of the next cells minus its mean in train cells of the current time.
    """
    cells, words = run.encoder.encode(adata), pd.read_parquet(run.folder / "split.parquet")["fold_0"].to_numpy()
    values, times = log_values(run.model, cells).toarray(), adata.obs["time"].to_numpy()
    in_order = [run.model.symbols.index(name) for name in adata.var_names]
    found = []
    for time in range(STEPS - 1):
        tested = np.flatnonzero((times == time) & (words == "test"))
        now = values[(times == time) & (words == "train")].mean(axis=0)
        change = (NextCells(run.model, cells).profiles(tested).mean(axis=0) - now)[in_order]
        for truth, score in zip(planted_changes(adata.var, time, "lineage_0"), (change, -change), strict=True):
            found.append(average_precision_score(truth, score))
    return float(np.mean(found))


def test_planted_switches_are_recovered(run, turned, adata):
    true, control = precision_of_changes(run, adata), precision_of_changes(turned, adata)
    assert true > 0.9
    assert control < 0.5, "what comes before does not tell what comes next"


def test_the_direction_of_time_is_learned(run):
    direction = run.metrics["next_cell"]["direction"]
    assert direction["learned"] is True
    low, high = direction["reversed"]["interval"]
    assert low < direction["reversed"]["difference"] < high < 0
    assert direction["verdict"] in run.verdict
    assert run.metrics["next_cell"]["profiles"]["model"]["skill"] > 0.3
    assert "direction of time was learned" in direction["verdict"]


def test_genes_of_the_transition_table_are_the_planted_ones(run, adata):
    """Of the ten genes that are predicted to change most between stages, most are switched somewhere."""
    table = pd.read_csv(run.folder / "transitions.tsv", sep="\t")
    first = table[table["rank"] <= 5]
    assert adata.var.loc[first["gene"], "direction"].ne("").mean() > 0.8
