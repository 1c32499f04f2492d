"""Genes that a run's outputs rest on, by every method, per class and per group."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json
from genoken.workflows.explain import explain
from genoken.workflows.train import train

COLUMNS = ["class", "feature_id", "symbol", "rank", "importance", "stability", "method", "correlation"]


@pytest.mark.parametrize("method", ["attention", "integrated_gradients", "gradient", "ensemble"])
def test_every_method_ranks_genes_per_class(method, run, cells):
    found = explain(run, cells[:30], method=method, top=5)
    assert list(found) == COLUMNS
    assert set(found["method"]) == {method}
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 3
    assert set(found["feature_id"]) <= set(cells.var_names)
    for _, genes in found.groupby("class"):
        assert genes["importance"].abs().is_monotonic_decreasing or genes["importance"].is_monotonic_decreasing


@pytest.mark.parametrize("aggregate", ["mean", "max", "median"])
def test_samples_are_put_together_as_asked(aggregate, run, cells):
    found = explain(run, cells[:30], method="gradient", aggregate=aggregate, top=0)
    others = explain(run, cells[:30], method="gradient", aggregate="mean" if aggregate != "mean" else "max", top=0)
    merged = found.merge(others, on=["class", "feature_id"])
    assert len(merged) == len(found) == 3 * 40
    assert not np.allclose(merged["importance_x"], merged["importance_y"])


def test_by_group(run, cells):
    found = explain(run, cells, method="gradient", by="group", top=4)
    assert set(found["class"]) == set(cells.obs["donor_id"])
    assert found["class"].value_counts().unique().tolist() == [4]


def test_markers_lead(run, cells):
    found = explain(run, cells, method="integrated_gradients", top=5)
    for name, genes in found.groupby("class"):
        planted = cells.var.loc[genes["feature_id"], "marker_of"]
        assert (planted == name).mean() >= 0.6, name


def test_own_test_samples_are_explained_without_naming_a_file(run):
    found = explain(run, top=40)
    written = pd.read_csv(run.folder / "explanations" / "genes.tsv", sep="\t")
    # The file's own labels are not used here: what is explained is the predicted class, and this run predicts well.
    both = found.merge(written, on=["class", "feature_id"])
    assert len(both) == 120
    assert both["importance_x"].corr(both["importance_y"]) > 0.9


def test_files_are_written(run, cells, tmp_path, said):
    found = explain(run, cells[:20], method="gradient", top=3, output=tmp_path / "genes.tsv", show=said)
    written = pd.read_csv(tmp_path / "genes.tsv", sep="\t")
    assert written["feature_id"].tolist() == found["feature_id"].tolist()
    folder = tmp_path / "genes-explanations"
    assert sorted(path.name for path in folder.iterdir()) == [
        "controls.json",
        "genes.tsv",
        "type_0.rnk",
        "type_1.rnk",
        "type_2.rnk",
    ]
    assert len((folder / "type_0.rnk").read_text(encoding="utf-8").splitlines()) == 40
    assert read_json(folder / "controls.json")["method"] == "gradient"
    assert said.lines[-1] == f"Wrote {tmp_path / 'genes.tsv'} and {folder}."


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({"method": "attentions"}, ConfigError, "there is no method 'attentions' — did you mean 'attention'"),
        ({"output": "genes.rnk"}, ConfigError, r"'\.rnk' says no format that this can be written in"),
    ],
)
def test_what_cannot_be_done_is_refused(named, error, message, run, cells):
    with pytest.raises(error, match=message):
        explain(run, cells, **named)


def test_groups_must_be_there(run, binary, cells, tiny, tmp_path):
    adata = cells.copy()
    del adata.obs["donor_id"]
    with pytest.raises(DataError, match="no column 'donor_id'"):
        explain(run, adata, method="gradient", by="group")
    ungrouped = tiny(adata, tmp_path / "run", {"split.kind": "random"})
    with pytest.raises(ConfigError, match="the run has no group column — use --by class"):
        explain(ungrouped, adata, method="gradient", by="group")


def test_data_that_moved_or_changed_are_not_explained_in_its_place(cells, tiny, lean, tmp_path):
    with pytest.raises(RunError, match="the run's own data cannot be found — name a file or object to explain"):
        explain(tiny(cells, tmp_path / "memory"), method="gradient")
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path)
    run = tiny(path, tmp_path / "run")
    cells[:50].copy().write_h5ad(path)
    with pytest.raises(RunError, match=r"cells\.h5ad: the data changed since the run began"):
        explain(run, method="gradient")
    shutil.rmtree(tmp_path / "run")


def test_an_encoder_without_attention_says_so(cells, tmp_path):
    settings = {"tokenizer.hvgs": 0, "model.width": 8, "training.epochs": 1, "training.logger": "none", "split.kind": "group"}
    settings |= {"evaluation.baselines": ["majority"]}
    run = train(cells, label="cell_type", preset="mlp", settings=settings, output=tmp_path / "run")
    with pytest.raises(ConfigError, match="no attention to read — use --method integrated_gradients or gradient"):
        explain(run, cells, method="attention")
    assert len(explain(run, cells, method="gradient", top=2)) == 6
