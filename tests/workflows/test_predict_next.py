"""Next cells predicted with a finished run: tables by hand from whole profiles, files, rollouts, and what is refused."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.cli.main import main
from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import write_json
from genoken.data.dataset import TokenDataset
from genoken.evaluation.next_cell_ranks import RankScale
from genoken.synthetic import planted_trajectory
from genoken.workflows.next_cell_predictions import NextCells, log_values, write_rank_scale
from genoken.workflows.predict_next import MEANS, ROLLOUT, as_current, predict_next_cell
from genoken.workflows.preparation import divided, prepare, requested
from genoken.workflows.pretrained import write_pretrained
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.pretraining_data import files_of, read_pretraining
from genoken.workflows.pretraining_request import Hiding
from genoken.workflows.show import Show

TINY = {
    "data.group": "donor_id",
    "model.width": 8,
    "model.encoder.layers": 1,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
}
NUM_GENES = 40


@pytest.fixture(scope="module")
def cells():
    return planted_trajectory(samples=60, features=NUM_GENES, steps=3, donors=5)


def run_in(folder, cells, preset, **settings):
    """Write an untrained run: what is asked of it is the same, and it takes no time."""
    asked = {"group": "", "phenotypes": (), "hiding": Hiding(), "start": None, "config": None}
    config = requested(cells, preset=preset, settings=TINY | settings, **asked)
    reading, quiet = read_pretraining(cells, files_of(cells, None), config.data), Show(quiet=True)
    division = divided(reading, config, cells, None, cache=folder, show=quiet)
    model = prepare(division, config, None, quiet).model
    folder.mkdir()
    write_pretrained(folder, model)
    profiles = {"profiles": {"verdict": "One step is worth little."}}
    write_json(folder / "metrics.json", {"task": "pretraining", "verdict": "none", "next_cell": profiles})
    return PretrainedRun(folder, model)


@pytest.fixture(scope="module")
def ranked(cells, tmp_path_factory):
    """A run that predicts ranks; each rank stands in nine of ten cells, and the value falls with it."""
    folder = tmp_path_factory.mktemp("runs") / "ranked"
    run = run_in(folder, cells, "next_cell_small")
    scale = RankScale(
        np.linspace(3, 0.5, 20), np.full(20, 0.9), np.ones(NUM_GENES), offset=np.zeros(NUM_GENES), slope=np.ones(NUM_GENES)
    )
    write_rank_scale(folder, scale, run.model.state.feature_ids)
    return run


@pytest.fixture(scope="module")
def valued(cells, tmp_path_factory):
    return run_in(tmp_path_factory.mktemp("runs") / "valued", cells, "next_value_small", **{"tokenizer.hvgs": 0})


def order_of(keys):
    """Return features by their keys, the smallest first, ties by the lower index."""
    return sorted(range(len(keys)), key=lambda feature: (*keys[feature], feature))


def test_likely_genes_and_changes_are_those_of_the_whole_profiles(ranked, cells):
    found = ranked.predict_next_cell(cells, num_predictions=4)
    dataset = ranked.encoder.encode(cells)
    scale = RankScale(np.linspace(3, 0.5, 20), np.full(20, 0.9), ranked.model.state.per_feature["median"])
    asked = NextCells(ranked.model, dataset, scale)
    rows = np.arange(60)
    expected_of = asked.ranked(rows)
    presence, ranks, profiles = expected_of.presence, expected_of.ranks, expected_of.profiles
    current = log_values(ranked.model, dataset).toarray()
    change = profiles - current
    np.testing.assert_allclose(found.predicted, profiles, atol=1e-6)
    assert list(found.table) == [
        *("sample_id", "list", "place", "feature_id", "symbol", "probability", "rank", "current", "predicted", "change")
    ]
    genes = list(ranked.model.state.feature_ids)
    expected = []
    for row, name in enumerate(cells.obs_names):
        likely = order_of([(-presence[row, gene], ranks[row, gene]) for gene in range(len(genes))])
        rising = order_of([(-value,) for value in change[row]])
        falling = order_of([(value,) for value in change[row]])
        for kind, order in (("likely", likely), ("rising", rising), ("falling", falling)):
            expected += [(name, kind, place + 1, genes[gene], genes[gene]) for place, gene in enumerate(order[:4])]
    columns = ["sample_id", "list", "place", "feature_id", "symbol"]
    assert list(found.table[columns].itertuples(index=False, name=None)) == expected
    gene = found.table["feature_id"].map({name: place for place, name in enumerate(genes)}).to_numpy()
    cell = np.repeat(rows, 12)
    for column, values in {"probability": presence, "rank": ranks, "current": current, "change": change}.items():
        np.testing.assert_allclose(found.table[column], values[cell, gene], atol=1e-6)


def test_values_have_changes_alone(valued, cells):
    found = valued.predict_next_cell(cells, num_predictions=2)
    assert found.ranked is None
    assert list(found.table["list"])[:8] == ["rising", "rising", "falling", "falling"] * 2
    change = found.predicted - found.current.toarray()
    np.testing.assert_allclose(found.table["change"].to_numpy().reshape(60, 4)[:, 0], change.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.table["change"].to_numpy().reshape(60, 4)[:, 2], change.min(axis=1), atol=1e-6)


def test_the_file_holds_everything(ranked, cells, tmp_path, said):
    found = predict_next_cell(ranked, cells, tmp_path / "next.h5ad", show=said)
    read = anndata.read_h5ad(tmp_path / "next.h5ad")
    np.testing.assert_array_equal(read.X, found.predicted)
    np.testing.assert_array_equal(read.layers["probability"], found.ranked.presence)
    np.testing.assert_array_equal(read.layers["rank"], found.ranked.ranks)
    assert (read.layers["current"] != found.current).nnz == 0
    pd.testing.assert_frame_equal(read.obs.astype(str), cells.obs.astype(str))
    assert list(read.var_names) == list(ranked.model.state.feature_ids)
    assert read.uns["genoken_next_cell"] == {"steps": 1, "caveat": MEANS, "worth": "One step is worth little."}
    assert said.lines[-3:] == ["One step is worth little.", MEANS, f"Wrote {tmp_path / 'next.h5ad'}."]


@pytest.mark.parametrize("suffix", ["parquet", "tsv", "csv"])
def test_tables(suffix, valued, cells, tmp_path):
    path = tmp_path / f"next.{suffix}"
    found = predict_next_cell(valued, cells[:3].copy(), path, num_predictions=2).table.set_index("sample_id")
    if suffix == "parquet":
        read = pd.read_parquet(path)
    else:
        read = pd.read_csv(path, sep="\t" if suffix == "tsv" else ",", index_col="sample_id")
    pd.testing.assert_frame_equal(read, found, check_dtype=False, check_column_type=False)


def test_a_rollout_goes_on_from_what_was_predicted(valued, cells):
    once = valued.predict_next_cell(cells)
    dataset = valued.encoder.encode(cells)
    own = TokenDataset(dataset.tokenizer, dataset.state, as_current(valued.model, once.predicted, dataset))
    expected = NextCells(valued.model, own).profiles(np.arange(60))
    twice = valued.predict_next_cell(cells, steps=2)
    np.testing.assert_allclose(twice.predicted, expected, atol=1e-6)
    assert np.abs(twice.predicted - once.predicted).max() > 1e-3
    assert (twice.current != once.current).nnz == 0
    assert (twice.steps, twice.caveat) == (2, f"{MEANS} {ROLLOUT}")


def test_fed_back_values_have_the_cells_genes_and_total(valued):
    state, num_genes = valued.model.state, len(valued.model.state.feature_ids)
    cell = np.zeros((1, num_genes), np.float32)
    cell[0, [3, 5]] = np.log1p([6.0, 2.0])  # two genes, of total 8
    dataset = TokenDataset(valued.model.tokenizer, state, sp.csr_matrix(cell))
    profile = np.zeros((1, num_genes), np.float32)
    profile[0, [0, 1, 2]] = np.log1p([3.0, 1.0, 0.5])
    profile[0, 4] = -1.0
    expected = np.zeros((1, num_genes))
    expected[0, [0, 1]] = np.log1p([6.0, 2.0])  # the two highest, 3 and 1, scaled to the total of 8
    np.testing.assert_allclose(as_current(valued.model, profile, dataset).toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("is_logged", [True, False])
def test_fed_back_bins_are_of_values_as_the_tokenizer_takes_them(is_logged, cells, tmp_path):
    settings = {"tokenizer.kind": "binned", "tokenizer.log": is_logged, "model.linear_path": False}
    run = run_in(tmp_path / "bins", cells, "next_value_small", **settings)
    state, num_genes = run.model.state, len(run.model.state.feature_ids)
    plain = np.zeros((1, num_genes), np.float32)
    plain[0, [3, 5]] = [6.0, 2.0]  # two genes, of total 8
    dataset = TokenDataset(run.model.tokenizer, state, sp.csr_matrix(np.log1p(plain) if is_logged else plain))
    profile = np.zeros((1, num_genes), np.float32)
    profile[0, [0, 1, 2]] = np.log1p([3.0, 1.0, 0.5])
    expected = np.zeros((1, num_genes))
    expected[0, [0, 1]] = [6.0, 2.0]  # the two highest, 3 and 1, scaled to the total of 8
    found = as_current(run.model, profile, dataset).toarray()
    np.testing.assert_allclose(np.expm1(found) if is_logged else found, expected, rtol=1e-5)


def test_fed_back_ranks_are_those_of_values_over_medians(ranked):
    state, num_genes = ranked.model.state, len(ranked.model.state.feature_ids)
    cell = np.zeros((1, num_genes), np.float32)
    cell[0, [0, 1, 2]] = 1.0
    dataset = TokenDataset(ranked.model.tokenizer, state, sp.csr_matrix(cell))
    over = np.zeros((1, num_genes))
    over[0, [7, 3, 9, 1]] = [4.0, 3.0, 2.0, 1.0]
    fed = as_current(ranked.model, np.log1p(over * state.per_feature["median"]), dataset)
    tokens = ranked.model.tokenizer.encode(fed, np.array([0]), state).channels["feature"]
    assert (tokens[1:] - tokens[1:].min()).tolist() == [4, 0, 6]  # genes 7, 3 and 9; the cell had three


def test_from_the_command_line(valued, cells, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("genoken.workflows.pretrained_run.verify_hashes", lambda *arguments, **named: None)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    words = ["next", valued.folder, tmp_path / "cells.h5ad", "-o", tmp_path / "next.csv", "--num-predictions", "1", "--steps", "2"]
    assert main([str(word) for word in words]) == 0
    assert ROLLOUT in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "next.csv")) == 60 * 2
    assert main([*map(str, words), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({"num_predictions": 0}, ConfigError, "--num-predictions: 0 is too few — it must be 1 or more"),
        ({"steps": 0}, ConfigError, "--steps: 0 is too few"),
        ({"output": "next.xlsx"}, ConfigError, r"'\.xlsx' says no format that this can be written in"),
        ({"min_coverage": 1.0, "genes": 5}, DataError, "too few genes in common"),
        ({"data": "nowhere.h5ad"}, DataError, "the file does not exist"),
    ],
)
def test_what_cannot_be_used_is_said(named, error, message, valued, cells):
    genes = named.pop("genes", NUM_GENES)
    data = named.pop("data", cells[:, :genes])
    with pytest.raises(error, match=message):
        predict_next_cell(valued, data, **named)


def test_runs_that_predict_no_next_cells(ranked, cells, tmp_path):
    single = run_in(tmp_path / "single", cells, "geneformer_small")
    with pytest.raises(ConfigError, match="the run predicts no next cells — make one that does: genoken pretrain"):
        single.predict_next_cell(cells)
    objective = {"kind": "next_value", "likelihood": "negative_binomial"}
    counts = run_in(tmp_path / "counts", cells, "next_value_small", **{"tokenizer.hvgs": 0, "objectives": [objective]})
    with pytest.raises(
        ConfigError, match=r"the run predicts no next cells\. Whole profiles of next cells are not predicted: expected"
    ):
        counts.predict_next_cell(cells)
    bins = run_in(tmp_path / "bins", cells, "next_value_small", **{"tokenizer.kind": "binned", "model.linear_path": False})
    with pytest.raises(RunError, match=r"the run has no bin_scale\.parquet"):
        bins.predict_next_cell(cells)
    unfinished = run_in(tmp_path / "unfinished", cells, "next_cell_small")
    with pytest.raises(RunError, match=r"the run has no rank_scale\.parquet"):
        unfinished.predict_next_cell(cells)
