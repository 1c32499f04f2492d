"""Regressions of single variants against the same regressions written out column by column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.evaluation.association import glm
from genoken.evaluation.association.glm import COLUMNS, linear_association, logistic_association


@pytest.fixture(scope="module")
def study():
    """400 samples of 30 variants with missing calls, three covariates, a number and a label that variants 4 and 9 change."""
    random = generator(4, "study")
    dense = random.binomial(2, random.uniform(0.05, 0.5, 30), size=(400, 30)).astype(np.int8)
    covariates = random.normal(size=(400, 3)) + 0.5 * dense[:, 4:7]
    linear = 0.4 * dense[:, 4] - 0.6 * dense[:, 9] + covariates @ [0.5, -0.2, 0.1]
    number = linear + random.normal(size=400)
    label = (random.random(400) < 1 / (1 + np.exp(-linear))).astype(float)
    dense[random.random(dense.shape) < 0.03] = -1
    return dense, covariates, number, label


def filled(column):
    return np.where(column < 0, column[column >= 0].mean(), column).astype(float)


@pytest.mark.parametrize("at_once", [7, 1024])
def test_linear_regressions_are_least_squares_with_all_columns(study, monkeypatch, at_once):
    monkeypatch.setattr(glm, "_VARIANTS_AT_ONCE", at_once)
    dense, covariates, number, _ = study
    found = linear_association(dense, number, covariates)
    assert tuple(found.columns) == COLUMNS
    for variant in range(30):
        design = np.column_stack([np.ones(400), covariates, filled(dense[:, variant])])
        coefficients, rest, _, _ = np.linalg.lstsq(design, number, rcond=None)
        error = np.sqrt(rest[0] / 395 * np.linalg.inv(design.T @ design)[-1, -1])
        t = coefficients[-1] / error
        p = 2 * scipy.stats.t.sf(abs(t), 395)
        assert np.allclose(found.iloc[variant, :5].astype(float), [coefficients[-1], error, t, p, -np.log10(p)], rtol=1e-8)
    assert found["minus_log10_p"].nlargest(2).index.tolist() == [9, 4]


def test_a_regression_by_hand():
    # Copies 0, 1, 2 and targets 1, 2, 4 twice over: slope 3/2, residual sum of squares 1/3, four degrees of freedom.
    found = linear_association(np.array([[0], [1], [2]] * 2, dtype=np.int8), np.array([1.0, 2, 4] * 2)).iloc[0]
    assert found["beta"] == pytest.approx(1.5)
    assert found["standard_error"] == pytest.approx(np.sqrt(1 / 3 / 4 / 4))
    assert found["p"] == pytest.approx(2 * scipy.stats.t.sf(1.5 / np.sqrt(1 / 48), 4))


def test_a_p_too_small_for_a_float_has_a_logarithm():
    random = generator(1, "strong")
    dense = random.integers(0, 3, size=(3000, 1)).astype(np.int8)
    found = linear_association(dense, dense[:, 0] + 0.1 * random.normal(size=3000)).iloc[0]
    assert found["p"] == 0
    assert 1000 < found["minus_log10_p"] < 10_000


def test_variants_that_do_not_vary_have_no_numbers(study):
    dense, covariates, number, label = study
    odd = np.column_stack([np.ones(400), dense[:, 0], np.full(400, -1), dense[:, 1]]).astype(np.int8)
    covariates = np.column_stack([covariates, filled(dense[:, 0])])
    for found in (linear_association(odd, number, covariates), logistic_association(odd, label, covariates)):
        assert found[list(COLUMNS[:5])].isna().all(axis=1).tolist() == [True, True, True, False]
        assert found.loc[3, list(COLUMNS[:5])].notna().all()


def newton(design, label):
    """Return the coefficients of greatest likelihood by a general optimizer, and their covariances."""
    import scipy.optimize

    def loss(coefficients):
        linear = design @ coefficients
        return np.logaddexp(0, linear).sum() - label @ linear, design.T @ (1 / (1 + np.exp(-linear)) - label)

    found = scipy.optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    chances = 1 / (1 + np.exp(-design @ found))
    return found, np.linalg.inv((design * (chances * (1 - chances))[:, None]).T @ design)


def test_fitted_logistic_regressions_are_those_of_a_general_optimizer(study):
    dense, covariates, _, label = study
    found = logistic_association(dense, label, covariates, refine_below=1.0)
    assert set(found["test"]) == {"wald"}
    for variant in range(30):
        coefficients, covariance = newton(np.column_stack([np.ones(400), covariates, filled(dense[:, variant])]), label)
        z = coefficients[-1] / np.sqrt(covariance[-1, -1])
        expected = [coefficients[-1], np.sqrt(covariance[-1, -1]), z, 2 * scipy.stats.norm.sf(abs(z))]
        assert np.allclose(found.iloc[variant, :4].astype(float), expected, rtol=1e-5)


def test_score_tests_are_those_written_out_and_near_the_fitted_ones(study, monkeypatch):
    monkeypatch.setattr(glm, "_VARIANTS_AT_ONCE", 11)
    dense, covariates, _, label = study
    found = logistic_association(dense, label, covariates, refine_below=0.0)
    assert set(found["test"]) == {"score"}
    null_design = np.column_stack([np.ones(400), covariates])
    coefficients, _ = newton(null_design, label)
    chances = 1 / (1 + np.exp(-null_design @ coefficients))
    weights = chances * (1 - chances)
    for variant in range(30):
        column = filled(dense[:, variant])
        cross = null_design.T @ (weights * column)
        variance = column @ (weights * column) - cross @ np.linalg.solve((null_design * weights[:, None]).T @ null_design, cross)
        score = column @ (label - chances)
        expected = [score / variance, variance**-0.5, score * variance**-0.5]
        assert np.allclose(found.iloc[variant, :3].astype(float), expected, rtol=1e-4, atol=1e-6)
    fitted = logistic_association(dense, label, covariates, refine_below=1.0)
    assert np.abs(found["statistic"] - fitted["statistic"]).max() < 0.3


def test_only_small_p_are_fitted(study):
    dense, covariates, _, label = study
    found, score = (logistic_association(dense, label, covariates, refine_below=below) for below in (0.05, 0.0))
    assert (found["test"] == "wald").tolist() == (score["p"] <= 0.05).tolist()
    assert 1 < (found["test"] == "wald").sum() < 15


def test_separated_classes_have_a_finite_result_and_that_of_a_table_by_hand():
    # With one 0/1 column and the intercept, Firth's penalty adds 1/2 to each cell of the table of two by two.
    copies = np.array([0] * 20 + [1] * 6, dtype=np.int8)
    label = np.array([1.0] * 4 + [0.0] * 16 + [1.0] * 6)
    found = logistic_association(copies[:, None], label, refine_below=1.0).iloc[0]
    assert found["test"] == "firth"
    assert found["beta"] == pytest.approx(np.log((6.5 / 0.5) / (4.5 / 16.5)), rel=1e-6)
    assert 0 < found["p"] < 0.01
    assert np.isfinite(found["standard_error"])
    turned = logistic_association(2 - copies[:, None], label, refine_below=1.0).iloc[0]
    assert turned["beta"] == pytest.approx(-found["beta"], rel=1e-6)
    assert turned["statistic"] == pytest.approx(-found["statistic"], rel=1e-6)


def test_firths_likelihood_ratio_is_the_difference_of_two_maxima():
    import scipy.optimize

    copies = np.array([0] * 20 + [1] * 6, dtype=np.int8)
    label = np.array([1.0] * 4 + [0.0] * 16 + [1.0] * 6)
    design = np.column_stack([np.ones(26), copies])

    def penalized(coefficients):
        linear = design @ coefficients
        weights = 1 / (1 + np.exp(-linear)) / (1 + np.exp(linear))
        return label @ linear - np.logaddexp(0, linear).sum() + np.linalg.slogdet((design * weights[:, None]).T @ design)[1] / 2

    whole = -scipy.optimize.minimize(
        lambda b: -penalized(b), np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}
    ).fun
    without = -scipy.optimize.minimize_scalar(lambda b: -penalized(np.array([b, 0.0]))).fun
    found = logistic_association(copies[:, None], label, refine_below=1.0).iloc[0]
    assert found["statistic"] ** 2 == pytest.approx(2 * (whole - without), rel=1e-6)


@pytest.mark.parametrize("label", [np.zeros(6), np.array([0.0, 1, 2, 0, 1, 0])])
def test_labels_other_than_both_classes_are_refused(label):
    with pytest.raises(DataError, match="0 and 1, both"):
        logistic_association(np.array([[0], [1]] * 3, dtype=np.int8), label)


def test_a_covariate_that_equals_the_label_is_refused(study):
    dense, _, number, label = study
    with pytest.raises(DataError, match="tell the two classes apart"):
        logistic_association(dense, label, label[:, None])
    with pytest.raises(DataError, match="explain the target wholly"):
        linear_association(dense, number, 3 * number[:, None] + 1)
    with pytest.raises(DataError, match="missing or infinite"):
        linear_association(dense, np.where(number > 1, np.nan, number))


def test_the_smallest_p_are_refined_and_no_more_than_asked():
    rng = np.random.default_rng(8)
    dense = rng.integers(0, 3, size=(200, 6)).astype(np.int8)
    labels = (dense[:, 1] + 0.7 * dense[:, 4] + rng.normal(size=200) > 1.7).astype(float)
    scored, fitted = (logistic_association(dense, labels, refine_below=below) for below in (0.0, 1.0))
    found = logistic_association(dense, labels, refine_below=1.0, most_refined=2)
    assert np.flatnonzero(found["test"] == "wald").tolist() == [1, 4]
    pd.testing.assert_frame_equal(found.iloc[[1, 4]], fitted.iloc[[1, 4]])
    pd.testing.assert_frame_equal(found.iloc[[0, 2, 3, 5]], scored.iloc[[0, 2, 3, 5]])
