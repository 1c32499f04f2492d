"""``genoken pretrain --from``: who is tested, what is taken over, what starts anew, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import read_json, sha256_of_file
from genoken.synthetic import planted_markers
from genoken.workflows.continued import with_known_parts
from genoken.workflows.gaussian_start import gaussian_start
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained_run import load_pretrained
from genoken.workflows.pretraining_parts import Division
from genoken.workflows.source import read_source
from genoken.workflows.start import read_start

LEAN = {"training.epochs": 1, "training.batch_size": 16, "training.logger": "none", "training.average_decay": 0.0}
NEW = {"training.learning_rate": 1e-8, "training.linear_path_learning_rate": 1e-8}
PANEL_TOKENIZER = {"kind": "rank", "order": "gene_order", "values": "all", "scale": "none"}


def words_of(folder):
    return pd.read_parquet(folder / "split.parquet").set_index("sample_id")["fold_0"]


def weights_of(run):
    return {name: value.numpy() for name, value in run.model.network.state_dict().items()}


@pytest.fixture(scope="module")
def earlier(cells, pretraining, tmp_path_factory):
    """Bins and one phenotype, on the first 60 cells."""
    folder = tmp_path_factory.mktemp("earlier") / "p1"
    return pretraining(cells[:60].copy(), folder, {"training.epochs": 1}, phenotypes=["cell_type"])


@pytest.fixture(scope="module")
def later(cells, earlier, quickly, tmp_path_factory):
    """A run on all 90 cells that goes on from it; nothing but the training is said."""
    with quickly(report=True):
        return pretrain(cells, start_from=earlier.folder, settings=LEAN | NEW, output=tmp_path_factory.mktemp("later") / "p2")


# --- who is tested ---


def test_known_samples_keep_their_part_and_new_ones_are_drawn(earlier, later):
    before, after = words_of(earlier.folder), words_of(later.folder)
    pd.testing.assert_series_equal(after[before.index], before)
    new = after.drop(before.index)
    assert new.value_counts().to_dict() == {"train": 23, "test": 6, "val": 1}
    known = pd.read_parquet(later.folder / "known_samples.parquet")
    assert (known.groupby("sample_id")["part"].nunique() == 1).all()


def test_the_counts_are_said(cells, earlier, said):
    start, config = read_start(earlier.folder), earlier.config
    words = np.full(90, "test", dtype=object)
    division = Division(read_source(cells, "auto"), words, of_eval=np.zeros(90, dtype=bool), copies=np.arange(90))
    found = with_known_parts(division, config, start, said)
    assert {part: int((found.words == part).sum()) for part in ("train", "val", "test")} == {"train": 69, "val": 3, "test": 18}
    assert said.lines == [
        "The earlier run knows 60 of 90 samples, which keep their part (46 train / 2 val / 12 test); 30 new ones are divided."
    ]


def test_new_cells_of_a_known_donor_go_where_it_is(cells, pretraining, tmp_path):
    first = pretraining(cells[::2].copy(), tmp_path / "p1", {"training.epochs": 1, "data.val": 0.2}, group="donor_id")
    second = pretrain(cells, group="donor_id", start_from=first.folder, settings=LEAN | NEW, output=tmp_path / "p2")
    words = words_of(second.folder)
    assert (words.groupby(cells.obs["donor_id"].astype(str)).nunique() == 1).all()
    before = words_of(first.folder)
    assert (words[before.index] == before).all()


def test_samples_that_were_all_learned_from_are_no_test(cells, earlier, tmp_path):
    learned = cells[(words_of(earlier.folder).reindex(cells.obs_names) == "train").to_numpy()].copy()
    with pytest.raises(DataError, match="the test part would be empty: the earlier run knows 46 of 46 samples"):
        pretrain(learned, start_from=earlier.folder, settings=LEAN, output=tmp_path / "p2")
    assert not (tmp_path / "p2").exists()


def test_files_to_report_on_that_were_learned_from_are_refused(cells, earlier, tmp_path):
    cells[60:].copy().write_h5ad(tmp_path / "new.h5ad")
    cells[:60].copy().write_h5ad(tmp_path / "old.h5ad")
    with pytest.raises(ConfigError, match="48 of 60 samples to report on were learned from by the earlier run"):
        pretrain(
            tmp_path / "new.h5ad", evaluate_on=tmp_path / "old.h5ad", start_from=earlier.folder, settings=LEAN,
            output=tmp_path / "p2",
        )  # fmt: skip


def test_the_gaussian_of_a_panel_is_that_of_the_new_train_part(pretraining, tmp_path, monkeypatch):
    cells = planted_markers(samples=90, features=40, groups=9, seed=3)
    rng = np.random.default_rng(1)
    cells.X = (5 + rng.normal(size=(90, 3)) @ rng.normal(size=(3, 40)) + 0.5 * rng.normal(size=(90, 40))).astype(np.float32)
    cells.X[cells.X <= 0] = 0.01
    first = pretraining(cells[:45].copy(), tmp_path / "p1", {"tokenizer": PANEL_TOKENIZER, "training.epochs": 1})
    assert first.model.network.linear_path is not None
    starts = []

    def noting(config, dataset, train, units):
        starts.append((len(train), gaussian_start(config, dataset, train, units)))
        return starts[-1][1]

    monkeypatch.setattr("genoken.workflows.continued.gaussian_start", noting)
    second = pretrain(cells, start_from=first.folder, settings=LEAN | NEW, output=tmp_path / "p2")
    num_train, fitted = starts[0]
    assert num_train == (words_of(second.folder) == "train").sum()
    found, before = weights_of(second), weights_of(first)
    for name in ("mean", "deviation", "precision", "noise"):
        np.testing.assert_allclose(found[f"linear_path.{name}"], getattr(fitted.whole, name), rtol=1e-5, atol=1e-6)
    assert not np.allclose(found["linear_path.precision"], before["linear_path.precision"])
    np.testing.assert_allclose(found["linear_path.log_tail"], before["linear_path.log_tail"], atol=1e-6)
    np.testing.assert_allclose(found["embedding.identity.weight"], before["embedding.identity.weight"], atol=1e-6)
    assert len(fitted.folds) > 1
    assert fitted.fold_of_sample.shape == (num_train,)


# --- phenotypes ---


def test_phenotypes_are_inherited(later):
    assert later.config.data.phenotypes == ("cell_type",)
    assert later.model.phenotypes.columns == ("cell_type",)
    assert set(later.metrics["objectives"]) == {"masked_value", "phenotype"}


def test_other_phenotypes_are_refused(cells, earlier, tmp_path):
    with pytest.raises(ConfigError, match=r"'data\.phenotypes' is interaction, but the earlier run has cell_type"):
        pretrain(cells, start_from=earlier.folder, phenotypes=["interaction"], output=tmp_path / "p2")


@pytest.mark.parametrize("values", [["type_0", "type_1"], ["type_0", "type_1", "type_2", "type_3"]])
def test_a_map_with_other_values_is_refused(values, cells, earlier, tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"cell_type": values}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'data.phenotype_map' is .*map.json, but the earlier run has other"):
        pretrain(cells, start_from=earlier.folder, settings={"data.phenotype_map": str(path)}, output=tmp_path / "p2")


# --- heads ---


def test_a_head_of_another_shape_starts_anew_and_the_rest_goes_on(cells, quickly, said, tmp_path):
    settings = LEAN | {
        "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8,
        "tokenizer.hvgs": 0, "tokenizer.target_sum": 0,
    }  # fmt: skip
    likelihood = {"objectives": [{"kind": "masked_value", "likelihood": "negative_binomial"}]}
    with quickly(report=False):
        first = pretrain(cells, settings=settings, output=tmp_path / "p1")
        second = pretrain(cells, start_from=first.folder, settings=LEAN | NEW | likelihood, output=tmp_path / "p2", show=said)
    assert "  The earlier run has no such head for masked_value: it starts anew." in said.lines
    before, after = weights_of(first), weights_of(second)
    for name in before:
        if not name.startswith("heads."):
            np.testing.assert_allclose(after[name], before[name], atol=1e-6)
    assert not np.allclose(after["heads.masked_value.transform.0.weight"], before["heads.masked_value.transform.0.weight"])


# --- settings ---


def test_tokenizer_and_model_are_inherited(earlier, later):
    assert later.config.tokenizer == earlier.config.tokenizer
    assert later.config.model == earlier.config.model
    for name, value in weights_of(earlier).items():
        np.testing.assert_allclose(weights_of(later)[name], value, atol=1e-6)


@pytest.mark.parametrize(
    ("path", "value", "theirs"),
    [
        ("model.width", 16, "8"),
        ("tokenizer.kind", "rank", "binned"),
        ("model.encoder.layers", 2, "1"),
        ("model.linear_path", False, "True"),
    ],
)
def test_a_contradiction_names_the_setting(path, value, theirs, cells, earlier, tmp_path):
    with pytest.raises(ConfigError, match=f"'{path}' is {value}, but the pretrained network has {theirs}"):
        pretrain(cells, start_from=earlier.folder, settings={path: value}, output=tmp_path / "p2")


def test_an_earlier_run_that_was_changed_is_refused(cells, earlier, tmp_path):
    copy = shutil.copytree(earlier.folder, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="is not the one that the run wrote"):
        pretrain(cells, start_from=copy, output=tmp_path / "p2")


def test_the_earlier_run_is_not_overwritten(cells, earlier, tmp_path):
    copy = shutil.copytree(earlier.folder, tmp_path / "copy")
    with pytest.raises(RunError, match="is in the folder that would be emptied"):
        pretrain(cells, start_from=copy, settings=LEAN, output=copy, overwrite=True)
    assert load_pretrained(copy).folder == copy


# --- resuming ---


class Interrupted(Exception):
    """Stands for a kill: nothing in the code knows it."""


@pytest.fixture
def interrupted(cells, earlier, tmp_path, monkeypatch):
    """A run that was begun from a relative path and stopped before its first step, and a copy of the earlier run."""

    def stop(*arguments, **named):
        raise Interrupted

    copy = shutil.copytree(earlier.folder, tmp_path / "copy")
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setattr("genoken.workflows.pretraining_fit.fit", stop)
        with pytest.raises(Interrupted):
            pretrain(cells, start_from="copy", settings=LEAN | NEW, output=tmp_path / "p2")
    return tmp_path / "p2", copy


def test_a_resumed_run_goes_on_from_the_same_weights(cells, later, interrupted):
    folder, copy = interrupted
    noted = read_json(folder / "state.json")["start_from"]
    assert noted == {"folder": str(copy.resolve()), "sha256": sha256_of_file(copy / "model.safetensors")}
    run = pretrain(cells, resume=folder)
    pd.testing.assert_series_equal(words_of(folder), words_of(later.folder))
    for name, value in weights_of(later).items():
        np.testing.assert_array_equal(weights_of(run)[name], value)


def test_a_run_is_not_resumed_from_other_weights(cells, interrupted, pretraining):
    folder, copy = interrupted
    pretraining(
        cells[:60].copy(), copy, {"training.epochs": 1, "training.learning_rate": 0.01}, phenotypes=["cell_type"], overwrite=True
    )
    with pytest.raises(RunError, match="the pretrained network changed since the run began"):
        pretrain(cells, resume=folder)
