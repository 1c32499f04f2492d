"""Pretraining on cells without labels, then fine-tuning: what is taken over, what is tested on, what a run folder holds."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from genoken.cli.main import main
from genoken.core.components import kind_of
from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json, sha256_of_file, write_json
from genoken.training.module import TrainingModule
from genoken.workflows.embed import embed
from genoken.workflows.evaluate import evaluate
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained import read_pretrained
from genoken.workflows.run import load_run
from genoken.workflows.train import train

TRAINING = {"training.epochs": 2, "training.batch_size": 16, "training.logger": "none", "evaluation.bootstrap": 50}
TUNING = TRAINING | {"training.learning_rate": 0.02, "evaluation.baselines": ["majority"]}
PRETRAINING = {name: value for name, value in TRAINING.items() if name.startswith("training")} | {
    "model.width": 8,
    "model.encoder.layers": 2,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
    "model.pooling": "mean",
    "training.average_decay": 0.0,
    "data.val": 0.2,
}


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


@pytest.fixture(scope="session")
def pretrained(cells, quickly, tmp_path_factory):
    """A network of continuous tokens, pretrained on the first 60 cells; whole donors of them are held out."""
    folder = tmp_path_factory.mktemp("pretrained") / "p"
    settings = PRETRAINING | {"tokenizer.hvgs": 0}
    with quickly(report=True):
        return pretrain(cells[:60].copy(), group="donor_id", settings=settings, output=folder)


@pytest.fixture
def tune(pretrained, quickly):
    """Return a function that fine-tunes; ``full``: with explanations and the report."""

    def run(data, output, changes=None, *, full=False, start_from=None, **named):
        with quickly(report=full):
            start_from = start_from or pretrained.folder
            return train(data, label="cell_type", settings=TUNING | (changes or {}), output=output, start_from=start_from, **named)

    return run


@pytest.fixture(scope="session")
def tuned(cells_file, pretrained, quickly, tmp_path_factory):
    """All 90 cells, fine-tuned with the lowest block frozen, with everything."""
    settings = TUNING | {"training.freeze_layers": 1, "evaluation.baselines": ["majority", "linear"]}
    with quickly(report=True):
        output = tmp_path_factory.mktemp("tuned") / "t"
        return train(cells_file, label="cell_type", settings=settings, output=output, start_from=pretrained.folder)


def words_of(folder, column="fold_0"):
    return pd.read_parquet(folder / "split.parquet").set_index("sample_id")[column]


# --- what is taken over ---


def test_frozen_weights_are_the_pretrained_ones_bit_by_bit_and_others_are_learned(tuned, pretrained):
    ours, theirs = tuned.model.network.state_dict(), pretrained.model.network.state_dict()
    frozen = [name for name in ours if name.startswith(("embedding.", "encoder.blocks.0."))]
    assert len(frozen) > 10
    for name in frozen:
        assert ours[name].numpy().tobytes() == theirs[name].numpy().tobytes(), name
    learned = [name for name in ours if name.startswith("encoder.blocks.1.") and name.endswith("weight")]
    assert learned
    assert not any(torch.equal(ours[name], theirs[name]) for name in learned)
    parts = read_json(tuned.folder / "manifest.json")["model"]["parameters_by_part"]
    assert parts["embedding"] == 0
    assert parts["encoder"] == sum(p.numel() for p in tuned.model.network.encoder.blocks[1].parameters())


def test_training_starts_from_the_pretrained_weights(tune, cells, pretrained, tmp_path, monkeypatch):
    started = []

    def step(module, batch, index):
        started.append({name: weight.clone() for name, weight in module.network.state_dict().items()})
        raise Interrupted

    monkeypatch.setattr(TrainingModule, "training_step", step)
    with pytest.raises(Interrupted):
        tune(cells, tmp_path / "run")
    theirs = pretrained.model.network.state_dict()
    shared = {name: weight for name, weight in started[0].items() if name.startswith(("embedding.", "encoder."))}
    assert len(shared) > 20
    assert all(torch.equal(weight, theirs[name]) for name, weight in shared.items())


def test_tokenizer_vocabulary_and_settings_are_those_of_pretraining(tuned, pretrained):
    assert tuned.config.tokenizer == pretrained.config.tokenizer
    for name in ("width", "embedding", "encoder", "pooling"):
        assert getattr(tuned.config.model, name) == getattr(pretrained.config.model, name)
    assert tuned.model.state.feature_ids == pretrained.model.state.feature_ids
    assert tuned.model.symbols == pretrained.model.symbols
    for name, values in pretrained.model.state.per_feature.items():
        assert np.array_equal(tuned.model.state.per_feature[name], values)
    noted = read_json(tuned.folder / "manifest.json")["start_from"]
    weights = pretrained.folder / "model.safetensors"
    assert noted == {"folder": str(pretrained.folder.resolve()), "sha256": sha256_of_file(weights)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model.width": 16}, r"'model\.width' is 16, but the pretrained network has 8 — leave it out"),
        ({"tokenizer.target_sum": 100.0}, r"'tokenizer\.target_sum' is 100\.0, but the pretrained network has 10000\.0"),
        ({"tokenizer.kind": "rank"}, r"'tokenizer\.kind' is rank, but the pretrained network has continuous"),
        ({"model.encoder.layers": 3}, r"'model\.encoder\.layers' is 3, but the pretrained network has 2"),
        ({"model.embedding.position": "learned"}, r"'model\.embedding\.position' is learned, but the pretrained network has none"),
        ({"training.freeze_layers": 3}, r"'training\.freeze_layers' is 3, but the encoder has 2 blocks"),
    ],
)
def test_what_contradicts_the_pretrained_network_is_refused(tune, cells, settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        tune(cells, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_settings_that_change_no_meaning_may_differ(tune, cells, tmp_path):
    settings = {"model.encoder.dropout": 0.3, "model.embedding.token_dropout": 0.0, "model.pooling": "cls"}
    config = tune(cells, tmp_path / "run", settings | {"evaluation.rivals": []}).config
    assert (config.model.encoder.dropout, config.model.embedding.token_dropout, config.model.pooling) == (0.3, 0.0, "cls")


@pytest.mark.parametrize(
    "settings",
    [{"training.freeze_layers": 1}, {"evaluation.rivals": ["scratch"]}, {"split.kind": "inherited"}],
)
def test_what_needs_a_pretrained_network_is_refused_without_one(tiny, cells, settings, tmp_path):
    with pytest.raises(ConfigError, match=r"needs a pretrained network — add --from FOLDER"):
        tiny(cells, tmp_path / "run", settings)


def test_genes_are_found_by_id_in_any_order_and_coverage_is_said(tune, cells, pretrained, tmp_path, said):
    changed = cells[:, ::-1][:, :37].copy()
    run = tune(changed, tmp_path / "run", {"evaluation.rivals": []}, show=said)
    assert run.model.state.feature_ids == pretrained.model.state.feature_ids
    line = "37 of 40 genes found (92.5%), matched by index; missing: GENE0001, GENE0002, GENE0003."
    assert any(line in text for text in said.lines)
    with pytest.raises(DataError, match=r"too few genes in common: 10 of 40 genes found"):
        tune(cells[:, :10].copy(), tmp_path / "other")


# --- the split ---


def test_no_test_sample_was_pretrained_on_and_donors_stay_whole(tuned, pretrained, cells):
    before, words = words_of(pretrained.folder), words_of(tuned.folder)
    assert (words[before.index] == before).all()
    assert set(before) == {"train", "val", "test"}
    donors = cells.obs["donor_id"]
    assert not set(donors[words[words == "test"].index]) & set(donors[words[words == "train"].index])
    assert tuned.metrics["split"]["kind"] == "inherited"
    assert not tuned.metrics["split"]["leaky"]
    note = tuned.metrics["split"]["note"]
    assert "60 samples keep the part that they had in pretraining, so no test sample was pretrained on" in note
    assert "the other 30 are new to it" in note
    assert "so no test sample was pretrained on" in (tuned.folder / "report.html").read_text(encoding="utf-8")


def test_another_split_is_refused_where_it_would_test_pretrained_samples(tune, cells, tmp_path):
    for settings in ({"split.kind": "random"}, {"split.kind": "folds", "split.folds": 3}, {"split.folds": 3}):
        with pytest.raises(ConfigError, match=r"\d+ of \d+ test samples were pretrained on.*--split inherited"):
            tune(cells, tmp_path / "run", settings)
    marked = cells.copy()
    marked.obs["split"] = np.where(np.arange(90) < 20, "test", "train")
    with pytest.raises(ConfigError, match=r"split\.kind: column: \d+ of 20 test samples were pretrained on"):
        tune(marked, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_split_is_taken_where_pretraining_saw_none_of_its_test(tune, cells, tmp_path):
    marked = cells.copy()
    marked.obs["split"] = np.where(np.arange(90) >= 60, "test", "train")
    run = tune(marked, tmp_path / "run", {"evaluation.rivals": []})
    assert run.metrics["split"]["kind"] == "column"
    assert "pretraining knows 60 of the samples, and learned from none of the test samples" in run.metrics["split"]["note"]


def test_cells_that_pretraining_never_saw_are_divided_as_usual(tune, cells, tmp_path):
    run = tune(cells[60:].copy(), tmp_path / "run", {"evaluation.rivals": [], "split.folds": 2, "split.kind": "random"})
    assert kind_of(run.config.split) == "random"
    assert run.metrics["split"]["note"].endswith("; pretraining saw none of these samples")
    assert run.metrics["split"]["folds"] == 2


def test_the_same_cells_as_logarithms_are_known_by_their_ids(tune, cells, pretrained, tmp_path):
    logged = cells.copy()
    logged.X = logged.X.multiply(1e4 / logged.X.sum(axis=1)).tocsr().log1p().astype(np.float32)
    run = tune(logged, tmp_path / "run", {"evaluation.rivals": []})
    before = words_of(pretrained.folder)
    assert (words_of(run.folder)[before.index] == before).all()
    assert run.metrics["split"]["kind"] == "inherited"


def test_other_cells_with_a_few_of_the_ids_are_new(tune, cells, tmp_path):
    others = cells[60:].copy()
    others.obs_names = [*cells.obs_names[:10], *[f"X{row}" for row in range(20)]]
    run = tune(others, tmp_path / "run", {"evaluation.rivals": [], "split.kind": "random"})
    assert run.metrics["split"]["note"].endswith("; pretraining saw none of these samples")


def test_a_network_that_went_on_knows_the_samples_of_both_runs(tune, cells, pretrained, quickly, tmp_path):
    settings = PRETRAINING | {"tokenizer.hvgs": 0}
    with quickly(report=True):
        later = cells[60:].copy()
        pretrain(later, group="donor_id", settings=settings, start_from=pretrained.folder, output=tmp_path / "p2")
    known = pd.read_parquet(tmp_path / "p2" / "known_samples.parquet")
    assert sorted(known["sample_id"]) == sorted(cells.obs_names)
    run = tune(cells, tmp_path / "run", {"evaluation.rivals": []}, start_from=tmp_path / "p2")
    words, before = words_of(run.folder), words_of(pretrained.folder)
    assert (words[before.index] == before).all()
    after = words_of(tmp_path / "p2")
    assert (words[after.index] == after).all()


# --- a share of the labels, and the same network from scratch ---


def test_a_share_of_train_is_learned_from_and_the_rest_stays_as_it_is(tune, cells, tmp_path):
    shares = {
        share: tune(cells, tmp_path / f"r{share}", {"data.train_share": share, "evaluation.rivals": []}) for share in (0.2, 0.5)
    }
    whole = words_of(tune(cells, tmp_path / "whole", {"evaluation.rivals": []}).folder)
    few, half = (words_of(run.folder) for run in shares.values())
    assert set(few[few == "train"].index) < set(half[half == "train"].index) < set(whole[whole == "train"].index)
    for words, share in ((few, 0.2), (half, 0.5)):
        assert (words[whole != "train"] == whole[whole != "train"]).all()
        assert set(words[whole == "train"]) == {"train", "unused"}
        types = cells.obs["cell_type"]
        sizes = types[whole[whole == "train"].index].value_counts()
        expected = {name: max(1, round(share * size)) for name, size in sizes.items()}
        assert types[words[words == "train"].index].value_counts().to_dict() == expected
    assert "learned from 20% of the train samples of each class (data.train_share)" in shares[0.2].metrics["split"]["note"]
    majority = pd.read_parquet(shares[0.2].folder / "baselines" / "majority.parquet")
    counts = cells.obs["cell_type"][few[few == "train"].index].value_counts(normalize=True)
    assert majority["probability_type_0"].to_numpy() == pytest.approx(counts["type_0"])


def test_the_final_model_of_folds_is_fitted_on_the_share_too(tiny, cells, tmp_path):
    settings = {"split.kind": "folds", "split.folds": 3, "data.train_share": 0.2}
    target = read_json(tiny(cells, tmp_path / "run", settings).folder / "target.json")
    val = words_of(tmp_path / "run").eq("val").sum()
    assert sum(target["class_counts"]) == pytest.approx(val + 0.2 * (90 - val), abs=2)


def test_the_same_network_from_scratch_is_held_against_it(tuned):
    metrics = tuned.metrics
    assert tuned.config.evaluation.rivals == ("scratch",)
    assert set(metrics["test"]["baselines"]) == {"majority", "linear"}
    gap = metrics["scratch_difference"]
    assert gap["value"] == pytest.approx(metrics["test"]["model"]["macro_f1"] - metrics["scratch"]["macro_f1"])
    assert "the same network from scratch" in metrics["verdict"]
    assert metrics["verdict"].count("Pretraining") == 1
    report = (tuned.folder / "report.html").read_text(encoding="utf-8")
    assert "Pretraining: the same network from scratch" in report


def test_from_scratch_nothing_is_frozen_or_pretrained(tune, cells, pretrained, tmp_path, monkeypatch):
    found = []
    plain = TrainingModule.configure_optimizers

    def note(module):
        weights = module.network.state_dict()["encoder.blocks.0.attention_norm.weight"]
        theirs = pretrained.model.network.state_dict()["encoder.blocks.0.attention_norm.weight"]
        frozen = sum(not parameter.requires_grad for parameter in module.network.parameters())
        found.append((torch.equal(weights, theirs), frozen > 0, module.settings.layer_decay))
        return plain(module)

    monkeypatch.setattr(TrainingModule, "configure_optimizers", note)
    tune(cells, tmp_path / "run", {"training.freeze_layers": 1, "training.layer_decay": 0.5})
    assert found == [(True, True, 0.5), (False, False, 1.0)]


# --- the run folder ---


def test_a_finished_run_needs_the_pretrained_one_no_more(tuned, cells, cells_file, pretrained, quickly, tmp_path):
    table = tuned.predict(cells)
    with quickly(report=True):
        moved = shutil.move(pretrained.folder, tmp_path / "away")
        try:
            run = load_run(tuned.folder)
            pd.testing.assert_frame_equal(run.predict(cells), table)
            assert len(embed(run, cells_file)) == 90
            assert evaluate(run, cells[:30])["test"]["samples"] == 30
            genes = run.explain(method="gradient", top=3)
            assert set(genes["feature_id"]) <= set(cells.var_names)
            assert train(resume=tuned.folder).verdict == tuned.verdict
        finally:
            shutil.move(moved, pretrained.folder)


def test_a_resumed_run_is_the_uninterrupted_one(tune, cells_file, resume, tmp_path, monkeypatch):
    whole = tune(cells_file, tmp_path / "whole", {"training.freeze_layers": 1})
    plain, steps = TrainingModule.training_step, []

    def training_step(module, batch, index):
        steps.append(index)
        if len(steps) == 4:
            raise Interrupted
        return plain(module, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", training_step)
        with pytest.raises(Interrupted):
            tune(cells_file, tmp_path / "run", {"training.freeze_layers": 1})
    run = resume(tmp_path / "run")
    assert (run.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    assert run.metrics["scratch"] == whole.metrics["scratch"]
    assert run.verdict == whole.verdict
    for name in ("start_from", "model"):
        assert read_json(run.folder / "manifest.json")[name] == read_json(whole.folder / "manifest.json")[name]


def test_an_unfinished_run_is_not_resumed_from_other_weights(tune, cells_file, pretrained, resume, tmp_path, monkeypatch):
    copy = shutil.copytree(pretrained.folder, tmp_path / "copy")
    with monkeypatch.context() as patch:
        patch.setattr("genoken.workflows.fold.fit_baselines", lambda *arguments, **named: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tune(cells_file, tmp_path / "run", start_from=copy)
    noted = read_json(copy / "manifest.json")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x00\x00")
    with pytest.raises(RunError, match="is not the one that the run wrote"):
        resume(tmp_path / "run")
    write_json(copy / "manifest.json", noted | {"files": noted["files"] | {"model.safetensors": sha256_of_file(weights)}})
    with pytest.raises(RunError, match="the pretrained network changed since the run began"):
        resume(tmp_path / "run")
    shutil.rmtree(copy)
    with pytest.raises(RunError, match="there is no such folder"):
        resume(tmp_path / "run")


# --- other tokens ---


@pytest.mark.parametrize("kind", ["rank", "binned"])
def test_tokens_without_numbers_and_with_phenotypes(kind, tune, cells, quickly, tmp_path, said):
    settings = PRETRAINING | {"tokenizer.kind": kind, "model.embedding.position": "learned"}
    with quickly(report=True):
        made = pretrain(cells[:60].copy(), group="donor_id", phenotypes=["cell_type"], settings=settings, output=tmp_path / "p")
    run = tune(cells, tmp_path / "run", {"training.freeze_layers": 2}, start_from=tmp_path / "p", full=True, show=said)
    assert run.config.model.linear_path is False
    assert any("hold no numbers that a linear path could weigh" in line for line in said.lines)
    assert read_json(run.folder / "explanations" / "controls.json")["completeness_error"] < 0.01
    ours, theirs = run.model.network.state_dict(), read_pretrained(made.folder).network.state_dict()
    assert torch.equal(ours["embedding.identity.weight"], theirs["embedding.identity.weight"][:-1])
    assert torch.equal(ours["embedding.positions.weight"][1:], theirs["embedding.positions.weight"][2:-1])
    assert set(run.explain(cells[:20], method="gradient", top=2)["rank"]) == {1, 2}


@pytest.mark.parametrize("kind", ["rank", "binned"])
def test_they_are_trained_without_pretraining_too(kind, tiny, cells, tmp_path):
    run = tiny(cells, tmp_path / "run", {"tokenizer.kind": kind, "model.embedding.position": "learned"})
    assert run.model.network.linear_path is None
    assert run.metrics["ablation"] == {}
    for rival in ("mlp", "linear"):
        with pytest.raises(ConfigError, match="this encoder weighs numbers, and the tokens of this tokenizer hold none"):
            tiny(cells, tmp_path / "other", {"tokenizer.kind": kind, "evaluation.rivals": [rival]})
    assert not (tmp_path / "other").exists()


# --- the command line ---


@pytest.mark.parametrize("what", ["absent", "empty", "trained", "unfinished", "changed"])
def test_a_folder_without_a_pretrained_network_is_one_clear_line(what, cells_file, pretrained, lean, tmp_path, capsys):
    folder = tmp_path / "p"
    if what == "empty":
        folder.mkdir()
    elif what == "trained":
        shutil.copytree(lean.folder, folder)
    elif what != "absent":
        shutil.copytree(pretrained.folder, folder)
        path = folder / {"unfinished": "manifest.json", "changed": "known_samples.parquet"}[what]
        path.unlink() if what == "unfinished" else path.write_bytes(b"x")
    code = main(["train", str(cells_file), "--label", "cell_type", "--from", str(folder), "-o", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    expected = {
        "absent": "there is no such folder — name a folder that genoken pretrain wrote",
        "empty": "no finished pretraining run is in this folder (it has no phenotypes.json)",
        "trained": "no finished pretraining run is in this folder (it has no phenotypes.json)",
        "unfinished": f"let it finish: genoken pretrain --resume {folder}",
        "changed": "the file is not the one that the run wrote",
    }
    assert expected[what] in said
    assert not (tmp_path / "run").exists()


def test_the_command_line_takes_the_label_from_a_file_beside_the_pretrained_settings(cells_file, pretrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("data: {label: cell_type}\ntokenizer: {max_tokens: 0}\n", encoding="utf-8")
    words = ["train", str(cells_file), "--config", "c.yaml", "--from", str(pretrained.folder), "--rivals", "none", "--quiet"]
    assert main([*words, "--fast-dev-run", "--logger", "none", "--layer-decay", "0.5", "--freeze-layers", "1"]) == 0
    run = load_run(tmp_path / "runs" / "cells-cell_type")
    assert (run.config.training.layer_decay, run.config.training.freeze_layers, run.config.evaluation.rivals) == (0.5, 1, ())
