"""Folders ``{train,val,test}/{data.h5ad,neighbors.json,medians.json,geneformer.vocab}`` are pretrained on as they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from genoken.cli.main import main
from genoken.core.config import read_yaml
from genoken.core.errors import ConfigError
from genoken.synthetic import planted_trajectory
from genoken.workflows.pretrain import pretrain

TINY = {
    "successors.controls": [],
    "model.width": 8,
    "model.encoder.layers": 1,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
    "training.epochs": 1,
    "training.logger": "none",
    "objectives": [{"kind": "next_cell", "probability": 0.5}],
}
SHORT = {
    "successors.controls": [],
    "training.epochs": 1,
    "training.learning_rate": 1e-9,
    "training.logger": "none",
    "objectives": TINY["objectives"],
}
"""Settings of a run that goes on from another, and hardly learns."""
DONORS = {"train": ["donor_00", "donor_01", "donor_02"], "val": ["donor_03"], "test": ["donor_04"]}


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """60 cells in three parts; the vocabulary is 30 of 40 genes in reverse, the medians are round numbers."""
    folder = tmp_path_factory.mktemp("layout") / "pancreas"
    cells = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    graph = cells.obsp.pop("next_cell_ids").tocsr()
    genes = list(cells.var_names[:30])
    for part, donors in DONORS.items():
        rows = np.flatnonzero(cells.obs["donor_id"].isin(donors))
        (folder / part).mkdir(parents=True)
        cells[rows].copy().write_h5ad(folder / part / "data.h5ad")
        neighbors = {cells.obs_names[row]: list(cells.obs_names[graph[row].indices]) for row in rows}
        (folder / part / "neighbors.json").write_text(json.dumps({"neighbors": neighbors}))
        (folder / part / "medians.json").write_text(json.dumps({gene: 2.0 + place for place, gene in enumerate(genes)}))
        (folder / part / "geneformer.vocab").write_text(
            json.dumps({"vocab": {"[CLS]": 0} | {gene: 5 + place for place, gene in enumerate(reversed(genes))}})
        )
    return folder


def words_of(run):
    table = pd.read_parquet(run.folder / "split.parquet")
    return {str(name).rsplit(":", 1)[-1]: part for name, part in zip(table["sample_id"], table["fold_0"], strict=True)}


def test_parts_neighbors_medians_and_vocabulary_are_those_of_the_folder(layout, tmp_path):
    run = pretrain(layout, settings=TINY, output=tmp_path / "run")
    genes = [f"GENE{number:04d}" for number in range(30, 0, -1)]
    assert list(run.model.state.feature_ids) == genes
    assert run.model.state.per_feature["median"].tolist() == [float(number + 1) for number in range(30, 0, -1)]
    assert run.metrics["split"]["note"] == "reported on the files data.h5ad; the files data.h5ad chose the weights"
    config = read_yaml(run.folder / "config.yaml")
    assert (config["successors"]["key"], config["tokenizer"]["kind"]) == ("neighbors.json", "rank")
    whole = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    part_of = {donor: part for part, donors in DONORS.items() for donor in donors}
    assert words_of(run) == {name: part_of[donor] for name, donor in whole.obs["donor_id"].items()}
    found = run.metrics["next_cell"]
    ends = whole.obsp["next_cell_ids"].getnnz(axis=1)
    parts = whole.obs["donor_id"].map(part_of).to_numpy()
    assert found["pairs"] == {part: int(((ends > 0) & (parts == part)).sum()) for part in ("train", "val", "test")}
    assert (found["edges"], found["edges_across_parts"]) == (int(ends.sum()), 0)


def test_what_is_typed_has_the_last_word(layout, tmp_path):
    settings = TINY | {"tokenizer.kind": "continuous", "tokenizer.hvgs": 0, "objectives": ["next_value"]}
    run = pretrain(str(layout), preset="next_cell_small", settings=settings, output=tmp_path / "run")
    assert len(run.model.state.feature_ids) == 40
    with pytest.raises(ConfigError, match="the folder has a test part of its own — leave out --eval"):
        pretrain([layout], settings=TINY, output=tmp_path / "other", evaluate_on=layout / "test" / "data.h5ad")


@pytest.fixture
def quick_pretrain(quickly):
    """Return ``pretrain`` without its report."""

    def run(data, **named):
        with quickly(report=False):
            return pretrain(data, **named)

    return run


def test_a_folder_is_pretrained_on_from_an_earlier_run(layout, quick_pretrain, tmp_path):
    """The vocabulary and the medians are those of the earlier run, parts those of the folder, which it shares."""
    earlier = quick_pretrain(layout, settings=TINY, output=tmp_path / "earlier")
    later = quick_pretrain(layout, settings=SHORT, start_from=earlier.folder, output=tmp_path / "later")
    assert words_of(later) == words_of(earlier)
    assert later.model.state.feature_ids == earlier.model.state.feature_ids
    np.testing.assert_array_equal(later.model.state.per_feature["median"], earlier.model.state.per_feature["median"])
    assert later.metrics["next_cell"]["pairs"] == earlier.metrics["next_cell"]["pairs"]
    cells = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    np.testing.assert_allclose(later.embed(cells), earlier.embed(cells), atol=1e-5)


@pytest.mark.parametrize("kind", ["rank", "continuous"])
def test_a_folder_is_pretrained_on_from_a_run_over_other_cells(kind, layout, quick_pretrain, tmp_path):
    """A run over single cells of another file knows none of them, and its tokens stay as they are, of whatever kind."""
    known = planted_trajectory(samples=60, features=40, steps=3, donors=5, seed=9)
    known.obs_names = [f"other_{number}" for number in range(60)]
    tokenizer = {"rank": {"kind": "rank", "scale": "none"}, "continuous": {"kind": "continuous", "hvgs": 0}}[kind]
    single = {name: value for name, value in TINY.items() if not name.startswith(("successors", "objectives"))}
    earlier = quick_pretrain(known, settings=single | {"tokenizer": tokenizer}, output=tmp_path / "earlier")
    asked = {"rank": "next_cell", "continuous": "next_value"}[kind]
    settings = SHORT | {"objectives": [{"kind": asked, "probability": 0.5}]}
    later = quick_pretrain(layout, settings=settings, start_from=earlier.folder, output=tmp_path / "later")
    assert later.metrics["split"]["samples"] == {"train": 36, "val": 12, "test": 12}
    assert (later.config.tokenizer, later.model.state.feature_ids) == (earlier.config.tokenizer, earlier.model.state.feature_ids)
    assert later.metrics["next_cell"]["profiles"]["cells"] > 0
    np.testing.assert_allclose(later.embed(known), earlier.embed(known), atol=1e-5)


def test_cells_that_an_earlier_run_knows_keep_their_part_and_others_that_of_the_folder(layout, quick_pretrain, tmp_path, said):
    cells = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    single = {name: value for name, value in TINY.items() if not name.startswith(("successors", "objectives"))}
    first = cells[cells.obs["donor_id"] == "donor_00"].copy()
    earlier = quick_pretrain(first, settings=single | {"tokenizer": {"kind": "rank"}, "data.val": 0.2}, output=tmp_path / "earlier")
    known = words_of(earlier)
    assert set(known.values()) == {"train", "val", "test"}
    later = quick_pretrain(layout, settings=SHORT, start_from=earlier.folder, output=tmp_path / "later", show=said)
    part_of = {donor: part for part, donors in DONORS.items() for donor in donors}
    assert words_of(later) == {name: part_of[donor] for name, donor in cells.obs["donor_id"].items()} | known
    assert any(line.endswith("36 new ones stay in the part of their file.") for line in said.lines)


def test_a_run_that_learned_from_the_test_part_is_refused(layout, quick_pretrain, tmp_path):
    cells = planted_trajectory(samples=60, features=40, steps=3, donors=5)
    single = {name: value for name, value in TINY.items() if not name.startswith(("successors", "objectives"))}
    earlier = quick_pretrain(cells, settings=single | {"tokenizer": {"kind": "rank"}}, output=tmp_path / "earlier")
    with pytest.raises(
        ConfigError, match="of 12 samples to report on were learned from by the earlier run, so this would be no test"
    ):
        quick_pretrain(layout, settings=SHORT, start_from=earlier.folder, output=tmp_path / "later")
    assert not (tmp_path / "later").exists()


def test_from_the_command_line_with_a_preset(layout, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assigned = [f"--set={path}={json.dumps(value)}" for path, value in TINY.items()]
    assert main(["pretrain", str(layout), "--preset", "next_cell_small", *assigned, "--limit-batches", "2"]) == 0
    assert "Parts are those of the files: 36 train / 12 val / 12 test." in capsys.readouterr().out
    assert (tmp_path / "runs" / "pretrained-pancreas" / "report.html").is_file()
    assert main(["pretrain", "--resume", "runs/pretrained-pancreas"]) == 0
