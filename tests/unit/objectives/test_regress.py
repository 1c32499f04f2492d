"""Regression: standardized targets, losses against torch's own, predictions in the target's units."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import torch

from genoken.core.batch import Batch, Tokens
from genoken.objectives.regress import RegressObjective

AGES = np.array([20.0, 30.0, 40.0, 70.0])  # mean 40, standard deviation sqrt(350)


def batch_of(labels, objective, state) -> Batch:
    tokens = Tokens({"feature": np.zeros(len(labels), dtype=np.int64)}, np.arange(len(labels) + 1))
    return objective.prepare(Batch.from_tokens(tokens, np.arange(len(labels))), np.asarray(labels), state)


def test_center_and_scale_come_from_the_train_labels():
    objective = RegressObjective()
    state = objective.fit(AGES, "age", ())
    assert (state.task, state.label, state.classes) == ("regression", "age", ())
    assert (state.center, state.scale) == (40.0, pytest.approx(350**0.5))
    assert objective.head(state).outputs == 1
    targets = batch_of([40.0, 40 + 350**0.5], objective, state).targets["standardized"]
    assert targets.dtype == torch.float32
    assert targets.tolist() == pytest.approx([0, 1], abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1, -3.3])
def test_a_constant_target_has_scale_one(value):
    state = RegressObjective().fit(np.full(7, value), "age", ())
    assert state.center == pytest.approx(value)
    assert state.scale == 1.0


def test_a_small_spread_is_not_taken_for_none():
    assert RegressObjective().fit(np.array([1e-8, 3e-8]), "p", ()).scale == pytest.approx(1e-8)


@pytest.mark.parametrize(
    ("objective", "theirs"),
    [
        (RegressObjective(), torch.nn.MSELoss(reduction="sum")),
        (RegressObjective(loss_kind="huber"), torch.nn.HuberLoss(reduction="sum")),
        (RegressObjective(loss_kind="huber", huber_delta=0.3), torch.nn.HuberLoss(reduction="sum", delta=0.3)),
    ],
)
def test_losses_are_torchs_on_standardized_targets(objective, theirs):
    state = objective.fit(AGES, "age", ())
    outputs = torch.tensor([[0.5], [-2.0], [0.0], [4.0]])
    term = objective.loss(outputs, batch_of(AGES, objective, state), state)
    expected = theirs(outputs[:, 0], torch.tensor((AGES - 40) / 350**0.5, dtype=torch.float32))
    torch.testing.assert_close(term.total, expected)
    assert term.count == 4
    parts = [objective.loss(outputs[part], batch_of(AGES[part], objective, state), state) for part in (slice(1), slice(1, 4))]
    torch.testing.assert_close(parts[0].total + parts[1].total, term.total)
    assert [part.count for part in parts] == [1, 3]


def test_losses_are_typed_by_hand():
    objective, huber = RegressObjective(), RegressObjective(loss_kind="huber", huber_delta=0.5)
    state = objective.fit(np.array([-1.0, 1.0]), "x", ())
    batch = batch_of([0.0, 0.0], objective, state)
    outputs = torch.tensor([[0.25], [2.0]])
    assert objective.loss(outputs, batch, state).total.item() == pytest.approx(0.0625 + 4)
    assert huber.loss(outputs, batch, state).total.item() == pytest.approx(0.5 * 0.0625 + 0.5 * (2 - 0.25))


def test_predictions_are_in_the_targets_units():
    objective = RegressObjective()
    state = objective.fit(AGES, "age", ())
    predicted = objective.predict(torch.tensor([[0.0], [1.0], [-2.0]]), state)
    assert predicted.tolist() == pytest.approx([40, 40 + 350**0.5, 40 - 2 * 350**0.5], rel=1e-6)
    assert predicted.shape == (3,)


@pytest.mark.parametrize("wrong", [{"huber_delta": 0.0}, {"loss_kind": "mae"}, {"delta": 1.0}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        RegressObjective(**wrong)


@pytest.mark.parametrize("loss_kind", ["mse", "huber"])
def test_a_nat_is_worth_what_a_normal_likelihood_says(loss_kind):
    objective = RegressObjective(loss_kind=loss_kind, huber_delta=100.0)
    state = objective.fit(AGES, "age", ())
    batch = batch_of(AGES, objective, state)
    term = objective.loss(torch.zeros(4, 1, requires_grad=True), batch, state)
    normal = torch.distributions.Normal(0.0, 1.0)  # the standardized targets have variance 1
    nats = -(normal.log_prob(batch.targets["standardized"]) - normal.log_prob(torch.tensor(0.0))).sum()
    assert objective.loss_per_nat(term) == pytest.approx(float(term.total.detach() / nats), rel=1e-5)
