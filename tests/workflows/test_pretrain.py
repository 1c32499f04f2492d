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
from genoken.core.files import read_json, sha256_of_file
from genoken.data.dataset import TokenDataset
from genoken.reporting.wording import percent
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.training.masked import MaskedTask, measured
from genoken.workflows import pretraining_floors, pretraining_results
from genoken.workflows.encoder import Encoder
from genoken.workflows.inputs import read_source
from genoken.workflows.pretrain import _probe, pretrain
from genoken.workflows.pretrained import objectives_of, statistics_of
from genoken.workflows.pretrained_run import load_pretrained

TIMED = ("seconds", "samples_per_second", "tokens_per_second", "flops_per_second", "loader_wait", "peak_memory_mb")
SHRINK = ("model.width=8", "model.encoder.layers=1", "model.encoder.heads=2", "model.encoder.feed_forward=8", "training.epochs=1",
          "training.batch_size=16", "training.logger=none", "training.precision=fp32")  # fmt: skip

NO_LINEAR_FLOORS = "Linear floors were left out: features are asked for that a sample does not hold."


def history_of(run):
    """Everything in ``history.csv`` that is not a measurement of time or memory, as it is written."""
    table = pd.read_csv(run.folder / "history.csv", dtype=str)
    return table.drop(columns=list(TIMED))


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


@pytest.mark.parametrize("workers", [1, 2, 4, 7])
def test_more_workers_than_files_read_every_sample_once(workers, shards, pretraining, tmp_path, monkeypatch):
    seen: dict[int, list[int]] = {}
    plain = MaskedTask.training_batch

    def counting(task, part, rows, epoch):
        batch = plain(task, part, rows, epoch)
        seen.setdefault(epoch, []).extend(batch.rows.tolist())
        return batch

    with monkeypatch.context() as patch:
        patch.setattr("genoken.workflows.pretraining_floors._DRAWS", 0)
        patch.setattr(MaskedTask, "training_batch", counting)
        run = pretraining([shards / "cells_{0..2}.h5ad"], tmp_path / "run", {"training.num_workers": workers})
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
    probe = _probe(len(parts["train"]), len(parts["val"]), seed=run.config.training.seed)
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
