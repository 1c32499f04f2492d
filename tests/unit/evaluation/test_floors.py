"""Trivial floors: answers typed by hand, planted structure that only the right floor can use, nothing taken from test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.evaluation._gaussian import Gaussian, cross_fit, draw_hidden, fit_gaussian, squared_error
from genoken.evaluation._packed import held_out, missing_features
from genoken.evaluation.floors import (
    PackedTokens,
    Questions,
    Targets,
    category_floors,
    feature_floors,
    linear_floor_note,
    swapped_category_floors,
    swapped_value_floors,
    value_floors,
)
from genoken.evaluation.phenotype_floors import phenotype_floors


def packed(rows, categories=None, values=None):
    """A CLS in front of each row of features."""

    def channel(parts, special, dtype):
        return None if parts is None else np.concatenate([[special, *part] for part in parts]).astype(dtype)

    offsets = np.concatenate([[0], np.cumsum([len(row) + 1 for row in rows])])
    return PackedTokens(
        channel(rows, -1, np.int64), channel(categories, -1, np.int64), channel(values, np.nan, np.float32), offsets
    )


def targets_in(tokens, per_sample):
    """Targets at these places behind the CLS of each sample."""
    return Targets(np.concatenate([tokens.offsets[i] + 1 + np.array(sorted(own), int) for i, own in enumerate(per_sample)]))


def correlated_ranks(num_samples, num_features=24, seed=0):
    """Samples in which all features follow two hidden axes, as features in descending order of their values."""
    loadings = np.random.default_rng(100).normal(size=(2, num_features))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(num_samples, 2)) @ loadings + 0.15 * rng.normal(size=(num_samples, num_features))
    return values, np.argsort(-values, axis=1)


def test_ranks_count_features_and_nothing_else():
    tokens = PackedTokens(np.array([-1, -1, 4, 2, -1, -1, 3]), None, None, np.array([0, 5, 7]))
    assert tokens.ranks[tokens.feature_places].tolist() == [0, 1, 0]
    assert tokens.samples.tolist() == [0, 0, 0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match="2 features for 3 tokens"):
        PackedTokens(np.array([0, 1]), None, None, np.array([0, 3]))


def test_missing_is_what_no_visible_token_holds():
    tokens = packed([[3, 0, 1], [2, 4]])
    targets = targets_in(tokens, [[1], [0]])
    assert missing_features(tokens, targets, 0, 5).tolist() == [0, 2, 4]
    assert missing_features(tokens, targets, 1, 5).tolist() == [0, 1, 2, 3]
    assert not tokens.is_panel(5)
    assert packed([[1, 0], [0, 1]]).is_panel(2)
    assert not packed([[1, 1], [0, 0]]).is_panel(2)


def test_targets_must_ascend_and_hold_features():
    tokens = packed([[0, 1]])
    for places in ([2, 1], [0]):
        with pytest.raises(ValueError, match="must ascend and hold features"):
            Targets(np.array(places)).per_sample(tokens)


@pytest.mark.parametrize(("restricted", "uniform"), [(True, [3, 3, 4]), (False, [5, 5, 5])])
def test_guessing_among_all_and_among_what_is_missing(restricted, uniform):
    train, test = packed([[0, 1, 2, 3, 4]]), packed([[3, 0, 1, 2], [2, 4]])
    targets = targets_in(test, [[1, 3], [0]])
    floors = feature_floors(train, test, targets, 5, restricted=restricted)
    np.testing.assert_allclose(floors["uniform"]["cross_entropy"], np.log(uniform))
    np.testing.assert_allclose(floors["set_complement"]["cross_entropy"], np.log([3, 3, 4]))
    np.testing.assert_allclose(floors["set_complement"]["correct"], [1 / 3, 1 / 3, 1 / 4])
    np.testing.assert_allclose(floors["set_complement"]["top5"], [1, 1, 1])
    assert "linear_gaussian" not in floors


def test_rank_profiles_know_where_features_stand_and_groups_have_their_own():
    orders = {"a": [0, 1, 2, 3, 4, 5], "b": [5, 4, 3, 2, 1, 0]}
    groups = np.array(["a", "b"] * 20)
    train = packed([orders[group] for group in groups])
    test = packed([orders["b"], orders["a"]])
    targets = targets_in(test, [[0, 5], [1, 4]])
    for restricted in (True, False):
        floors = feature_floors(
            train, test, targets, 6, groups_train=groups, groups_test=np.array(["b", "a"]), restricted=restricted
        )
        # of both groups together, each place holds one of two features
        np.testing.assert_allclose(floors["position_frequency"]["cross_entropy"], np.log(2), atol=0.02)
        np.testing.assert_allclose(floors["position_frequency"]["correct"], 0.5, atol=1e-9)
        np.testing.assert_allclose(floors["position_frequency_by_group"]["cross_entropy"], 0, atol=0.05)
        assert floors["position_frequency_by_group"]["correct"].tolist() == [1, 1, 1, 1]
    unknown = feature_floors(train, test, targets, 6, groups_train=groups, groups_test=np.array(["b", "c"]), restricted=True)
    assert "position_frequency_by_group" not in unknown


def test_only_linear_floors_see_what_is_visible():
    train, test = packed(correlated_ranks(300)[1]), packed(correlated_ranks(40, seed=1)[1])
    rng = np.random.default_rng(2)
    targets = targets_in(test, [rng.choice(24, 6, replace=False) for _ in range(40)])
    floors = feature_floors(train, test, targets, 24, restricted=True)
    mean = {name: floor["cross_entropy"].mean() for name, floor in floors.items()}
    assert mean["uniform"] == pytest.approx(np.log(6))
    assert mean["linear_gaussian"] < mean["position_frequency"] - 0.5
    assert mean["linear_student"] < mean["position_frequency"] - 0.5
    assert floors["linear_gaussian"]["correct"].mean() > floors["position_frequency"]["correct"].mean() + 0.2


def test_what_is_hidden_does_not_change_the_conditional():
    order = correlated_ranks(60)[1]
    train = packed(order[:50])
    swapped = order[50:].copy()
    swapped[:, [3, 9]] = swapped[:, [9, 3]]
    one, other = packed(order[50:]), packed(swapped)
    targets = targets_in(one, [[3, 9]] * 10)
    first = feature_floors(train, one, targets, 24, restricted=True)["linear_gaussian"]["cross_entropy"]
    second = feature_floors(train, other, targets, 24, restricted=True)["linear_gaussian"]["cross_entropy"]
    # with two candidates, the two truths' probabilities at a place add up to one
    np.testing.assert_allclose(np.exp(-first) + np.exp(-second), 1)


def test_conditional_moments_are_those_of_the_partitioned_covariance():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, 5))
    covariance = mixing @ mixing.T + np.eye(5)
    deviation, mean, row = np.array([1, 2, 3, 0.5, 1.5]), rng.normal(size=5), rng.normal(size=5)
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    noise = np.array([1, 1, 1, 4, 1])
    gaussian = Gaussian(mean, deviation, np.linalg.inv(correlation), noise)
    hidden, visible = np.array([3, 1]), np.array([0, 2, 4])
    full = correlation * np.outer(deviation, deviation)
    weights = full[np.ix_(hidden, visible)] @ np.linalg.inv(full[np.ix_(visible, visible)])
    expected_mean = mean[hidden] + weights @ (row - mean)[visible]
    expected = np.diag(full[np.ix_(hidden, hidden)] - weights @ full[np.ix_(visible, hidden)])
    given = row.copy()
    given[hidden] = 1e6
    ((found_mean, found_deviation),) = gaussian.conditional(given[None], [hidden])
    np.testing.assert_allclose(found_mean, expected_mean)
    np.testing.assert_allclose(found_deviation, np.sqrt(expected * noise[hidden]))


def test_noise_of_train_is_shrunk_more_than_signal():
    rng = np.random.default_rng(0)
    noise, signal = rng.normal(size=(80, 12)), correlated_ranks(400, 12)[0]
    fits = [fit_gaussian(values, 0.2, squared_error) for values in (noise, signal)]
    correlations = [np.abs(np.linalg.inv(fit.gaussian.precision) - np.eye(12)).max() for fit in fits]
    assert correlations[0] < 0.15 < correlations[1]
    np.testing.assert_allclose(fits[0].gaussian.noise.mean() / np.diag(fits[0].gaussian.precision).mean(), 1, atol=0.3)


def test_each_fold_has_a_gaussian_that_has_not_seen_it():
    values = correlated_ranks(60, 5)[0].astype(float)
    units = np.repeat([f"u{index}" for index in range(20)], 3)
    found = cross_fit(values, 0.2, squared_error, units)
    assert sorted(np.unique(found.fold_of_sample, return_counts=True)[1].tolist()) == [12] * 5
    assert all(len(set(found.fold_of_sample[units == unit])) == 1 for unit in units)
    for fold, gaussian in enumerate(found.folds):
        np.testing.assert_allclose(gaussian.mean, values[found.fold_of_sample != fold].mean(axis=0))
        np.testing.assert_array_equal(gaussian.noise, found.whole.noise)
    np.testing.assert_allclose(found.whole.mean, values.mean(axis=0))
    alone = cross_fit(values[:2], 0.2, squared_error, np.array(["a", "a"]))
    assert len(alone.folds) == 1


def test_floors_are_tuned_on_whole_units():
    units = np.repeat(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"], 3)
    chosen = held_out(30, units)
    assert sorted(np.unique(units[chosen], return_counts=True)[1].tolist()) == [3, 3]
    assert held_out(30, None).sum() == 6
    assert held_out(10, np.full(10, "one")).sum() == 2
    drawn = draw_hidden(np.array([[True, False, True, True], [False, False, False, False]]), 0.5)
    assert len(drawn[0]) == 2
    assert 1 not in drawn[0]
    assert drawn[1].tolist() == []


def test_category_frequencies_overall_and_by_feature():
    train = packed([[0, 1]] * 100, categories=[[0, 2]] * 100)
    test = packed([[0, 1], [1]], categories=[[0, 2], [0]])
    floors = category_floors(train, test, targets_in(test, [[0, 1], [0]]), 2, 3)
    np.testing.assert_allclose(floors["uniform"]["cross_entropy"], np.log(3))
    overall = -np.log(np.array([100.5, 100.5, 100.5]) / 201.5)
    np.testing.assert_allclose(floors["most_frequent"]["cross_entropy"], overall)
    np.testing.assert_allclose(floors["most_frequent"]["correct"], [0.5, 0.5, 0.5])
    by_feature = floors["most_frequent_per_feature"]
    np.testing.assert_allclose(by_feature["cross_entropy"][:2], 0, atol=0.01)
    assert by_feature["cross_entropy"][2] > 4
    assert by_feature["correct"].tolist() == [1, 1, 0]
    assert set(floors) == {"uniform", "most_frequent", "most_frequent_per_feature"}


def test_ranks_by_gene_are_the_same_question_from_the_other_side():
    order = correlated_ranks(240)[1]
    ranks = np.argsort(order, axis=1)
    genes = np.tile(np.arange(24), (200, 1))
    train, test = packed(genes, categories=ranks[:200]), packed(genes[:40], categories=ranks[200:])
    rng = np.random.default_rng(2)
    floors = category_floors(train, test, targets_in(test, [rng.choice(24, 6, replace=False) for _ in range(40)]), 24, 24)
    mean = {name: floor["cross_entropy"].mean() for name, floor in floors.items()}
    assert mean["set_complement"] == pytest.approx(np.log(6))
    assert mean["linear_gaussian"] < mean["set_complement"] - 0.5
    assert mean["most_frequent_per_feature"] <= mean["uniform"]


def test_categories_that_do_not_exist_are_refused():
    tokens = packed([[0, 1]], categories=[[0, 3]])
    with pytest.raises(ValueError, match="need a category"):
        category_floors(tokens, tokens, targets_in(tokens, [[1]]), 2, 3)
    with pytest.raises(ValueError, match="lack the channel"):
        value_floors(tokens, tokens, targets_in(tokens, [[1]]), 2)


def test_mean_of_train_by_hand():
    train = packed([[0, 1], [0]], values=[[1, 5], [3]])
    test = packed([[0, 1, 2]], values=[[4, 4, 4]])
    floors = value_floors(train, test, targets_in(test, [[0, 1, 2]]), 3)
    assert list(floors) == ["train_mean"]  # two samples are too few for anything linear
    assert floors["train_mean"]["prediction"].tolist() == [2, 5, 3]
    assert floors["train_mean"]["squared_error"].tolist() == [4, 1, 1]


def test_ridge_uses_what_is_visible_in_a_panel():
    values, _ = correlated_ranks(300)
    genes = np.tile(np.arange(24), (300, 1))
    train, test = packed(genes[:250], values=values[:250]), packed(genes[:50], values=values[250:])
    floors = value_floors(train, test, targets_in(test, [[2, 11]] * 50), 24)
    assert floors["ridge"]["squared_error"].mean() < 0.1 * floors["train_mean"]["squared_error"].mean()
    np.testing.assert_allclose(
        floors["ridge"]["squared_error"], (floors["ridge"]["prediction"] - values[250:, [2, 11]].ravel()) ** 2, rtol=1e-4
    )


def expressed_only(values, is_expressed, num_train):
    """Train and test tokens of expressed values, and two targets in each test sample."""
    rows = [np.flatnonzero(row) for row in is_expressed]
    shown = [row[genes] for row, genes in zip(values, rows, strict=True)]
    train, test = packed(rows[:num_train], values=shown[:num_train]), packed(rows[num_train:], values=shown[num_train:])
    rng = np.random.default_rng(3)
    hidden = [np.sort(rng.choice(len(genes), min(2, len(genes)), replace=False)) for genes in rows[num_train:]]
    return train, test, targets_in(test, hidden)


def test_ridge_of_expressed_values_uses_what_is_visible():
    values = correlated_ranks(600)[0] + 1
    train, test, targets = expressed_only(values, values > 0, 500)
    floors = value_floors(train, test, targets, 24)
    assert floors["ridge"]["squared_error"].mean() < 0.1 * floors["train_mean"]["squared_error"].mean()


def test_ridge_knows_that_what_is_asked_for_is_expressed():
    rng = np.random.default_rng(0)
    values = 3 + 0.5 * rng.normal(size=(400, 16))
    train, test, targets = expressed_only(values, rng.random((400, 16)) < 0.5, 300)
    floors = value_floors(train, test, targets, 16)
    # half of the genes are absent by chance: a plain regression would guess about 1.5
    np.testing.assert_allclose(floors["ridge"]["prediction"], 3, atol=0.6)
    assert floors["ridge"]["squared_error"].mean() < 1.15 * floors["train_mean"]["squared_error"].mean()


def test_notes_say_why_there_is_no_linear_floor():
    few, many = packed([[0, 1]] * 9), packed([[0, 1]] * 10)
    targets = targets_in(many, [[0]] * 10)
    assert linear_floor_note(many, many, targets, 2) == ""
    assert "9 train samples, fewer than 10" in linear_floor_note(few, many, targets, 2)
    assert "3,001 features, more than 3,000" in linear_floor_note(many, many, targets, 3001)
    wide = PackedTokens(np.zeros(20_000, np.int64), None, None, np.array([0, 20_000]))
    assert "20,000 targets" in linear_floor_note(many, wide, Targets(np.arange(20_000)), 2)


def test_test_samples_do_not_change_what_was_learned():
    order = correlated_ranks(60)[1]
    train, test = packed(order[:50]), packed(order[50:])
    targets = targets_in(test, [[3, 9]] * 10)
    alone = dataclasses.replace(targets, places=targets.places[:2])
    for name, floor in feature_floors(train, test, targets, 24, restricted=False).items():
        one = feature_floors(train, packed(order[50:51]), alone, 24, restricted=False)[name]
        np.testing.assert_allclose(floor["cross_entropy"][:2], one["cross_entropy"], rtol=1e-6, err_msg=name)


def test_phenotypes_by_frequency_and_by_logistic_regression():
    rng = np.random.default_rng(0)
    codes = np.stack([np.repeat([0, 1, 1, 1], 30), rng.integers(0, 2, 120)], axis=1)
    codes[:, 1] += 7  # codes may be those of a vocabulary in which phenotypes follow each other
    codes[:4, 1] = -1
    values = rng.normal(size=(120, 5)) + 4 * codes[:, :1]
    train, test = np.arange(120) % 4 != 0, np.arange(120) % 4 == 0
    rows, columns = np.repeat(np.arange(test.sum()), 2), np.tile([0, 1], test.sum())
    asked = codes[test][rows, columns] >= 0
    rows, columns = rows[asked], columns[asked]
    floors = phenotype_floors(codes[train], codes[test], rows, columns, sp.csr_matrix(values[train]), sp.csr_matrix(values[test]))
    labels = codes[test][rows, columns]
    first = columns == 0
    assert (floors["most_frequent"]["prediction"][first] == 1).all()
    share = np.bincount(codes[train][:, 0]) / train.sum()
    expected = -np.log(0.999 * share[labels[first]] + 0.0005)
    np.testing.assert_allclose(floors["most_frequent"]["cross_entropy"][first], expected)
    assert floors["linear"]["correct"][first].mean() > 0.95
    assert floors["linear"]["correct"][~first].mean() < 0.8
    np.testing.assert_array_equal(floors["linear"]["correct"] > 0, floors["linear"]["prediction"] == labels)


def test_a_phenotype_with_one_category_in_train_has_no_regression():
    values = sp.csr_matrix(np.eye(4))
    codes, asked = np.zeros((4, 1), int), np.array([[0], [1], [0], [0]])
    floors = phenotype_floors(codes, asked, np.arange(4), np.zeros(4, int), values, values)
    np.testing.assert_allclose(floors["linear"]["cross_entropy"], -np.log([0.9995, 0.0005, 0.9995, 0.9995]))
    assert floors["linear"]["prediction"].tolist() == [0, 0, 0, 0]


def test_floors_of_swapped_questions_know_which_features_are_usually_absent():
    # feature 0 is asked for where it is present (bin 1), feature 1 where it is absent (bin 0), feature 2 half and half
    samples = np.repeat(np.arange(400), 3)
    answers = np.tile([1, 0, 0, 1, 0, 1], 200)
    train = Questions(np.tile([0, 1, 2], 400), answers, samples)
    test = Questions(np.array([0, 1, 2, 1]), np.array([1, 0, 1, 1]), np.array([0, 0, 0, 1]))
    found = swapped_category_floors(train, test, 3, 2)
    assert list(found) == ["uniform", "most_frequent", "most_frequent_per_feature"]
    np.testing.assert_allclose(found["uniform"]["cross_entropy"], np.log(2))
    np.testing.assert_allclose(found["most_frequent"]["cross_entropy"], np.log(2), atol=1e-3)
    np.testing.assert_allclose(found["most_frequent_per_feature"]["cross_entropy"][:3], [0, 0, np.log(2)], atol=0.02)
    assert found["most_frequent_per_feature"]["cross_entropy"][3] > 4
    assert found["most_frequent_per_feature"]["correct"][[0, 1, 3]].tolist() == [1, 1, 0]


def test_the_mean_answer_of_swapped_questions_counts_absence_as_zero():
    train = Questions(np.array([0, 0, 0, 1]), np.array([3.0, 0.0, 0.0, 2.0]), np.arange(4))
    found = swapped_value_floors(train, Questions(np.array([0, 1]), np.array([0.0, 5.0]), np.array([0, 1])), 2)
    assert found["train_mean"]["prediction"].tolist() == [1, 2]
    assert found["train_mean"]["squared_error"].tolist() == [1, 9]
