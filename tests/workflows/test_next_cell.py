"""``genoken pretrain`` with successors: what a run holds, that nothing it should not depend on changes it, and its choices."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from genoken.cli.main import main
from genoken.core.errors import ConfigError
from genoken.core.files import read_json
from genoken.data.successors import Successors
from genoken.synthetic import planted_trajectory
from genoken.training.masked import MaskedTask
from genoken.training.progress import MEASURED
from genoken.workflows import next_cell, pretraining_results
from genoken.workflows.embed import embed
from genoken.workflows.predict import predict
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained_run import load_pretrained

TRAINING = {
    "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8, "training.epochs": 2,
    "training.batch_size": 16, "training.learning_rate": 0.02, "training.average_decay": 0.0, "training.logger": "none",
    "training.precision": "fp32", "successors.key": "next_cell_ids",
}  # fmt: skip
ALONE = TRAINING | {"successors.controls": []}
RANKS = {"tokenizer": {"kind": "rank", "max_tokens": 40}, "model.embedding.position": "learned"}
VALUES = {"tokenizer": {"kind": "continuous", "hvgs": 0, "tokens": "expressed"}, "model.linear_path": True}
BINS = {"tokenizer": {"kind": "binned", "edges": [4.0, 4.75, 5.5]}, "objectives": ["next_value"]}
FLOORS = {"copy_current", "denoised_current", "mean_successor", "type_mean_successor", "knn_mean_successor", "ridge_successor"}
FILES = {
    "config.yaml", "model.safetensors", "tokenizer.json", "vocabulary.parquet", "phenotypes.json", "split.parquet", "metrics.json",
    "targets.parquet", "history.csv", "embeddings.parquet", "gene_embeddings.parquet", "manifest.json", "known_samples.parquet",
    "state.json", "report.html", "next_cells.parquet", "map.parquet", "transitions.tsv",
}  # fmt: skip
PRESETS = ["next_cell_106m", "next_cell_10m", "next_cell_8x512", "next_cell_small", "next_value_small"]
PARTS = ["train", "val", "test"]


@pytest.fixture(scope="module")
def trajectory() -> anndata.AnnData:
    """160 cells of 8 donors at 4 times, 60 genes."""
    return planted_trajectory(samples=160, features=60, steps=4, donors=8)


@pytest.fixture(scope="module")
def file(trajectory, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("trajectory") / "cells.h5ad"
    trajectory.write_h5ad(path)
    return path


@pytest.fixture
def fitted(quickly, tmp_path):
    """Return a function that pretrains without the report, in a folder of this name."""

    def fit(data, name, settings, **named):
        with quickly(report=False):
            return pretrain(data, settings=settings, output=tmp_path / name, **named)

    return fit


@pytest.fixture(scope="module")
def values(file, quickly, tmp_path_factory):
    """A run over values with its controls, with whole donors held out."""
    settings = TRAINING | VALUES | {"successors.time": "time", "data.group": "donor_id"}
    with quickly(report=False):
        return pretrain(file, settings=settings, output=tmp_path_factory.mktemp("values") / "run")


@pytest.fixture(scope="module")
def ranks(file, quickly, tmp_path_factory):
    """A run over ranks without controls."""
    with quickly(report=False):
        return pretrain(file, settings=ALONE | RANKS, output=tmp_path_factory.mktemp("ranks") / "run")


def assert_same_run(one, other):
    """Compare everything that is written, but measurements of time."""
    tables = [pd.read_csv(run.folder / "history.csv", dtype=str).drop(columns=list(MEASURED)) for run in (one, other)]
    pd.testing.assert_frame_equal(*tables)
    assert (one.folder / "model.safetensors").read_bytes() == (other.folder / "model.safetensors").read_bytes()
    for name in ("targets.parquet", "embeddings.parquet", "next_cells.parquet", "map.parquet", "split.parquet"):
        pd.testing.assert_frame_equal(*(pd.read_parquet(run.folder / name) for run in (one, other)), check_exact=True)
    for name in ("objectives", "next_cell", "verdict"):
        assert one.metrics[name] == other.metrics[name], name
    assert sorted(path.name for path in one.folder.iterdir()) == sorted(path.name for path in other.folder.iterdir())


def words_of(run) -> pd.Series:
    return pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]


# --- what a run holds ---


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_runs(preset, file, tmp_path, capsys):
    shrunk = TRAINING | {"training.epochs": 1, "successors.time": "pseudotime", "successors.controls": ["reversed"]}
    shrunk |= {"tokenizer.hvgs": 0} if preset == "next_value_small" else {"tokenizer.max_tokens": 40}
    changes = [word for name, value in shrunk.items() for word in ("--set", f"{name}={value}")]
    code = main(["pretrain", str(file), "--preset", preset, *changes, "-o", str(tmp_path / "run")])
    written = capsys.readouterr()
    assert (code, written.err) == (0, "")
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["verdict"] in " ".join(written.out.split())
    assert metrics["verdict"].startswith(metrics["next_cell"]["verdict"])
    (kind,) = metrics["objectives"]
    assert kind == ("next_value" if preset == "next_value_small" else "next_cell")
    assert set(metrics["objectives"][kind]["floors"]) == FLOORS | ({"position_frequency"} if kind == "next_cell" else set())
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES
    assert (tmp_path / "run" / "rank_scale.parquet").exists() == (kind == "next_cell")
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000


def test_metrics_are_as_documented(values, trajectory):
    found = values.metrics["next_cell"]
    assert list(found) == [
        "key", "draw", "attention", "types", "time", "pairs", "cells_without", "edges", "edges_across_parts",
        "cells_on_cycles", "edges_backward", "leak", "profiles", "direction", "controls", "embeddings", "skill_by_type",
        "skill_by_time", "verdict",
    ]  # fmt: skip
    assert [found[name] for name in ("key", "draw", "attention", "types", "time", "leak")] == [
        "next_cell_ids", "random", "strict", "cell_type", "time", "",
    ]  # fmt: skip
    words, table = words_of(values), trajectory.obs
    successors = Successors.of_matrix(trajectory.obsp["next_cell_ids"], 160, "")
    within = successors.within(words[table.index].to_numpy())
    rows = {part: np.flatnonzero(words[table.index] == part) for part in PARTS}
    assert found["pairs"] == {part: int((~within.without[own]).sum()) for part, own in rows.items()}
    assert found["cells_without"] == {part: int(within.without[own].sum()) for part, own in rows.items()}
    assert (found["edges"], found["edges_across_parts"]) == (successors.num_edges, 0), "donors are held out whole"
    assert (found["edges_backward"], found["cells_on_cycles"]) == (0, 0)
    assert set(found["profiles"]["floors"]) == FLOORS
    assert found["profiles"]["unit"] == "blocks", "fewer than five donors are held out"
    assert found["profiles"]["cells"] == found["pairs"]["test"]
    assert found["controls"] == ["reversed", "shuffled"]
    assert found["direction"]["metric"] == "squared_error"
    linear = found["direction"]["linear"]
    assert linear["true"] == pytest.approx(found["profiles"]["floors"]["ridge_successor"]["squared_error"], rel=1e-4)
    assert linear["difference"] == pytest.approx(linear["true"] - linear["reversed"])
    assert "idge regression alone" in found["verdict"]
    assert "other groups" not in found["verdict"], "three blocks give no interval"
    assert set(found["embeddings"]["compared"]) == {"model", "before training", "principal components"}
    tested = table.iloc[rows["test"]][~within.without[rows["test"]]]
    assert {name: entry["cells"] for name, entry in found["skill_by_type"].items()} == tested["cell_type"].astype(
        str
    ).value_counts().to_dict()
    assert sum(entry["cells"] for entry in found["skill_by_time"].values()) == len(tested)


def test_tables_are_as_documented(values, trajectory):
    cells = pd.read_parquet(values.folder / "next_cells.parquet")
    names = ["sample_id", "unit", "type", "time", "x", "y", "x_predicted", "y_predicted", "x_true", "y_true"]
    assert list(cells) == [*names, *(f"squared_error_{name}" for name in (*sorted(FLOORS, key=_order), "model"))]
    known = trajectory.obs.loc[cells["sample_id"]]
    assert cells["type"].tolist() == known["cell_type"].tolist()
    assert cells["time"].tolist() == known["time"].tolist()
    assert [unit.split(" | ")[0] for unit in cells["unit"]] == known["cell_type"].tolist()
    assert (words_of(values)[cells["sample_id"]] == "test").all()
    profiles = values.metrics["next_cell"]["profiles"]
    for name, scores in {"model": profiles["model"], **profiles["floors"]}.items():
        assert cells[f"squared_error_{name}"].mean() == pytest.approx(scores["squared_error"], rel=1e-5)
    background = pd.read_parquet(values.folder / "map.parquet")
    assert list(background) == ["x", "y", "type"]
    assert len(background) == sum(values.metrics["split"]["samples"][part] for part in ("train", "test"))
    table = pd.read_csv(values.folder / "transitions.tsv", sep="\t")
    assert list(table) == ["from", "to", "cells", "direction", "rank", "gene", "predicted_change", "true_change"]
    assert set(table["direction"]) == {"rising", "falling"}
    assert set(table["gene"]) <= set(trajectory.var_names)


def _order(name: str) -> int:
    """The floors' order in tables."""
    order = ["copy_current", "denoised_current", "mean_successor", "type_mean_successor", "knn_mean_successor", "ridge_successor"]
    return order.index(name)


def test_the_saved_run_is_the_run(values, file):
    again = load_pretrained(values.folder)
    pd.testing.assert_frame_equal(again.embed(file), values.embed(file))
    assert again.config == values.config


def test_it_embeds_cells_and_has_no_phenotypes_to_predict(ranks, file):
    assert embed(ranks.folder, file).shape == (160, 8)
    with pytest.raises(ConfigError, match="the run has no phenotypes to fill in"):
        predict(ranks.folder, file)


# --- the same, however it is made ---


def test_the_same_command_twice_gives_the_same_run(values, file, fitted):
    settings = TRAINING | VALUES | {"successors.time": "time", "data.group": "donor_id"}
    assert_same_run(fitted(file, "run", settings), values)


@pytest.mark.parametrize("changes", [{"training.num_workers": 2}, {"data.store": "disk"}], ids=["workers", "disk"])
@pytest.mark.parametrize("kind", ["ranks", "values"])
def test_workers_and_disk_change_nothing(kind, changes, file, fitted):
    settings = ALONE | {"ranks": RANKS, "values": VALUES}[kind]
    assert_same_run(fitted(file, "run", settings | changes), fitted(file, "plain", settings))


def test_several_files_are_as_one(trajectory, ranks, fitted, tmp_path):
    """Each file has the edges of its own cells; donors are not divided between files, so that none is lost."""
    order = np.argsort(trajectory.obs["donor_id"].to_numpy(), kind="stable")
    whole = trajectory[order].copy()
    cut = int((whole.obs["donor_id"].astype(str) < "donor_03").sum())
    whole.write_h5ad(tmp_path / "whole.h5ad")
    genes = np.random.default_rng(1).permutation(60)
    whole[:cut].copy().write_h5ad(tmp_path / "part_0.h5ad")
    whole[cut:, genes].copy().write_h5ad(tmp_path / "part_1.h5ad")
    settings = ALONE | RANKS | {"data.val": 0.3}
    one, two = fitted(tmp_path / "whole.h5ad", "one", settings), fitted(tmp_path / "part_{0..1}.h5ad", "two", settings)
    assert_same_run(two, one)
    assert len(read_json(two.folder / "manifest.json")["data"]) == 2


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


@pytest.mark.parametrize("step", [5, 17, 30], ids=["in training", "in the first control", "in the second control"])
def test_a_resumed_run_is_the_run(step, values, file, fitted, quickly, tmp_path, monkeypatch):
    settings = TRAINING | VALUES | {"successors.time": "time", "data.group": "donor_id"}
    steps, folders = [], []
    plain, train_prepared = MaskedTask.training_loss, next_cell.train_prepared

    def loss(task, network, batch):
        steps.append(batch)
        if len(steps) == step:
            raise Interrupted
        return plain(task, network, batch)

    def train(*arguments, folder, **named):
        folders.append(folder.name)
        train_prepared(*arguments, folder=folder, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MaskedTask, "training_loss", loss)
        patch.setattr(next_cell, "train_prepared", train)
        with pytest.raises(Interrupted):
            fitted(file, "run", settings)
    assert folders == ["reversed", "shuffled"][: {5: 0, 17: 1, 30: 2}[step]]
    with quickly(report=False):
        assert_same_run(pretrain(resume=tmp_path / "run"), values)


# --- choices ---


@pytest.mark.parametrize("attention", ["self", "full"])
@pytest.mark.parametrize("kind", ["ranks", "values"])
def test_attention_and_what_it_leaks(kind, attention, file, fitted, said):
    run = fitted(file, "run", ALONE | {"ranks": RANKS, "values": VALUES}[kind] | {"successors.attention": attention}, show=said)
    leak = run.metrics["next_cell"]["leak"]
    assert bool(leak) == (attention == "full")
    assert (f"warning: {leak}" in said.lines) == (attention == "full")
    assert leak in run.metrics["verdict"]
    assert run.metrics["next_cell"]["profiles"] is not None


@pytest.mark.parametrize("draw", ["weighted", "first", "all"])
def test_draws(draw, file, trajectory, fitted):
    run = fitted(file, "run", ALONE | RANKS | {"successors.draw": draw})
    found = run.metrics["next_cell"]
    words = words_of(run)[trajectory.obs_names].to_numpy()
    within = Successors.of_matrix(trajectory.obsp["next_cell_ids"], 160, "").within(words)
    counts = within.count if draw == "all" else ~within.without
    assert found["pairs"] == {part: int(counts[words == part].sum()) for part in PARTS}
    assert found["edges_across_parts"] == trajectory.obsp["next_cell_ids"].nnz - within.num_edges > 0
    assert len(pd.read_parquet(run.folder / "next_cells.parquet")) == int((~within.without)[words == "test"].sum())


@pytest.mark.parametrize("kind", ["ranks", "values"])
def test_a_cell_without_a_successor_may_be_its_own(kind, file, trajectory, fitted):
    settings = ALONE | {"ranks": RANKS, "values": VALUES}[kind]
    run = fitted(file, "run", settings | {"successors.without": "identity"})
    found = run.metrics["next_cell"]
    assert found["pairs"] == run.metrics["split"]["samples"]
    words = words_of(run)[trajectory.obs_names].to_numpy()
    without = Successors.of_matrix(trajectory.obsp["next_cell_ids"], 160, "").within(words).without
    assert found["cells_without"] == {part: int(without[words == part].sum()) for part in PARTS}
    assert len(pd.read_parquet(run.folder / "next_cells.parquet")) == int((~without)[words == "test"].sum())


def test_binned_values_have_profiles(trajectory, file, fitted):
    """All genes are asked for, those in bin 0 too, and each bin is worth what it holds in the train cells."""
    run = fitted(file, "run", TRAINING | BINS | {"successors.time": "time"})
    found = run.metrics["next_cell"]
    assert set(found["profiles"]["floors"]) == FLOORS
    assert found["profiles"]["verdict"].startswith("Skill over the denoised current cell is ")
    assert run.metrics["verdict"].startswith(found["profiles"]["verdict"])
    assert found["profiles"]["model"]["correlation"] > 0.5
    assert found["direction"]["metric"] == "cross_entropy"
    assert set(found["skill_by_type"]) <= set(trajectory.obs["cell_type"])
    assert found["skill_by_time"] != {}
    assert {path.name for path in run.folder.iterdir()} >= FILES | {"bin_scale.parquet"}
    objective = run.metrics["objectives"]["next_value"]
    assert set(objective["floors"]) == {"uniform", "most_frequent", "most_frequent_per_feature"}
    assert objective["notes"] == []
    targets = pd.read_parquet(run.folder / "targets.parquet")
    assert set(targets["value"]) == {0, 1, 2, 3}
    scale = pd.read_parquet(run.folder / "bin_scale.parquet").set_index("feature_id")
    assert list(scale.index) == list(run.model.state.feature_ids)
    worth = scale.to_numpy()
    assert (worth[:, 1:] >= [4.0, 4.75, 5.5]).all()
    assert (worth < [4.0, 4.75, 5.5, np.inf]).all()
    cells = pd.read_parquet(run.folder / "next_cells.parquet")
    predicted = run.predict_next_cell(trajectory[cells["sample_id"]].copy())
    assert predicted.ranked is None
    graph = pd.DataFrame(trajectory.obsp["next_cell_ids"].toarray() > 0, trajectory.obs_names, trajectory.obs_names)
    words = words_of(run)[trajectory.obs_names].to_numpy()
    followed = (graph.loc[cells["sample_id"]] & (words == "test")).to_numpy(np.float64)
    counts = trajectory[:, list(scale.index)].X.toarray()
    logs = np.log1p(10_000 * counts / counts.sum(axis=1, keepdims=True))
    errors = ((predicted.predicted - followed @ logs / followed.sum(axis=1, keepdims=True)) ** 2).mean(axis=1)
    np.testing.assert_allclose(errors, cells["squared_error_model"], rtol=1e-3)


def test_genes_of_next_cells_from_bins(file, fitted):
    """Without positions it is asked which genes a cell expresses; how strongly, and so whole profiles, is not."""
    run = fitted(file, "run", ALONE | BINS | {"objectives": ["next_cell"]})
    objective = run.metrics["objectives"]["next_cell"]
    assert set(objective["floors"]) == {"uniform", "most_frequent"}
    assert objective["floors"]["uniform"]["cross_entropy"] == pytest.approx(np.log(60))
    assert objective["notes"] == [
        "Whole profiles of next cells are not predicted: how strongly genes are expressed in them was not asked for."
    ]
    assert run.metrics["next_cell"]["profiles"] is None


def test_counts_have_no_profiles(file, fitted):
    tokenizer = {"kind": "continuous", "hvgs": 0, "tokens": "expressed", "target_sum": 0}
    objective = {"kind": "next_value", "likelihood": "negative_binomial"}
    run = fitted(file, "run", ALONE | {"tokenizer": tokenizer, "objectives": [objective], "model.linear_path": False})
    assert run.metrics["next_cell"]["profiles"] is None
    (note,) = run.metrics["objectives"]["next_value"]["notes"]
    assert note.startswith("Whole profiles of next cells are not predicted: expected counts depend on a cell's depth")
    assert note in run.metrics["verdict"]
    assert not (run.folder / "next_cells.parquet").exists()


def test_values_as_they_are(file, fitted):
    run = fitted(file, "run", ALONE | VALUES | {"objectives": [{"kind": "next_value", "standardize": False}]})
    assert set(run.metrics["objectives"]["next_value"]["floors"]) == FLOORS


def test_without_controls_the_direction_is_not_checked(ranks):
    found = ranks.metrics["next_cell"]
    assert (found["direction"], found["controls"]) == (None, [])
    assert "Whether the direction of time was learned was not checked." in ranks.metrics["verdict"]
    assert not (ranks.folder / "controls").exists()


def test_only_shuffled_successors_as_control(file, fitted):
    found = fitted(file, "run", TRAINING | RANKS | {"successors.controls": ["shuffled"]}).metrics["next_cell"]
    direction = found["direction"]
    assert (direction["learned"], direction["reversed"], found["controls"]) == (None, None, ["shuffled"])
    assert direction["shuffled"]["difference"] == pytest.approx(direction["true"] - direction["shuffled"]["value"], rel=1e-4)
    assert "Whether the direction of time was learned was not checked: nothing was trained on reversed" in found["verdict"]
    assert "Successors shuffled within cell types give" in found["verdict"]


def test_blocks_of_few_groups_are_said_to_be_that(fitted):
    cells = planted_trajectory(samples=160, features=60, steps=7, donors=8)
    run = fitted(cells, "run", ALONE | VALUES | {"successors.time": "time", "data.group": "donor_id"})
    found, groups = run.metrics["next_cell"], run.metrics["split"]["groups"]["test"]
    assert (found["profiles"]["unit"], found["profiles"]["units"], groups) == ("blocks", 6, 2)
    assert found["verdict"].endswith(
        "Intervals resample blocks of type and time within 2 groups; other groups would differ by more."
    )


def test_cells_of_which_nothing_is_known(trajectory, fitted, tmp_path):
    """Neither types, nor times, nor groups: there is one block, and no interval."""
    bare = trajectory.copy()
    bare.obs = pd.DataFrame(index=bare.obs_names)
    bare.write_h5ad(tmp_path / "bare.h5ad")
    run = fitted(tmp_path / "bare.h5ad", "run", TRAINING | VALUES)
    found = run.metrics["next_cell"]
    assert (found["types"], found["time"], found["edges_backward"], found["embeddings"]) == ("", "", None, None)
    assert (found["profiles"]["unit"], found["profiles"]["units"]) == ("blocks", 1)
    assert found["profiles"]["model"]["squared_error_interval"] is None
    assert set(found["profiles"]["floors"]) == FLOORS - {"type_mean_successor"}
    assert found["direction"]["learned"] is None
    assert not (run.folder / "transitions.tsv").exists()
    assert list(pd.read_parquet(run.folder / "map.parquet")) == ["x", "y"]


def test_times_in_words_are_times(trajectory, fitted, tmp_path):
    named = trajectory.copy()
    named.obs["time"] = [f"E{8 + time / 4}" for time in named.obs["time"]]
    named.write_h5ad(tmp_path / "named.h5ad")
    run = fitted(tmp_path / "named.h5ad", "run", ALONE | RANKS | {"successors.time": "time"})
    assert run.metrics["next_cell"]["edges_backward"] == 0
    assert set(run.metrics["next_cell"]["skill_by_time"]) == {"time 8", "time 8.25", "time 8.5"}
    turned = named.copy()
    turned.obsp["next_cell_ids"] = turned.obsp["next_cell_ids"].T.tocsr()
    turned.write_h5ad(tmp_path / "turned.h5ad")
    found = fitted(tmp_path / "turned.h5ad", "turned", ALONE | RANKS | {"successors.time": "time"}).metrics["next_cell"]
    assert found["edges_backward"] == found["edges"] > 0


@pytest.mark.parametrize("kind", ["ranks", "values"])
def test_more_cells_than_are_scored(kind, file, trajectory, fitted, monkeypatch):
    """Whole profiles are those of a draw of cells, each with all of its successors; floors are asked at every target."""
    with monkeypatch.context() as patch:
        patch.setattr("genoken.workflows.successor_start.MOST_CELLS", 12)
        run = fitted(file, "run", TRAINING | {"ranks": RANKS, "values": VALUES}[kind])
    found = run.metrics["objectives"]["next_cell" if kind == "ranks" else "next_value"]
    assert set(found["floors"]) == FLOORS | ({"position_frequency"} if kind == "ranks" else set())
    assert found["notes"] == []
    targets = pd.read_parquet(run.folder / "targets.parquet")
    assert targets["sample_id"].nunique() == run.metrics["next_cell"]["pairs"]["test"] > 12
    assert targets.filter(like="floor_").notna().all(axis=None)
    profiles = run.metrics["next_cell"]["profiles"]
    num_train, num_test = (run.metrics["split"]["samples"][part] for part in ("train", "test"))
    assert profiles["notes"] == [
        f"Rules without a network are fitted on 12 of {num_train} train cells, drawn with all of their successors.",
        f"Profiles are those of 12 of {num_test} test cells, drawn with all of their successors.",
    ]
    cells = pd.read_parquet(run.folder / "next_cells.parquet")
    assert len(cells) == profiles["cells"] <= 12
    words = words_of(run)[trajectory.obs_names].to_numpy()
    within = Successors.of_matrix(trajectory.obsp["next_cell_ids"], 160, "").within(words)
    has_some = pd.Series(~within.without, index=trajectory.obs_names)
    assert has_some[cells["sample_id"]].all()
    assert run.metrics["next_cell"]["direction"] is not None


@pytest.mark.parametrize("linear_path", [True, False])
def test_going_on_from_a_run_over_single_cells(linear_path, file, fitted):
    single = {name: value for name, value in ALONE.items() if not name.startswith("successors")}
    earlier = fitted(file, "earlier", single | VALUES | {"model.linear_path": False})
    settings = {"successors.key": "next_cell_ids", "successors.controls": ["reversed"], "objectives": ["next_value"],
                "training.epochs": 1, "training.logger": "none", "training.learning_rate": 1e-9,
                "training.linear_path_learning_rate": 1e-9}  # fmt: skip
    later = fitted(file, "later", settings, start_from=earlier.folder)
    assert set(later.metrics["objectives"]) == {"next_value"}
    np.testing.assert_allclose(later.embed(file), earlier.embed(file), atol=1e-5)


def test_going_on_from_ranks_of_single_cells(file, fitted):
    single = {name: value for name, value in ALONE.items() if not name.startswith("successors")}
    earlier = fitted(file, "earlier", single | RANKS)
    settings = {"successors.key": "next_cell_ids", "successors.controls": [], "objectives": ["next_cell"],
                "training.epochs": 1, "training.logger": "none", "training.learning_rate": 1e-9}  # fmt: skip
    later = fitted(file, "later", settings, start_from=earlier.folder)
    assert set(later.metrics["objectives"]) == {"next_cell"}
    np.testing.assert_allclose(later.embed(file), earlier.embed(file), atol=1e-5)
    again = fitted(file, "again", settings | {"successors.controls": ["reversed"]}, start_from=later.folder)
    assert again.metrics["next_cell"]["direction"] is None
    assert "goes on from one that had successors, and so would controls" in again.metrics["verdict"]
    assert not (again.folder / "controls").exists()
    np.testing.assert_allclose(again.embed(file), later.embed(file), atol=1e-5)


def test_files_to_report_on_have_pairs_of_their_own(trajectory, fitted, tmp_path):
    known = (trajectory.obs["donor_id"].astype(str) < "donor_05").to_numpy()
    trajectory[known].copy().write_h5ad(tmp_path / "learn.h5ad")
    trajectory[~known].copy().write_h5ad(tmp_path / "report.h5ad")
    run = fitted(tmp_path / "learn.h5ad", "run", ALONE | RANKS | {"data.val": 0.3}, evaluate_on=[tmp_path / "report.h5ad"])
    assert run.metrics["split"]["kind"] == "files"
    cells = pd.read_parquet(run.folder / "next_cells.parquet")["sample_id"].str.split(":").str[-1]
    has_some = np.asarray(trajectory.obsp["next_cell_ids"].sum(axis=1)).ravel() > 0
    assert sorted(cells) == sorted(trajectory.obs_names[~known & has_some])
    assert run.metrics["next_cell"]["cells_without"]["test"] == int((~known & ~has_some).sum())


def test_an_object_in_memory(trajectory, file, fitted, ranks):
    assert_same_run(fitted(trajectory, "run", ALONE | RANKS), ranks)


def test_a_draw_of_samples_keeps_whose_successor_is_whose(trajectory, file, fitted):
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        plain = pretraining_results.write_results

        def noting(folder, prepared, source, *arguments, **named):
            seen.append((prepared.pairs, source.samples.table.index.to_numpy()))
            return plain(folder, prepared, source, *arguments, **named)

        patch.setattr(pretraining_results, "write_results", noting)
        fitted(file, "run", ALONE | RANKS | {"data.limit_samples": 120})
    ((pairs, names),) = seen
    assert len(names) == 120
    graph = pd.DataFrame(trajectory.obsp["next_cell_ids"].toarray() > 0, trajectory.obs_names, trajectory.obs_names)
    starts, ends = pairs.successors.pairs(pairs.current)
    assert len(starts) > 20
    assert all(graph.loc[names[start], names[end]] for start, end in zip(starts, ends, strict=True))
