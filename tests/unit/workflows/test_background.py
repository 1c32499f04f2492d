"""What follows from covariates and components alone: columns of baselines, the network's fixed offset, its files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from safetensors.torch import load_file
from scipy.special import softmax

from genoken.core.config import RunConfig, build
from genoken.core.contracts import TargetState
from genoken.core.errors import RunError
from genoken.core.samples import Samples
from genoken.workflows.background import Background, BaselineValues, fit_background, read_background, write_background
from genoken.workflows.inputs import Study
from genoken.workflows.tensors import write_tensors

ROWS = np.arange(120)


def study_of(*, regression=False, value_kind="dosage"):
    """Return samples whose label follows age, sex and the first variants."""
    rng = np.random.default_rng(0)
    values = rng.binomial(2, 0.4, (120, 60)).astype(np.float32)
    table = pd.DataFrame({"age": rng.normal(50, 9, 120), "sex": rng.choice(["f", "m"], 120)}, index=[f"p{row}" for row in ROWS])
    score = (table["age"] - 50) / 9 + 2 * (table["sex"] == "m") - 1 + 0.3 * rng.normal(size=120)
    labels = 10 + 4 * score.to_numpy() if regression else (score > 0).to_numpy().astype(np.int64)
    classes = () if regression else ("no", "yes")
    features = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(60)}, index=[f"rs{index}" for index in range(60)])
    samples = Samples(sp.csr_matrix(values), table, features, value_kind, "people")
    return Study(samples, "regression" if regression else "classification", "y", labels, classes, "", "", None, ())


def fitted(study, **data):
    config = build(RunConfig, {"data": {"label": "y", **data}})
    found = fit_background(config, study, study.samples.values, study.samples.features, ROWS[:70], ROWS[70:90])
    assert found is not None
    return found


def test_a_run_without_covariates_or_components_has_none():
    config = build(RunConfig, {"data": {"principal_components": 0}})
    study = study_of()
    assert fit_background(config, study, study.samples.values, None, ROWS[:70], ROWS[70:90]) is None
    config = build(RunConfig, {})
    assert fit_background(config, study_of(value_kind="counts"), study.samples.values, None, ROWS[:70], ROWS[70:90]) is None


def test_each_kind_of_baseline_gets_its_columns():
    features = sp.csr_matrix(np.arange(6, dtype=np.float32).reshape(3, 2))
    known = BaselineValues(features, np.array([[1.0], [2.0], [-3.0]]), np.array([[0.5], [0.25], [0.0]]))
    expected = {
        "features": ([[0, 1], [2, 3], [4, 5]], 0),
        "both": ([[0, 1, 10], [2, 3, 20], [4, 5, -30]], 1),
        "covariates": ([[1], [2], [-3]], 0),
        "covariates_pcs": ([[1, 0.5], [2, 0.25], [-3, 0]], 0),
    }
    for uses, (columns, count) in expected.items():
        found, num_covariates = known.columns(uses)
        assert (found.toarray().tolist(), num_covariates) == (columns, count)
    assert known.take(np.array([2])).columns("both")[0].toarray().tolist() == [[4, 5, -30]]
    assert known.columns("both")[0].dtype == np.float32


def test_the_prior_of_two_classes_is_the_log_odds_of_the_baseline():
    study = study_of()
    background, known = fitted(study, covariates=["age", "sex"])
    assert background.kind == "covariates_pcs"
    prior = background.prior(known, TargetState("classification", "y", ("no", "yes"), (30, 40)))
    assert (prior.shape, prior.dtype) == ((120, 1), np.float32)
    assert ((prior[90:, 0] > 0) == study.labels[90:]).mean() > 0.85
    scores = known.columns("covariates_pcs")[0] @ background.state["weights"] + background.state["intercept"]
    np.testing.assert_allclose(prior[:, 0], scores[:, 1] - scores[:, 0], rtol=1e-5, atol=1e-5)


def test_the_prior_of_numbers_is_in_units_of_the_standardized_target():
    study = study_of(regression=True)
    background, known = fitted(study, covariates=["age", "sex"])
    prior = background.prior(known, TargetState("regression", "y", center=10.0, scale=4.0))
    assert np.corrcoef(prior[90:, 0], study.labels[90:])[0, 1] > 0.9
    assert ((10 + 4 * prior[:, 0] - study.labels) ** 2).mean() < 0.3 * study.labels.var()


def test_a_class_that_train_lacks_stays_out_of_reach():
    state = {"weights": np.array([[1.0, 0.0, 2.0]]), "intercept": np.array([0.0, -np.inf, 1.0])}
    background = Background("covariates", None, None, state)
    known = BaselineValues(sp.csr_matrix((1, 2)), np.array([[3.0]]), np.zeros((1, 0)))
    prior = background.prior(known, TargetState("classification", "y", ("a", "b", "c"), (1, 0, 1)))
    np.testing.assert_allclose(prior, [[-2.0, -20.0, 2.0]])
    np.testing.assert_allclose(softmax(prior, axis=1)[0, [0, 2]], softmax([3.0, 7.0]), atol=1e-6)


def test_covariates_alone_make_a_background_of_other_values():
    background, known = fitted(study_of(value_kind="counts"), covariates=["age"])
    assert (background.kind, background.axes, known.components.shape) == ("covariates", None, (120, 0))


def test_rows_that_validate_but_are_learned_from_refit_the_tuned_model():
    study = study_of()
    config = build(RunConfig, {"data": {"covariates": ["age"]}})
    arguments = config, study, study.samples.values, study.samples.features
    (refitted, _), (plain, _) = (fit_background(*arguments, train, ROWS[70:90]) for train in (ROWS[:90], ROWS[:70]))
    assert refitted.coding.columns[0].center == pytest.approx(study.samples.table["age"][:90].mean())
    assert not np.allclose(refitted.state["weights"][0], plain.state["weights"][0])


def test_test_samples_change_nothing_that_is_learned():
    study, changed = study_of(), study_of()
    changed.samples.table.loc[changed.samples.table.index[90:], "age"] = 1e6
    changed.samples.values.data[changed.samples.values.indptr[90] :] = 1
    changed.labels[90:] = 0
    (one, _), (other, _) = fitted(study, covariates=["age"]), fitted(changed, covariates=["age"])
    assert one.coding == other.coding
    np.testing.assert_array_equal(one.axes.weights, other.axes.weights)
    np.testing.assert_array_equal(one.state["weights"], other.state["weights"])


def test_is_the_same_once_written_and_read(tmp_path):
    study = study_of()
    background, known = fitted(study, covariates=["sex", "age"])
    write_background(tmp_path, background)
    again = read_background(tmp_path)
    values, notes = again.values(study.samples.table, study.samples.values, "people")
    np.testing.assert_array_equal(values.components[70:], known.components[70:])
    np.testing.assert_array_equal(values.covariates, known.covariates)
    target = TargetState("classification", "y", ("no", "yes"), (30, 40))
    np.testing.assert_array_equal(again.prior(values, target)[70:], background.prior(known, target)[70:])
    assert (again.coding, notes) == (background.coding, ())
    (tmp_path / "background.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="covariates and components of the model cannot be read"):
        read_background(tmp_path)


def test_components_of_others_are_as_large_as_those_of_train(tmp_path):
    study, config = study_of(), build(RunConfig, {"data": {"principal_components": 1}})
    rng = np.random.default_rng(6)
    population = ROWS % 2
    values = rng.binomial(2, rng.uniform(0.3, 0.7, (2, 600))[population]).astype(np.float32)
    background, known = fit_background(config, study, sp.csr_matrix(values), None, ROWS[:70], ROWS[70:90])
    shrinkage = background.axes.shrinkage[0]
    assert 0.3 < shrinkage < 0.95
    projected = background.axes.train_scores(sp.csr_matrix(values))
    np.testing.assert_array_equal(known.components[:70], projected[:70])
    np.testing.assert_allclose(known.components[70:], projected[70:] / shrinkage)
    write_background(tmp_path, background)
    assert read_background(tmp_path).axes.shrinkage.tolist() == [shrinkage]


def test_models_from_before_shrinkage_was_measured_project_as_they_did(tmp_path):
    background, _ = fitted(study_of())
    write_background(tmp_path, background)
    arrays = {name: tensor for name, tensor in load_file(tmp_path / "background.safetensors").items() if name != "axes_shrinkage"}
    write_tensors(tmp_path / "background.safetensors", arrays)
    values = study_of().samples.values
    again = read_background(tmp_path).axes
    np.testing.assert_array_equal(again.scores(values), background.axes.train_scores(values))
