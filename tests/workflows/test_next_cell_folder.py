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


def test_from_the_command_line_with_a_preset(layout, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assigned = [f"--set={path}={json.dumps(value)}" for path, value in TINY.items()]
    assert main(["pretrain", str(layout), "--preset", "next_cell_small", *assigned, "--limit-batches", "2"]) == 0
    assert "Parts are those of the files: 36 train / 12 val / 12 test." in capsys.readouterr().out
    assert (tmp_path / "runs" / "pretrained-pancreas" / "report.html").is_file()
    assert main(["pretrain", "--resume", "runs/pretrained-pancreas"]) == 0
