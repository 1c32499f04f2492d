"""Genes that a run's outputs rest on, by every method, per class and per group."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json
from genoken.workflows.explain import explain
from genoken.workflows.run import load_run
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


def written(run) -> pd.DataFrame:
    return pd.read_csv(run.folder / "explanations" / "genes.tsv", sep="\t")


@pytest.mark.parametrize("name", ["run", "folds", "regression"])
def test_without_a_file_the_runs_own_explanation_is_made_again(name, request, tmp_path):
    made = request.getfixturevalue(name)
    found = explain(made, top=0, output=tmp_path / "genes.tsv")
    pd.testing.assert_frame_equal(found, written(made), rtol=1e-6, atol=1e-9)
    assert len(found) == 40 * found["class"].nunique()
    controls = read_json(tmp_path / "genes-explanations" / "controls.json")
    assert controls == read_json(made.folder / "explanations" / "controls.json")


def test_own_samples_by_group(run, folds, cells):
    assert set(explain(folds, method="gradient", by="group", top=1)["class"]) == set(cells.obs["donor_id"])
    split = pd.read_parquet(run.folder / "split.parquet")
    assert set(explain(run, method="gradient", by="group", top=1)["class"]) == set(split.loc[split["fold_0"] == "test", "group"])


def test_the_runs_own_file_is_warned_about_when_it_is_named(run, cells_file, cells, said, tmp_path):
    explain(run, cells_file, method="gradient", output=tmp_path / "genes.tsv", show=said)
    split = pd.read_parquet(run.folder / "split.parquet")
    known = int((split["fold_0"] != "test").sum())
    note = f"{known} of 90 samples are ones that the model was trained on; without naming a file, only test samples are explained."
    assert f"warning: {note}" in said.lines
    assert read_json(tmp_path / "genes-explanations" / "controls.json")["notes"][0] == note
    tested = cells[split.loc[split["fold_0"] == "test", "sample_id"]].copy()
    explain(run, tested, method="gradient", output=tmp_path / "others.tsv")
    notes = read_json(tmp_path / "others-explanations" / "controls.json")["notes"]
    assert not any("trained on" in said for said in notes)


def test_an_object_in_memory_is_explained_without_being_named(cells, tiny, lean, tmp_path):
    adata = cells.copy()
    run = tiny(adata, tmp_path / "memory")
    pd.testing.assert_frame_equal(run.explain(method="gradient"), lean.explain(method="gradient"))
    with pytest.raises(RunError, match=r"an AnnData object that is no longer in memory — pass the data, for example run\.explain"):
        load_run(run.folder).explain(method="gradient")
    adata.X[0] = 0
    with pytest.raises(RunError, match="AnnData: the data changed since the run began"):
        run.explain(method="gradient")


def test_parts_in_memory_are_explained_without_being_named(cells, tiny, tmp_path):
    parts = {"train": cells[:40].copy(), "val": cells[40:60].copy(), "test": cells[60:].copy()}
    run = tiny(None, tmp_path / "run", {"split.kind": "auto"}, **parts)
    found = run.explain(method="gradient", by="group", top=1)
    assert set(found["class"]) == set(cells.obs["donor_id"][60:])


def test_files_are_written(run, cells, tmp_path, said):
    found = explain(run, cells[:20], method="gradient", top=3, output=tmp_path / "genes.tsv", show=said)
    written = pd.read_csv(tmp_path / "genes.tsv", sep="\t")
    assert written["feature_id"].tolist() == found["feature_id"].tolist()
    folder = tmp_path / "genes-explanations"
    assert sorted(path.name for path in folder.iterdir()) == [
        "attention.parquet",
        "controls.json",
        "genes.tsv",
        "type_0.rnk",
        "type_1.rnk",
        "type_2.rnk",
    ]
    assert len((folder / "type_0.rnk").read_text(encoding="utf-8").splitlines()) == 40
    assert read_json(folder / "controls.json")["method"] == "gradient"
    assert said.lines[-1] == f"Wrote {tmp_path / 'genes.tsv'} and {folder}."


def test_attention_is_given_per_layer_and_head_and_as_rollout(run, folds, cells, tmp_path):
    """Both ways to it agree: the file beside an explanation, and the call in Python for the same genes."""
    for made, data in ((run, None), (folds, None), (run, cells[:30])):
        explain(made, data, method="attention", output=tmp_path / "genes.tsv")
        table = pd.read_parquet(tmp_path / "genes-explanations" / "attention.parquet")
        genes = list(dict.fromkeys(table["query"]))
        assert len(genes) == 30
        assert table.groupby("head").size().to_dict() == {"0": 900, "1": 900, "rollout": 900}
        assert table["layer"].isna().sum() == 900
        assert table["weight"].dropna().between(0, 1).all()
        assert not np.allclose(*(table.loc[table["head"] == head, "weight"].fillna(0) for head in ("0", "1")))
        pd.testing.assert_frame_equal(made.attention(data, genes=genes), table)


def test_attention_between_named_genes(run, cells):
    symbol = run.model.symbols[7]
    found = run.attention(cells[:5], genes=[cells.var_names[3], symbol])
    assert list(dict.fromkeys(found["query"])) == [cells.var_names[3], run.model.state.feature_ids[7]]
    assert len(found) == 3 * 4
    expressed = np.asarray(cells[:5, cells.var_names[3]].X.todense()).ravel() > 0
    assert found["samples"].iloc[0] == expressed.sum()
    leading = written(run).sort_values("rank", kind="stable")["feature_id"].drop_duplicates().tolist()[:30]
    assert list(dict.fromkeys(run.attention(cells[:5])["query"])) == leading
    with pytest.raises(ConfigError, match="the model knows no gene 'no such gene'"):
        run.attention(cells[:5], genes=["no such gene"])
    with pytest.raises(ConfigError, match="attention is read between at most 500 genes, not 501"):
        run.attention(cells[:5], genes=["G"] * 501)


def test_attention_needs_attention_layers_and_genes(bag, lean, cells):
    with pytest.raises(ConfigError, match="the model has no attention layers"):
        bag.attention(cells[:5])
    with pytest.raises(RunError, match="the run holds no explanation whose genes could be taken — name genes"):
        lean.attention(cells[:5])


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


def test_data_that_moved_or_changed_are_not_explained_in_its_place(cells, tiny, tmp_path):
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path)
    run = tiny(path, tmp_path / "run")
    cells[:50].copy().write_h5ad(path)
    with pytest.raises(RunError, match=r"cells\.h5ad: the data changed since the run began"):
        explain(run, method="gradient")
    path.unlink()
    with pytest.raises(RunError, match="the run's own data cannot be found — name a file or object to explain"):
        explain(run, method="gradient")


def test_a_run_whose_parts_were_changed_or_are_gone_says_so(folds, cells, tmp_path):
    shutil.copytree(folds.folder, tmp_path / "run")
    shutil.copy(tmp_path / "run" / "folds" / "0" / "model.safetensors", tmp_path / "run" / "folds" / "1" / "model.safetensors")
    with pytest.raises(RunError, match=r"folds/1/model\.safetensors: the file is not the one that the run wrote"):
        explain(tmp_path / "run", method="gradient")
    (tmp_path / "run" / "folds" / "2" / "target.json").unlink()
    shutil.copy(folds.folder / "folds" / "1" / "model.safetensors", tmp_path / "run" / "folds" / "1" / "model.safetensors")
    with pytest.raises(RunError, match=r"it has no folds/2/target\.json"):
        explain(tmp_path / "run", method="gradient")
    shutil.rmtree(tmp_path / "run" / "folds")
    with pytest.raises(RunError, match="the models of the folds are not there any more — name a file"):
        explain(tmp_path / "run", method="gradient")
    split = pd.read_parquet(tmp_path / "run" / "split.parquet")
    split[1:].to_parquet(tmp_path / "run" / "split.parquet")
    with pytest.raises(RunError, match=r"split\.parquet holds other samples than the data"):
        explain(tmp_path / "run", method="gradient")


BAGS = {
    "mlp": {"model.encoder": {"kind": "mlp", "layers": 1}},
    "linear": {"model.encoder": {"kind": "linear"}, "model.head": "linear"},
}


@pytest.fixture(scope="module", params=["mlp", "linear"])
def bag(request, cells_file, tmp_path_factory):
    """A run of an encoder without tokens, with everything."""
    settings = {"tokenizer.hvgs": 0, "model.width": 8, "training.epochs": 4, "training.learning_rate": 0.02}
    settings |= {"training.logger": "none", "training.batch_size": 16, "split.kind": "group", "evaluation.bootstrap": 50}
    settings |= {"evaluation.baselines": ["majority"]} | BAGS[request.param]
    return train(cells_file, label="cell_type", settings=settings, output=tmp_path_factory.mktemp("bags") / request.param)


def test_encoders_without_tokens_are_explained_after_training(bag, cells):
    found = written(bag)
    assert list(found) == COLUMNS
    assert len(found) == 3 * 40
    assert (cells.var.loc[found.loc[found["rank"] <= 4, "feature_id"], "marker_of"] != "").mean() >= 0.75
    controls = read_json(bag.folder / "explanations" / "controls.json")
    assert controls["completeness_error"] < 0.01
    assert controls["attention"] is None
    assert controls["deletion"]["importance"][-1] < controls["deletion"]["random"][-1]
    page = (bag.folder / "report.html").read_text(encoding="utf-8")
    assert "Genes that the model looks at" in page
    assert found["symbol"][0] in page
    assert "explanations/ is not in the run folder" not in page


def test_encoders_without_attention_refuse_it_by_name(bag):
    with pytest.raises(ConfigError, match="the method 'attention' needs an encoder with attention layers, and this one has none"):
        explain(bag, method="attention")
    assert len(explain(bag, method="gradient", top=2)) == 6
    assert len(explain(bag, method="ensemble", top=2)) == 6
