"""What every baseline promises: a column for every class, probabilities, the test rows in order, equal results for equal seeds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.components import kinds, resolve
from genoken.core.contracts import BaselineProblem

KINDS = kinds("baselines")


def problem_of(num_classes, seed=0, sizes=(60, 30, 40), num_features=20):
    """Return a problem in which the first features tell the label."""
    rng = np.random.default_rng(seed)
    total = sum(sizes)
    codes = rng.integers(0, max(num_classes, 2), total)
    values = rng.poisson(0.4, (total, num_features)).astype(np.float32)
    values[np.arange(total), codes] += rng.poisson(4, total)
    labels = codes if num_classes else values[:, 0] - 0.5 * values[:, 1] + rng.normal(0, 0.1, total)
    first, second = sizes[0], sizes[0] + sizes[1]
    matrix = sp.csr_matrix(values)
    problem = BaselineProblem(
        train=matrix[:first],
        val=matrix[first:second],
        test=matrix[second:],
        train_labels=labels[:first],
        val_labels=labels[first:second],
        num_classes=num_classes,
        seed=0,
    )
    return problem, labels[second:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [2, 4])
def test_probabilities_of_every_class_for_every_test_row(kind, num_classes):
    problem, labels = problem_of(num_classes)
    found = resolve("baselines", kind)().fit_predict(problem)
    assert found.shape == (40, num_classes)
    assert found.dtype == np.float64
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    accuracy = (found.argmax(axis=1) == labels).mean()
    assert accuracy >= (0.75 if kind != "majority" else 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_values_for_every_test_row(kind):
    problem, truth = problem_of(0)
    found = resolve("baselines", kind)().fit_predict(problem)
    assert found.shape == (40,)
    error = ((found - truth) ** 2).mean() / truth.var()
    assert error <= (0.6 if kind != "majority" else 1.2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_equal_seeds_give_equal_results_and_inputs_stay_as_they_are(kind, num_classes):
    problem, _ = problem_of(num_classes)
    before = problem.train.copy()
    baseline = resolve("baselines", kind)()
    assert np.array_equal(baseline.fit_predict(problem), baseline.fit_predict(problem))
    assert (problem.train != before).nnz == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_train_lacks_has_a_column_of_zeros(kind):
    problem, _ = problem_of(4)
    keep = problem.train_labels != 1
    lacking = BaselineProblem(
        problem.train[keep],
        problem.val,
        problem.test,
        problem.train_labels[keep],
        problem.val_labels,
        problem.num_classes,
        problem.seed,
    )
    found = resolve("baselines", kind)().fit_predict(lacking)
    assert found.shape == (40, 4)
    assert (found[:, 1] == 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_in_train_is_what_is_predicted(kind):
    problem, _ = problem_of(3)
    labels = np.full_like(problem.train_labels, 2)
    found = resolve("baselines", kind)().fit_predict(
        BaselineProblem(problem.train, problem.val, problem.test, labels, problem.val_labels, 3, 0)
    )
    assert found.tolist() == [[0.0, 0.0, 1.0]] * 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_the_order_of_the_test_rows_is_kept_and_labels_of_the_test_are_not_needed(kind, num_classes):
    problem, _ = problem_of(num_classes)
    order = np.random.default_rng(1).permutation(40)
    baseline = resolve("baselines", kind)()
    shuffled = BaselineProblem(
        problem.train, problem.val, problem.test[order], problem.train_labels, problem.val_labels, num_classes, problem.seed
    )
    assert baseline.fit_predict(shuffled) == pytest.approx(baseline.fit_predict(problem)[order], abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_no_validation_samples_and_constant_features_are_survived(kind, num_classes):
    problem, _ = problem_of(num_classes)
    empty = sp.csr_matrix((0, 20), dtype=np.float32)
    found = resolve("baselines", kind)().fit_predict(
        BaselineProblem(problem.train, empty, problem.test, problem.train_labels, problem.val_labels[:0], num_classes, 0)
    )
    assert np.isfinite(found).all()
    silent = sp.csr_matrix((60, 20), dtype=np.float32)
    found = resolve("baselines", kind)().fit_predict(
        BaselineProblem(silent, problem.val, problem.test, problem.train_labels, problem.val_labels, num_classes, 0)
    )
    assert np.isfinite(found).all()
