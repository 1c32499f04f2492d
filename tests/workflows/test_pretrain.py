"""``genoken pretrain``: every preset runs; what comes out does not depend on workers, files or when it was run."""

from __future__ import annotations

import html
import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from genoken.cli.main import main
from genoken.core.errors import DataError, RunError
from genoken.core.files import read_json, sha256_of_file
from genoken.data.dataset import TokenDataset
from genoken.reporting.wording import percent
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.training.masked import MaskedTask, measured
from genoken.training.progress import MEASURED
from genoken.workflows import pretraining_floors, pretraining_results
from genoken.workflows.encoder import Encoder
from genoken.workflows.files import read_file
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained import objectives_of, statistics_of
from genoken.workflows.pretrained_run import load_pretrained
from genoken.workflows.pretraining_fit import _probe
from genoken.workflows.source import read_source

SHRINK = ("model.width=8", "model.encoder.layers=1", "model.encoder.heads=2", "model.encoder.feed_forward=8", "training.epochs=1",
          "training.batch_size=16", "training.logger=none", "training.precision=fp32")  # fmt: skip

NO_LINEAR_FLOORS = "Linear floors were left out: features are asked for that a sample does not hold."


def history_of(run):
    """Everything in ``history.csv`` that is not a measurement of time or memory, as it is written."""
    table = pd.read_csv(run.folder / "history.csv", dtype=str)
    return table.drop(columns=list(MEASURED))


def assert_same_run(one, other):
    pd.testing.assert_frame_equal(history_of(one), history_of(other))
    assert (one.folder / "model.safetensors").read_bytes() == (other.folder / "model.safetensors").read_bytes()
    for name in ("targets.parquet", "embeddings.parquet"):
        pd.testing.assert_frame_equal(*(pd.read_parquet(run.folder / name) for run in (one, other)), check_exact=True)
    assert one.metrics["objectives"] == other.metrics["objectives"]


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """Eighty profiles of 24 landmarks under 16 compounds in two cell lines, as GCTX."""
    rng = np.random.default_rng(5)
    values = 8 + rng.normal(size=(80, 3)) @ rng.normal(size=(3, 24)) + 0.3 * rng.normal(size=(80, 24))
    path = tmp_path_factory.mktemp("panel") / "panel.gctx"
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = values.astype(np.float32)
        file["0/META/ROW/id"] = [f"{number}".encode() for number in range(1, 25)]
        file["0/META/COL/id"] = [f"profile{number}".encode() for number in range(80)]
        file["0/META/COL/pert_iname"] = [f"compound{number % 16}".encode() for number in range(80)]
        file["0/META/COL/cell_id"] = [[b"A375", b"PC3"][number % 2] for number in range(80)]
    return path


@pytest.fixture(scope="module")
def reference(cells_file, pretraining, tmp_path_factory):
    """What other runs are to be equal to."""
    return pretraining(cells_file, tmp_path_factory.mktemp("reference") / "run", phenotypes=["cell_type"])


# --- presets ---


@pytest.mark.parametrize("preset", ["l1000_rank", "l1000_expression", "phenotype_mlm", "geneformer_10m", "geneformer_small"])
def test_every_preset_runs(preset, panel, cells_file, tmp_path, capsys):
    file = panel if preset.startswith("l1000") else cells_file
    more = ["--phenotypes", "cell_type"] if preset == "phenotype_mlm" else []
    changes = [word for change in SHRINK for word in ("--set", change)]
    code = main(["pretrain", str(file), "--preset", preset, *more, *changes, "-o", str(tmp_path / "run")])
    written = capsys.readouterr()
    assert (code, written.err) == (0, "")
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["verdict"] in " ".join(written.out.split())
    expected = {
        "l1000_rank": {"masked_feature": {"uniform", "set_complement", "position_frequency", "position_frequency_by_group",
                                          "linear_gaussian", "linear_student"}},
        "l1000_expression": {"masked_value": {"train_mean", "ridge"}},
        "phenotype_mlm": {"phenotype": {"most_frequent", "linear"},
                          "masked_value": {"uniform", "most_frequent", "most_frequent_per_feature"}},
        "geneformer_10m": {"masked_feature": {"uniform", "set_complement", "position_frequency"}},
        "geneformer_small": {"masked_feature": {"uniform", "set_complement", "position_frequency"}},
    }[preset]  # fmt: skip
    assert {name: set(found["floors"]) for name, found in metrics["objectives"].items()} == expected
    page = html.unescape((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert len(page) > 100_000
    # The genes of this preset have no linear floor: some that are asked for are not in the sample. Nobody shall miss that.
    lacks_linear_floors = preset == "phenotype_mlm"
    assert [NO_LINEAR_FLOORS in text for text in (metrics["verdict"], page)] == [lacks_linear_floors] * 2
    assert [NO_LINEAR_FLOORS in found["notes"] for found in metrics["objectives"].values()][-1] == lacks_linear_floors
    assert load_pretrained(tmp_path / "run").embed(file).shape == ((80 if file == panel else 90), 8)


# --- the same, however it is made ---


def test_the_same_command_twice_gives_the_same_run(reference, cells_file, pretraining, tmp_path):
    assert_same_run(pretraining(cells_file, tmp_path / "run", phenotypes=["cell_type"]), reference)


def test_the_saved_configuration_gives_the_same_run(reference, cells_file, tmp_path):
    run = pretrain(cells_file, config=reference.folder / "config.yaml", output=tmp_path / "run")
    assert_same_run(run, reference)
    assert (run.folder / "config.yaml").read_bytes() == (reference.folder / "config.yaml").read_bytes()


def test_phenotypes_never_take_tokens_from_beyond_the_limit(cells, pretraining, tmp_path):
    run = pretraining(cells, tmp_path / "run", {"tokenizer.max_tokens": 20}, phenotypes=["cell_type", "interaction"])
    assert run.encoder.layout.max_tokens == 20
    again = load_pretrained(run.folder)
    assert (again.config.tokenizer.max_tokens, again.encoder.layout.max_tokens) == (20, 20)
    decoded = again.encoder.decode(again.encoder.encode(cells).batch(np.arange(90)))
    assert decoded.groupby("row").size().max() == 20
    assert decoded["kind"].value_counts()[["cls", "phenotype", "separator"]].tolist() == [90, 180, 90]


@pytest.mark.parametrize("workers", [1, 2, 4, 7])
def test_workers_change_nothing(workers, reference, cells_file, pretraining, tmp_path):
    run = pretraining(cells_file, tmp_path / "run", {"training.num_workers": workers}, phenotypes=["cell_type"])
    assert_same_run(run, reference)


@pytest.mark.parametrize(
    ("workers", "store"), [(1, "memory"), (2, "memory"), (4, "memory"), (7, "memory"), (2, "disk"), (7, "disk")]
)
def test_more_workers_than_files_read_every_sample_once(workers, store, shards, pretraining, tmp_path, monkeypatch):
    seen: dict[int, list[int]] = {}
    plain = MaskedTask.training_batch

    def counting(task, part, rows, epoch):
        batch = plain(task, part, rows, epoch)
        seen.setdefault(epoch, []).extend(batch.rows.tolist())
        return batch

    with monkeypatch.context() as patch:
        patch.setattr("genoken.workflows.pretraining_floors._DRAWS", 0)
        patch.setattr(MaskedTask, "training_batch", counting)
        run = pretraining([shards / "cells_{0..2}.h5ad"], tmp_path / "run", {"training.num_workers": workers, "data.store": store})
    num_train = run.metrics["split"]["samples"]["train"]
    assert {epoch: sorted(rows) for epoch, rows in seen.items()} == {epoch: list(range(num_train)) for epoch in (0, 1)}


@pytest.fixture(scope="module")
def shards(cells, tmp_path_factory):
    """The cells in three files, the genes of two of them in another order."""
    folder = tmp_path_factory.mktemp("shards")
    for number, (first, last) in enumerate([(0, 40), (40, 41), (41, 90)]):
        genes = slice(None) if number == 0 else np.random.default_rng(number).permutation(cells.n_vars)
        cells[first:last, genes].copy().write_h5ad(folder / f"cells_{number}.h5ad")
    return folder


@pytest.mark.parametrize("names", [["cells_{0..2}.h5ad"], ["*.h5ad"], ["cells_0.h5ad", "cells_[12].h5ad"]])
def test_several_files_are_as_one(names, shards, reference, pretraining, tmp_path):
    run = pretraining([shards / name for name in names], tmp_path / "run", phenotypes=["cell_type"])
    assert_same_run(run, reference)
    assert len(read_json(run.folder / "manifest.json")["data"]) == 3


# --- on disk ---


ON_DISK = {"data.store": "disk"}
KINDS = {
    "binned": {},
    "rank": {"tokenizer": {"kind": "rank"}},
    "continuous": {"tokenizer": {"kind": "continuous", "hvgs": 20}, "model.embedding.init": "svd"},
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Let no block hold more than some ten cells, so that each file has several."""
    monkeypatch.setattr("genoken.core.stored_rows.BLOCK_ENTRIES", 300)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
def test_values_on_disk_give_the_run_of_values_in_memory(kind, shards, pretraining, tmp_path):
    settings = KINDS[kind] | {"data.shared": "common"}
    names, named = [shards / "cells_{0..2}.h5ad"], {"phenotypes": ["cell_type"]}
    in_memory = pretraining(names, tmp_path / "memory", settings, **named)
    on_disk = pretraining(names, tmp_path / "disk", settings | ON_DISK, **named)
    with_workers = pretraining(names, tmp_path / "workers", settings | ON_DISK | {"training.num_workers": 2}, **named)
    assert_same_run(on_disk, in_memory)
    assert_same_run(with_workers, in_memory)
    for name in ("split.parquet", "known_samples.parquet", "vocabulary.parquet", "gene_embeddings.parquet"):
        pd.testing.assert_frame_equal(*(pd.read_parquet(run.folder / name) for run in (on_disk, in_memory)), check_exact=True)
    assert (on_disk.folder / "tokenizer.json").read_bytes() == (in_memory.folder / "tokenizer.json").read_bytes()
    assert sorted(path.name for path in on_disk.folder.iterdir()) == sorted(path.name for path in in_memory.folder.iterdir())


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_one_file_and_logarithms_of_any_total_are_alike_on_disk(factor, cells, pretraining, tmp_path):
    """Rank tokens of log values need no total of their own, continuous ones of a later run are brought to those of the earlier."""
    settings = KINDS["continuous"]
    earlier = pretraining(_logged(cells, 1e4), tmp_path / "earlier", settings)
    path = tmp_path / "cells.h5ad"
    _logged(cells[:70], factor * 1e4).write_h5ad(path)
    runs = [
        pretraining([path], tmp_path / store, settings | {"data.store": store}, start_from=earlier.folder)
        for store in ("memory", "disk")
    ]
    assert_same_run(*runs)


def _logged(cells, total):
    adata = cells.copy()
    counts = adata.X.toarray()
    adata.X = np.log1p(counts / counts.sum(axis=1, keepdims=True) * total).astype(np.float32)
    adata.layers.clear()
    return adata


@pytest.mark.usefixtures("small_blocks")
def test_empty_cells_a_limit_and_files_to_report_on_are_as_in_memory(shards, cells, pretraining, tmp_path):
    empty = cells[:30].copy()
    empty.X[[3, 17]] = 0
    empty.obs_names = [f"other{number}" for number in range(30)]
    empty.write_h5ad(tmp_path / "with_empty.h5ad")
    names = [shards / "cells_[01].h5ad", tmp_path / "with_empty.h5ad"]
    runs = [
        pretraining(names, tmp_path / store, {"data.store": store, "data.limit_samples": 60}, evaluate_on=[shards / "cells_2.h5ad"])
        for store in ("memory", "disk")
    ]
    assert_same_run(*runs)
    assert runs[0].metrics["split"]["samples"] == {"train": 56, "val": 4, "test": 49}


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("leftover", [False, True])
def test_a_resumed_run_makes_its_values_on_disk_anew(leftover, shards, pretraining, quickly, tmp_path, monkeypatch):
    names = [shards / "cells_{0..2}.h5ad"]
    whole = pretraining(names, tmp_path / "whole", {"training.checkpoint_every": 2})
    steps = []
    plain = MaskedTask.training_loss

    def loss(task, network, batch):
        steps.append(batch)
        if len(steps) == 7:
            raise Interrupted
        return plain(task, network, batch)

    with monkeypatch.context() as patch:
        patch.setattr(MaskedTask, "training_loss", loss)
        with pytest.raises(Interrupted):
            pretraining(names, tmp_path / "run", {"training.checkpoint_every": 2} | ON_DISK)
    cache = tmp_path / "run" / "cache"
    assert not cache.exists()
    if leftover:  # as a killed process leaves it
        (cache / "values").mkdir(parents=True)
        (cache / "values" / "data").write_bytes(b"cut off")
    with quickly(report=False):
        assert_same_run(pretrain(resume=tmp_path / "run"), whole)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("settings", "is_on_disk"),
    [({}, False), ({"data.memory_gb": 1e-9}, True), ({"data.memory_gb": 1e-9, "data.store": "memory"}, False), (ON_DISK, True)],
)
def test_where_values_are_kept_depends_on_their_size(settings, is_on_disk, shards, pretraining, said, tmp_path):
    pretraining([shards / "cells_{0..2}.h5ad"], tmp_path / "run", settings | {"training.epochs": 1}, show=said)
    line = "The values would take 0.0 GB of memory and are kept on disk during the run."
    assert (line in said.lines) == is_on_disk


def test_a_disk_that_is_too_small_is_refused_at_once(shards, pretraining, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(
        RunError, match=r"cache: the values need 0\.0 GB on disk while the run lasts, and 0\.0 GB are free — free disk"
    ):
        pretraining([shards / "cells_{0..2}.h5ad"], tmp_path / "run", ON_DISK)
    assert not (tmp_path / "run").exists()


def test_a_file_that_changes_between_two_readings_is_refused(shards, cells, pretraining, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "genoken.workflows.pretraining_data.read_file", lambda path, source, strict: read_file(shards / "cells_1.h5ad")
    )
    with pytest.raises(DataError, match=r"cells_0.h5ad: the file changed while it was read — start again when it is whole"):
        pretraining([shards / "cells_{0..2}.h5ad"], tmp_path / "run", ON_DISK)
    assert not (tmp_path / "run").exists()


# --- draws where all would be too many ---


def test_the_tokenizer_learns_from_a_draw_of_many_train_samples(cells_file, pretraining, said, tmp_path):
    run = pretraining(cells_file, tmp_path / "run", {"data.fit_samples": 25}, show=said)
    assert run.model.state.facts["train_samples"] == 25
    num_train = run.metrics["split"]["samples"]["train"]
    assert any(line.startswith(f"  25 of the {num_train} train samples are drawn (data.fit_samples)") for line in said.lines)


@pytest.mark.parametrize("group", ["", "pert_iname"])
def test_a_panel_is_trained_on_samples_that_its_gaussian_was_not_fitted_on(group, panel, pretraining, tmp_path):
    settings = {"tokenizer": {"kind": "continuous", "hvgs": 0, "tokens": "all"}, "data.fit_samples": 25}
    runs = [pretraining(panel, tmp_path / store, settings | {"data.store": store}, group=group) for store in ("memory", "disk")]
    assert_same_run(*runs)
    assert runs[0].metrics["split"]["samples"]["train"] > 50
    assert runs[0].model.network.linear_path is not None


def test_a_draw_of_many_test_samples_is_scored(reference, cells_file, pretraining, tmp_path):
    run = pretraining(cells_file, tmp_path / "run", {"data.report_tokens": 300}, phenotypes=["cell_type"])
    scored = pd.read_parquet(run.folder / "targets.parquet")["sample_id"].unique()
    states = pd.read_parquet(run.folder / "embeddings.parquet").set_index("sample_id")
    assert 5 < len(states) < run.metrics["split"]["samples"]["test"]
    assert set(scored) == set(states.index)
    whole = pd.read_parquet(reference.folder / "embeddings.parquet").set_index("sample_id")
    assert list(states.index) == [name for name in whole.index if name in states.index]
    num_test = run.metrics["split"]["samples"]["test"]
    assert f"{len(states)} of {num_test} test samples are scored, as many as data.report_tokens" in run.metrics["split"]["note"]
    assert history_of(run).equals(history_of(reference))


def test_files_to_report_on_are_no_part_of_training(shards, pretraining, tmp_path):
    run = pretraining([shards / "cells_[01].h5ad"], tmp_path / "run", evaluate_on=[shards / "cells_2.h5ad"])
    split = pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]
    assert (split.iloc[41:] == "test").all()
    assert set(split.iloc[:41]) == {"train", "val"}
    assert run.metrics["split"]["samples"] == {"train": 39, "val": 2, "test": 49}


def test_a_limit_leaves_samples_to_report_on(shards, pretraining, tmp_path):
    files = {"data": [shards / "cells_0.h5ad"], "evaluate_on": [shards / "cells_1.h5ad"]}
    run = pretraining(output=tmp_path / "one", changes={"data.limit_samples": 20}, **files)
    assert run.metrics["split"]["samples"] == {"train": 19, "val": 1, "test": 1}
    files["evaluate_on"] = [shards / "cells_2.h5ad"]
    run = pretraining(output=tmp_path / "many", changes={"data.limit_samples": 20}, **files)
    assert run.metrics["split"]["samples"] == {"train": 19, "val": 1, "test": 20}
    split = pd.read_parquet(run.folder / "split.parquet")
    first = list(anndata.read_h5ad(shards / "cells_0.h5ad").obs_names)
    assert set(split["sample_id"][split["fold_0"] != "test"]) <= set(first)
    assert not set(split["sample_id"][split["fold_0"] == "test"]) & set(first)


def renamed(adata, prefix):
    """The same cells under other names."""
    copy = adata.copy()
    copy.obs_names = [f"{prefix}{name}" for name in adata.obs_names]
    return copy


def test_the_same_cells_in_two_files_are_held_out_together(cells, pretraining, said, tmp_path):
    cells[:60].write_h5ad(tmp_path / "one.h5ad")
    renamed(cells[40:], "again-").write_h5ad(tmp_path / "two.h5ad")
    run = pretraining([tmp_path / "one.h5ad", tmp_path / "two.h5ad"], tmp_path / "run", show=said)
    words = pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]
    both = list(cells.obs_names[40:60])
    assert words[both].tolist() == words[[f"again-{name}" for name in both]].tolist()
    assert set(words[both]) >= {"train", "test"}
    note = "  20 samples have the values of an earlier one; samples with equal values are held out together."
    assert note in said.lines


def test_cells_of_files_to_report_on_are_not_trained_on(cells, pretraining, said, tmp_path):
    cells[:60].write_h5ad(tmp_path / "one.h5ad")
    renamed(cells[50:], "again-").write_h5ad(tmp_path / "two.h5ad")
    run = pretraining(tmp_path / "one.h5ad", tmp_path / "run", evaluate_on=tmp_path / "two.h5ad", show=said)
    words = pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]
    assert sorted(words[words != "test"].index) == sorted(cells.obs_names[:50])
    assert (words == "test").sum() == 40
    note = "  10 samples to pretrain on have the values of one in the files to report on, and are left out."
    assert note in said.lines


def test_groups_that_files_to_report_on_share_with_train_are_counted_and_said(cells, pretraining, said, tmp_path):
    donors = cells.obs["donor_id"].astype(str)
    ids = sorted(set(donors))
    is_first = donors.isin(ids[:4]).to_numpy()
    both = np.flatnonzero(is_first)[::3]
    cells[np.setdiff1d(np.flatnonzero(is_first), both)].copy().write_h5ad(tmp_path / "one.h5ad")
    cells[np.union1d(both, np.flatnonzero(~is_first))].copy().write_h5ad(tmp_path / "two.h5ad")
    shared = len(set(donors.iloc[both]))
    assert shared > 1
    files = {"data": tmp_path / "one.h5ad", "evaluate_on": tmp_path / "two.h5ad"}
    run = pretraining(output=tmp_path / "run", group="donor_id", show=said, full=True, **files)
    words = f"{shared} values of 'donor_id' in the files reported on were learned from too, so that these groups are not new"
    assert f"warning: {words}" in said.lines
    split = run.metrics["split"]
    assert (split["kind"], split["shared_groups"], split["groups"]["test"]) == ("files", shared, shared + len(ids) - 4)
    opening = "reported on the files two.h5ad; of the others, whole values of 'donor_id' are held out to choose the weights"
    assert split["note"] == f"{opening}; {words}"
    page = html.unescape((run.folder / "report.html").read_text(encoding="utf-8"))
    assert f"{words}." in page
    assert f"{shared} groups in training and in test" in page


@pytest.mark.parametrize("objective", ["masked_value", "phenotype"])
def test_floors_never_see_more_train_samples_than_their_limit(objective, cells, pretraining, tmp_path, monkeypatch):
    sizes = []
    plain = pretraining_floors._Parts

    def noting(model, task, train, test):
        sizes.append((len(train), len(train.phenotype_codes), len(test)))
        return plain(model, task, train, test)

    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 30)
    monkeypatch.setattr(pretraining_floors, "_Parts", noting)
    run = pretraining(cells, tmp_path / "run", {"data.floor_by": "donor_id", "objectives": [objective]}, phenotypes=["cell_type"])
    assert sizes == [(30, 30, 18)]
    assert run.metrics["split"]["note"].endswith("; floors are fitted on 30 of 68 train samples")
    floors = run.metrics["objectives"][objective]["floors"]
    assert all(np.isfinite(found["cross_entropy"]) for found in floors.values())


# --- what is written ---


def test_keys_of_metrics(pretrained):
    metrics = pretrained.metrics
    assert set(metrics) == {"task", "verdict", "memorization", "objectives", "best_epoch", "best_step", "train_part_loss",
                            "held_out_loss", "share_truncated", "split", "speed"}  # fmt: skip
    assert metrics["task"] == "pretraining"
    assert metrics["share_truncated"] == 0
    assert list(metrics["objectives"]) == ["masked_value", "phenotype"]
    for name, found in metrics["objectives"].items():
        assert set(found) == {"targets", "samples", "groups", "metric", "model", "floors", "difference", "phenotypes", "verdict",
                              "memorization", "linear_path_alone", "encoder_difference", "notes"}  # fmt: skip
        assert found["groups"] == 2
        assert set(found["model"]) >= {"cross_entropy", "cross_entropy_interval", "correct", "top5"}
        best = min(found["floors"].values(), key=lambda floor: floor["cross_entropy"])
        assert found["difference"]["value"] == pytest.approx(found["model"]["cross_entropy"] - best["cross_entropy"])
        assert (found["difference"]["value"] >= 0) == ("does not beat" in found["verdict"]), name
    assert set(metrics["objectives"]["phenotype"]["phenotypes"]) == {"cell_type", "interaction"}
    assert metrics["split"] == {
        "kind": "holdout",
        "group": "donor_id",
        "note": "whole values of 'donor_id' are held out: the test part is reported on, the validation part chooses the weights",
        "shared_groups": 0,
        "samples": {"train": 63, "val": 9, "test": 18},
        "groups": {"train": 6, "val": 1, "test": 2},
    }


def test_the_share_that_is_cut_off_counts_tokens_of_features(cells, pretraining, said, tmp_path):
    expressed = np.asarray((cells.X > 0).sum(axis=1)).ravel()
    room = 12 - 3  # for [CLS], the phenotype and the separator
    share = np.maximum(expressed - room, 0).sum() / expressed.sum()
    run = pretraining(cells, tmp_path / "run", {"tokenizer.max_tokens": 12}, phenotypes=["cell_type"], show=said, full=True)
    assert run.metrics["share_truncated"] == pytest.approx(share)
    words = f"{share:.1%} of the tokens of features are beyond max_tokens and cut off"
    assert f"  {words}." in said.lines
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert (
        f"{percent(share)} of the tokens of features are beyond max_tokens and cut off: they are neither seen nor asked for."
        in page
    )


def test_the_share_that_is_cut_off_is_that_of_a_draw(cells, monkeypatch):
    encoder, found = Encoder.of_samples(
        BinnedTokenizer(edges=(0.1, 2.0), max_tokens=12, hvgs=0), read_source(cells, "X").samples, None
    )
    dataset = encoder.dataset(read_source(cells, "X").samples, found.columns)
    monkeypatch.setattr(pretraining_results, "_MOST_COUNTED", 5)
    assert len({pretraining_results.share_truncated(dataset, seed) for seed in range(4)}) > 1
    assert pretraining_results.share_truncated(dataset, 1) == pretraining_results.share_truncated(dataset, 1)


def test_files_are_those_of_the_manifest(pretrained):
    manifest = read_json(pretrained.folder / "manifest.json")
    assert manifest["files"] == {name: sha256_of_file(pretrained.folder / name) for name in manifest["files"]}
    assert manifest["data"][0]["samples"] == 90
    assert sum(manifest["model"]["parameters_by_part"].values()) == manifest["model"]["parameters"]
    groups = pd.read_parquet(pretrained.folder / "split.parquet").groupby("group")["fold_0"].nunique()
    assert (groups == 1).all()


def test_losses_on_train_and_held_out_samples_are_taken_alike(cells, pretraining, tmp_path):
    run = pretraining(cells, tmp_path / "run", {"model.encoder.dropout": 0.5, "training.epochs": 3}, phenotypes=["cell_type"])
    model, words = run.model, pd.read_parquet(run.folder / "split.parquet")["fold_0"].to_numpy()
    parts = {part: np.flatnonzero(words == part) for part in ("train", "val")}
    dataset: TokenDataset = run.encoder.encode(cells)
    probe = _probe(parts, run.config.training.seed)
    objectives = objectives_of(run.config)
    task = MaskedTask(
        objectives, dataset.layout, dataset.take(parts["train"]), num_held_out=len(parts["val"]), num_epochs=3,
        seed=run.config.training.seed, statistics=statistics_of(model.state),
    )  # fmt: skip
    both = dataset.take(np.concatenate([parts["val"], parts["train"][probe]]))
    found = measured(model.network, task, both, batch_size=64)
    best = pd.read_csv(run.folder / "history.csv").iloc[run.metrics["best_epoch"]]
    for name in objectives:
        is_held_out = found[name]["row"] < len(parts["val"])
        for prefix, chosen in (("val_", is_held_out), ("train_part_", ~is_held_out)):
            assert best[f"{prefix}{name}_cross_entropy"] == pytest.approx(found[name]["cross_entropy"][chosen].mean(), rel=1e-4)


MEMORIZE = {
    "tokenizer": {"kind": "rank"}, "model.embedding.position": "learned", "training.epochs": 40, "training.patience": 0,
    "training.learning_rate": 0.01, "training.batch_size": 4, "model.width": 32, "model.encoder.dropout": 0.0,
    "data.limit_samples": 40, "data.val": 0.3,
}  # fmt: skip
HIDE = {"kind": "masked_feature", "probability": 0.3, "mask_share": 1.0, "random_share": 0.0}


def test_one_static_mask_is_memorized_and_the_report_says_so(cells, pretraining, tmp_path):
    objective = HIDE | {"static": True, "same_positions": True}
    run = pretraining(cells, tmp_path / "run", MEMORIZE | {"objectives": [objective]}, full=True)
    last = pd.read_csv(run.folder / "history.csv").iloc[-1]
    assert last["train_loss"] < 0.5 * last["val_loss"]
    sentence = (
        f"Training ended in memorization: in the last epoch the loss is {last['train_loss']:.3f} in training and "
        f"{last['val_loss']:.3f} on held-out samples, and every epoch hides the same tokens; the weights of epoch "
        f"{run.metrics['best_epoch'] + 1} are kept."
    )
    assert run.metrics["memorization"] == sentence
    assert run.verdict.endswith(sentence)
    assert sentence in (run.folder / "report.html").read_text(encoding="utf-8")


def test_what_is_not_memorized_is_not_called_so(cells, pretraining, tmp_path):
    run = pretraining(cells, tmp_path / "run", MEMORIZE | {"objectives": [HIDE], "training.epochs": 2})
    assert run.metrics["memorization"] == ""
    assert "memoriz" not in run.verdict


# --- vocabularies from elsewhere ---


@pytest.fixture
def dictionary(cells, tmp_path):
    """Forty genes of which the file has thirty, with their symbols, as a token dictionary."""
    known = [*cells.var_names[:30], *(f"ELSE{number:04d}" for number in range(10))]
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({name: 3 + number for number, name in enumerate(reversed(known))}), encoding="utf-8")
    return path, known[::-1]


def test_genes_of_a_dictionary_that_the_file_lacks_are_absent_tokens(dictionary, cells, pretraining, said, tmp_path):
    path, genes = dictionary
    settings = {"tokenizer": {"kind": "rank", "vocabulary": str(path)}}
    run = pretraining(cells, tmp_path / "run", settings, show=said)
    assert any(
        line.startswith("  30 of 40 genes found (75.0%), matched by index; missing: ELSE0009, ELSE0008, ELSE0007 and 7 more")
        for line in said.lines
    )
    vocabulary = pd.read_parquet(run.folder / "vocabulary.parquet")
    assert vocabulary["feature_id"].tolist() == vocabulary["symbol"].tolist() == genes
    tokens = run.encoder.decode(run.encoder.encode(cells).batch(np.arange(90)))
    features = tokens[tokens["kind"] == "feature"]
    assert set(features["feature_id"]) <= set(cells.var_names[:30])
    assert len(features) == int((cells.X[:, :30] > 0).sum())
    assert run.embed(cells).notna().all().all()
    assert np.isfinite(run.metrics["held_out_loss"])


def test_genes_of_a_dictionary_are_found_by_symbol(dictionary, cells, pretraining, tmp_path):
    path, _ = dictionary
    adata = cells.copy()
    adata.var["gene_symbol"] = adata.var_names
    adata.var_names = [f"X{number}" for number in range(40)]
    by_symbol = pretraining(adata, tmp_path / "symbol", {"tokenizer": {"kind": "rank", "vocabulary": str(path)}})
    by_id = pretraining(cells, tmp_path / "id", {"tokenizer": {"kind": "rank", "vocabulary": str(path)}})
    pd.testing.assert_frame_equal(history_of(by_symbol), history_of(by_id))


def test_a_dictionary_serves_training_with_a_label_too(dictionary, cells, tiny, tmp_path):
    path, genes = dictionary
    settings = {"tokenizer": {"kind": "rank", "vocabulary": str(path)}, "model.linear_path": False}
    run = tiny(cells, tmp_path / "run", {"tokenizer.hvgs": 0, **settings})
    assert pd.read_parquet(run.folder / "vocabulary.parquet")["feature_id"].tolist() == genes
    assert run.predict(cells)["predicted"].notna().all()


# --- going on ---


def test_a_later_run_goes_on_from_an_earlier_one(reference, cells, pretraining, said, tmp_path):
    more = cells[:60].copy()
    run = pretraining(
        more, tmp_path / "run", {"training.epochs": 1, "training.learning_rate": 1e-8}, phenotypes=["cell_type"],
        start_from=reference.folder, show=said,
    )  # fmt: skip
    assert any(line.startswith("  40 of 40 genes found (100.0%)") for line in said.lines)
    for name, weight in reference.model.network.state_dict().items():
        np.testing.assert_allclose(run.model.network.state_dict()[name], weight, atol=1e-6)


def test_a_finished_run_is_not_made_again(reference, said):
    before = (reference.folder / "manifest.json").stat().st_mtime_ns
    assert pretrain(resume=reference.folder, show=said).folder == reference.folder
    assert said.lines == [f"The run in {reference.folder} is finished already."]
    assert (reference.folder / "manifest.json").stat().st_mtime_ns == before
