"""Settings laid over each other, what the data decide, and that nothing is learned outside the train rows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.components import kind_of
from genoken.core.config import DataSettings
from genoken.core.errors import ConfigError
from genoken.workflows.assemble import ValidationScorer, prepare_fold, resolve_config, settle_kinds, task_of_objective
from genoken.workflows.inputs import build_study
from genoken.workflows.path_start import reml_path


def test_settings_win_over_a_file_over_a_preset_over_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: {width: 24}\ntraining: {batch_size: 5, epochs: 7}\n", encoding="utf-8")
    found = resolve_config("gene_transformer_small", path, {"training.batch_size": 6})
    assert (found.model.width, found.model.encoder.layers, found.training.epochs, found.training.batch_size) == (24, 2, 7, 6)
    same = resolve_config("gene_transformer_small", {"model": {"width": 24}, "training": {"epochs": 7}}, {"training.batch_size": 6})
    assert same == found
    assert resolve_config("", None, {}).model.width == 128


def test_wrong_names_say_where_they_stand(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: {widht: 24}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resolve_config("mlp", path, {})
    assert str(caught.value) == f"{path}: unknown option 'model.widht' — did you mean 'width'?"
    with pytest.raises(ConfigError, match="there is no preset 'MLP2' — did you mean 'mlp'"):
        resolve_config("MLP2", None, {})


@pytest.fixture
def study(samples):
    rng = np.random.default_rng(0)

    def make(**columns):
        made = samples(rng.poisson(3.0, size=(12, 4)) + 1, **columns)
        return build_study(made, DataSettings(label="y"), seed=0, guess_group=True)

    return make


def test_balanced_sampling_needs_classes(study):
    config = resolve_config("", None, {"training.balanced_sampling": True})
    assert settle_kinds(config, study(y=["a", "b"] * 6)).training.balanced_sampling
    with pytest.raises(ConfigError, match=r"'training\.balanced_sampling' needs classes, and a regression has none"):
        settle_kinds(config, study(y=np.linspace(0.1, 1, 12)))


def test_the_data_decide_the_objective_and_what_can_be_compared(study):
    number, classes = study(y=np.linspace(0.1, 1, 12)), study(y=["a", "b"] * 6)
    config = resolve_config("", None, {})
    assert kind_of(settle_kinds(config, number).objective) == "regress"
    assert kind_of(settle_kinds(config, classes).objective) == "classify"
    for made in (number, classes):
        baselines = settle_kinds(config, made).evaluation.baselines
        assert baselines
        assert all(made.task in baseline.tasks for baseline in baselines)


def test_a_split_column_is_used_unless_another_split_is_asked_for(study):
    made = study(y=["a", "b"] * 6, split=["train"] * 8 + ["test"] * 4)
    assert kind_of(settle_kinds(resolve_config("", None, {}), made).split) == "column"
    assert kind_of(settle_kinds(resolve_config("", None, {"split.kind": "random"}), made).split) == "random"
    assert kind_of(settle_kinds(resolve_config("", None, {"split.folds": 3}), made).split) == "auto"


def test_nothing_is_learned_from_other_rows(study):
    made = study(y=["a", "b", "c"] * 4)
    settings = {"tokenizer.hvgs": 0, "model.width": 8, "model.encoder.heads": 2}
    config = settle_kinds(resolve_config("", None, settings), made)
    train = np.array([0, 1, 2, 3, 4, 6])
    one = prepare_fold(config, made, train)
    changed = made.samples.values.toarray()
    changed[[5, 7, 8, 9, 10, 11]] *= 7
    labels = made.labels.copy()
    labels[[5, 7, 8, 9, 10, 11]] = 0
    other = dataclasses.replace(made, samples=dataclasses.replace(made.samples, values=sp.csr_matrix(changed)), labels=labels)
    two = prepare_fold(config, other, train)
    assert one.model.target == two.model.target
    assert one.model.target.class_counts == (3, 2, 1)
    for name, values in one.model.state.per_feature.items():
        np.testing.assert_array_equal(values, two.model.state.per_feature[name])
    for name, tensor in one.model.network.state_dict().items():
        assert (tensor == two.model.network.state_dict()[name]).all(), name
    dataset = one.dataset(np.array([6, 0]))
    assert (len(dataset), dataset.labels.tolist()) == (2, [0, 0])


def test_validation_scores_that_cannot_be_computed_are_nan():
    classes = ValidationScorer("classification", ("a", "b"))
    found = classes(np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert found["accuracy"] == 0.5
    assert math.isnan(found["roc_auc"])
    numbers = ValidationScorer("regression", ())(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    assert numbers == pytest.approx({"r2": 0.5, "mae": 1 / 3})


def test_the_threshold_counts_in_validation():
    predicted = np.array([[0.65, 0.35], [0.9, 0.1]])
    labels = np.array([1, 0])
    assert ValidationScorer("classification", ("a", "b"), 0.3)(labels, predicted)["accuracy"] == 1.0
    assert ValidationScorer("classification", ("a", "b"))(labels, predicted)["accuracy"] == 0.5


def test_a_monitor_must_be_a_metric_of_the_task(study):
    number, classes = study(y=np.linspace(0.1, 1, 12)), study(y=["a", "b"] * 6)
    for made, monitor, other in ((number, "macro_f1", "r2"), (classes, "r2", "macro_f1")):
        assert settle_kinds(resolve_config("", None, {"training.monitor": other}), made).training.monitor == other
        with pytest.raises(
            ConfigError, match=rf"'training\.monitor' is {monitor}, which a {made.task} does not have — use objective"
        ):
            settle_kinds(resolve_config("", None, {"training.monitor": monitor}), made)


def test_an_objective_that_is_chosen_decides_the_task():
    def task(**settings):
        return task_of_objective(resolve_config("", settings, {})).task

    assert task() == "auto"
    assert task(data={"task": "regression"}) == "regression"
    assert task(objective="regress") == "regression"
    assert task(objective={"kind": "classify", "label_smoothing": 0.1}) == "classification"
    with pytest.raises(ConfigError, match="but the objective 'regress' is one of regression — change one of the two"):
        task(objective="regress", data={"task": "classification"})


def test_a_linear_path_that_is_fitted_beforehand_explains_what_covariates_leave_over(study):
    rng = np.random.default_rng(5)
    age = rng.normal(size=12)
    made = study(y=4 * age + rng.normal(size=12), age=age)
    settings = {"tokenizer.hvgs": 0, "model.width": 8, "model.encoder.heads": 2, "training.linear_path_fit": "reml"}
    config = settle_kinds(resolve_config("", None, settings | {"data.covariates": ["age"]}), made)
    train = np.arange(9)
    prepared = prepare_fold(config, made, train)
    target = prepared.model.target
    left_over = (made.labels[train] - target.center) / target.scale - prepared.prior[train, 0]
    assert np.var(left_over) < 0.5  # age says more than that
    expected = reml_path(prepared.values[train], left_over, None, seed=0)
    found = prepared.model.network.linear_path
    np.testing.assert_allclose(found.weight.numpy() * found.scale.numpy()[:, None], expected.weights, rtol=1e-5, atol=1e-6)
    assert found.num_folds == 5

    classes = study(y=["a", "b"] * 6)
    config = settle_kinds(resolve_config("", None, settings), classes)
    path = prepare_fold(config, classes, train).model.network.linear_path
    assert path.weight.requires_grad
    assert not path.weight.any()
