"""What every baseline promises: a column for every class, probabilities, the test rows in order, equal results for equal seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from safetensors.torch import load_file, save_file

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
        train_labels=labels[:first],
        val_labels=labels[first:second],
        num_classes=num_classes,
        seed=0,
    )
    return problem, matrix[second:], labels[second:]


def predicted(kind, problem, values):
    baseline = resolve("baselines", kind)()
    return baseline.predict(baseline.fit(problem), values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [2, 4])
def test_probabilities_of_every_class_for_every_test_row(kind, num_classes):
    problem, test, labels = problem_of(num_classes)
    found = predicted(kind, problem, test)
    assert found.shape == (40, num_classes)
    assert found.dtype == np.float64
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    accuracy = (found.argmax(axis=1) == labels).mean()
    assert accuracy >= (0.75 if kind != "majority" else 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_values_for_every_test_row(kind):
    problem, test, truth = problem_of(0)
    found = predicted(kind, problem, test)
    assert found.shape == (40,)
    error = ((found - truth) ** 2).mean() / truth.var()
    assert error <= (0.6 if kind != "majority" else 1.2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_equal_seeds_give_equal_results_and_inputs_stay_as_they_are(kind, num_classes):
    problem, test, _ = problem_of(num_classes)
    before = problem.train.copy()
    assert np.array_equal(predicted(kind, problem, test), predicted(kind, problem, test))
    assert (problem.train != before).nnz == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_train_lacks_has_a_column_of_zeros(kind):
    problem, test, _ = problem_of(4)
    keep = problem.train_labels != 1
    lacking = replace(problem, train=problem.train[keep], train_labels=problem.train_labels[keep])
    found = predicted(kind, lacking, test)
    assert found.shape == (40, 4)
    assert (found[:, 1] == 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_in_train_is_what_is_predicted(kind):
    problem, test, _ = problem_of(3)
    found = predicted(kind, replace(problem, train_labels=np.full_like(problem.train_labels, 2)), test)
    assert found.tolist() == [[0.0, 0.0, 1.0]] * 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_the_order_of_the_rows_is_kept_and_each_is_predicted_by_itself(kind, num_classes):
    problem, test, _ = problem_of(num_classes)
    order = np.random.default_rng(1).permutation(40)
    baseline = resolve("baselines", kind)()
    state = baseline.fit(problem)
    whole = baseline.predict(state, test)
    assert baseline.predict(state, test[order]) == pytest.approx(whole[order], abs=1e-8)
    assert baseline.predict(state, test[:1]) == pytest.approx(whole[:1], abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_no_validation_samples_and_constant_features_are_survived(kind, num_classes):
    problem, test, _ = problem_of(num_classes)
    empty = replace(problem, val=sp.csr_matrix((0, 20), dtype=np.float32), val_labels=problem.val_labels[:0])
    for refit in (False, True):
        assert np.isfinite(predicted(kind, replace(empty, refit=refit), test)).all()
    silent = replace(problem, train=sp.csr_matrix((60, 20), dtype=np.float32))
    assert np.isfinite(predicted(kind, silent, test)).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if resolve("baselines", kind).portable])
@pytest.mark.parametrize("num_classes", [0, 2, 3])
def test_a_portable_state_predicts_the_same_once_written_and_read(kind, num_classes, tmp_path):
    problem, test, _ = problem_of(num_classes)
    baseline = resolve("baselines", kind)()
    state = baseline.fit(problem)
    save_file({name: torch.from_numpy(np.array(value, order="C")) for name, value in state.items()}, tmp_path / "state")
    read = {name: tensor.numpy() for name, tensor in load_file(tmp_path / "state").items()}
    assert np.array_equal(baseline.predict(read, test), baseline.predict(state, test))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_a_refit_learns_from_validation_too_with_the_same_tuning(kind, num_classes):
    problem, test, labels = problem_of(num_classes)
    refitted, plain = (predicted(kind, replace(problem, refit=refit), test) for refit in (True, False))
    assert not np.array_equal(refitted, plain)
    assert refitted.shape == plain.shape
    if num_classes and kind != "majority":
        assert (refitted.argmax(axis=1) == labels).mean() >= 0.75
