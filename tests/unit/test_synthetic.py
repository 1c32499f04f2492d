"""Synthetic data: shapes, determinism, and that what was planted can be found by the right method and by no other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler

from genoken.core.errors import DataError
from genoken.synthetic import (
    DISPERSION,
    MOST_SUCCESSORS,
    PROGRAM_FEATURES,
    SCORE_WEIGHTS,
    SWITCHES_PER_STEP,
    TRIGGERS_PER_STEP,
    planted_changes,
    planted_markers,
    planted_trajectory,
)


@pytest.fixture(scope="module")
def cells():
    return planted_markers()


def log_values(adata):
    counts = adata.X.toarray()
    return StandardScaler().fit_transform(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4))


def held_out_donors(adata):
    donors = np.array(sorted(set(adata.obs["donor_id"])))
    return np.isin(adata.obs["donor_id"], donors[::3])


def test_is_a_sparse_count_matrix_with_tables(cells):
    assert cells.shape == (600, 200)
    assert isinstance(cells.X, sp.csr_matrix)
    assert cells.X.dtype == np.float32
    assert cells.X.data.min() >= 1
    assert np.array_equal(cells.X.data, np.round(cells.X.data))
    assert list(cells.var_names[:2]) == ["GENE0001", "GENE0002"]
    assert cells.obs_names.is_unique
    assert set(cells.obs["interaction"]) == {"concordant", "discordant"}
    assert np.asarray(cells.X.sum(axis=1)).mean() == pytest.approx(2000, rel=0.05)


def test_classes_are_balanced_within_every_donor(cells):
    sizes = cells.obs.groupby(["donor_id", "cell_type"]).size()
    assert len(sizes) == 36
    assert sizes.min() >= 16
    assert sizes.max() <= 17


def test_planted_features_have_one_role_each(cells):
    roles = np.stack([cells.var["marker_of"] != "", cells.var["score_weight"] != 0, cells.var["program"] != ""])
    assert roles.sum(axis=1).tolist() == [15, len(SCORE_WEIGHTS), 2 * PROGRAM_FEATURES]
    assert roles.sum(axis=0).max() == 1
    assert cells.var["marker_of"].value_counts()[["type_0", "type_1", "type_2"]].tolist() == [5, 5, 5]


def test_same_seed_same_data_other_seed_other_data():
    first, again, other = (planted_markers(50, 60, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.X.toarray(), again.X.toarray())
    assert first.obs.equals(again.obs)
    assert first.var.equals(again.var)
    assert not np.array_equal(first.X.toarray(), other.X.toarray())


def test_every_marker_is_higher_in_its_class(cells):
    counts = cells.X.toarray()
    for column in np.flatnonzero(cells.var["marker_of"] != ""):
        inside = (cells.obs["cell_type"] == cells.var["marker_of"].iloc[column]).to_numpy()
        ratio = counts[inside, column].mean() / counts[~inside, column].mean()
        assert 2.0 < ratio < 8.0


def test_a_linear_model_finds_the_cell_type_in_unseen_donors(cells):
    values, test = log_values(cells), held_out_donors(cells)
    model = LogisticRegression(C=0.1).fit(values[~test], cells.obs["cell_type"][~test])
    assert accuracy_score(cells.obs["cell_type"][test], model.predict(values[test])) > 0.95


def test_without_signal_nothing_is_planted():
    cells = planted_markers(signal=0.0)
    values, test = log_values(cells), held_out_donors(cells)
    model = LogisticRegression(C=0.01).fit(values[~test], cells.obs["cell_type"][~test])
    assert 0.2 < accuracy_score(cells.obs["cell_type"][test], model.predict(values[test])) < 0.46


def test_the_interaction_is_hidden_from_linear_models_and_plain_in_the_product(cells):
    values, test = log_values(cells), held_out_donors(cells)
    label = cells.obs["interaction"].to_numpy()
    linear = LogisticRegression(C=0.01).fit(values[~test], label[~test])
    assert accuracy_score(label[test], linear.predict(values[test])) < 0.6
    first, second = (values[:, cells.var["program"] == name].mean(axis=1) for name in ("first", "second"))
    assert np.mean((first * second > 0) == (label == "concordant")) > 0.95


def test_the_score_is_linear_in_its_five_features(cells):
    values, test = log_values(cells), held_out_donors(cells)
    score = cells.obs["score"].to_numpy()
    drivers = np.flatnonzero(cells.var["score_weight"])
    model = Ridge(1.0).fit(values[~test][:, drivers], score[~test])
    assert np.allclose(model.coef_, cells.var["score_weight"].iloc[drivers], atol=0.15)
    assert r2_score(score[test], model.predict(values[test][:, drivers])) > 0.85


def test_donors_differ_only_when_asked():
    def spread(group_effect):
        cells = planted_markers(1200, 100, groups=4, seed=1, group_effect=group_effect)
        means = [cells.X[(cells.obs["donor_id"] == donor).to_numpy()].mean(axis=0) for donor in sorted(set(cells.obs["donor_id"]))]
        return np.std(np.log(np.asarray(means).squeeze()), axis=0).mean()

    assert spread(0.6) > 3 * spread(0.0)


def test_counts_scatter_as_a_negative_binomial():
    cells = planted_markers(4000, 40, classes=1, groups=1, markers_per_class=1, signal=0.0, group_effect=0.0, seed=5)
    free = ((cells.var["program"] == "") & (cells.var["score_weight"] == 0)).to_numpy()
    counts = cells.X.toarray()[:, free]
    mean, variance = counts.mean(axis=0), counts.var(axis=0)
    expected = mean + mean**2 * (1 / DISPERSION + 0.04)  # the depth varies by 20 %
    assert np.median(variance / expected) == pytest.approx(1.0, abs=0.25)
    assert spearmanr(mean, variance).statistic > 0.95


def test_refuses_more_planted_features_than_there_are():
    with pytest.raises(DataError, match="32 planted features do not fit into 31 — ask for at least 32"):
        planted_markers(features=31)
    assert planted_markers(samples=20, features=32).shape == (20, 32)


@pytest.fixture(scope="module")
def branches():
    return planted_trajectory(1600, 200, lineages=2)


def test_successors_are_of_the_next_step_the_same_lineage_and_the_same_donor(branches):
    edges = branches.obsp["next_cell_ids"].tocoo()
    assert edges.data.tolist() == [1.0] * edges.nnz
    starts, ends = branches.obs.iloc[edges.row], branches.obs.iloc[edges.col]
    assert (ends["time"].to_numpy() == starts["time"].to_numpy() + 1).all()
    for column in ("lineage", "donor_id"):
        assert (ends[column].to_numpy() == starts[column].to_numpy()).all()
    counts = np.bincount(edges.row, minlength=1600)
    assert (counts[branches.obs["time"] == 7] == 0).all()
    assert (counts[branches.obs["time"] < 7] == MOST_SUCCESSORS).all()
    assert (np.floor(branches.obs["pseudotime"] * 8) == branches.obs["time"]).all()


def test_each_step_has_its_switches_and_one_step_before_its_triggers(branches):
    table = branches.var.groupby(["direction", "switch_time", "lineage"]).size()
    for time in range(1, 8):
        for lineage in ["all"] if time < 4 else ["lineage_0", "lineage_1"]:
            assert table["up", time, lineage] == table["down", time, lineage] == SWITCHES_PER_STEP // 2
            assert table["trigger", time - 1, lineage] == TRIGGERS_PER_STEP
    planted = branches.var["direction"] != ""
    assert planted.sum() == 88
    assert branches.var["switch_time"].isna().to_numpy().tolist() == (~planted).to_numpy().tolist()
    assert set(branches.obs["cell_type"][branches.obs["time"] >= 4]) == {
        f"stage_{stage}_lineage_{code}" for stage in (1, 2) for code in (0, 1)
    }
    assert set(branches.obs["cell_type"][branches.obs["time"] < 4]) == {"stage_0", "stage_1"}


def test_features_are_switched_when_and_where_it_is_said():
    cells = planted_trajectory(1600, 200, lineages=2, donor_effect=0.0, signal=2.0)
    counts, time, lineage = cells.X.toarray(), cells.obs["time"].to_numpy(), cells.obs["lineage"].to_numpy()
    for column in np.flatnonzero(cells.var["direction"] != ""):
        switch, direction, own = cells.var.iloc[column][["switch_time", "direction", "lineage"]]
        applies = (lineage == own) | (own == "all")
        since = {"up": time >= switch, "down": time < switch, "trigger": time == switch}[direction]
        is_high = (since & applies) | ((direction == "down") & ~applies)
        assert counts[is_high, column].mean() > 3 * counts[~is_high, column].mean()


def test_planted_changes_are_those_of_the_next_step(branches):
    counts = branches.X.toarray() / branches.X.sum(axis=1)
    time, lineage = branches.obs["time"].to_numpy(), branches.obs["lineage"].to_numpy()
    for step in (1, 3, 5):
        rising, falling = planted_changes(branches.var, step, "lineage_1")
        before, after = (counts[(time == step + more) & (lineage == "lineage_1")].mean(axis=0) for more in (0, 1))
        change = np.log(np.asarray(after)) - np.log(np.asarray(before))
        assert np.array_equal(rising, change.ravel() > 0.75)
        assert np.array_equal(falling, change.ravel() < -0.75)
        assert (rising.sum(), falling.sum()) == (SWITCHES_PER_STEP // 2 + TRIGGERS_PER_STEP,) * 2


def test_trajectories_are_a_function_of_the_seed():
    first, again, other = (planted_trajectory(80, 60, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.X.toarray(), again.X.toarray())
    assert first.obs.equals(again.obs)
    assert first.var.equals(again.var)
    assert np.array_equal(first.obsp["next_cell_ids"].toarray(), again.obsp["next_cell_ids"].toarray())
    assert not np.array_equal(first.X.toarray(), other.X.toarray())


def test_a_trajectory_without_signal_has_no_switches():
    cells = planted_trajectory(1600, 100, signal=0.0, donor_effect=0.0)
    counts, time = cells.X.toarray(), cells.obs["time"].to_numpy()
    ratios = [
        counts[time >= switch, column].mean() / counts[time < switch, column].mean()
        for column, switch in enumerate(cells.var["switch_time"])
        if switch >= 1
    ]
    assert np.abs(np.log(ratios)).max() < 0.3


def test_refuses_trajectories_that_do_not_fit():
    with pytest.raises(DataError, match="56 planted features do not fit into 55 — ask for at least 56"):
        planted_trajectory(features=55)
    with pytest.raises(DataError, match="a trajectory of 1 steps has no next step"):
        planted_trajectory(steps=1)
