"""Classification: weights, losses and probabilities, by hand and against torch's own."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.batch import Batch, Tokens
from genoken.core.errors import ConfigError
from genoken.objectives.classify import ClassifyObjective

LABELS = np.array([0] * 6 + [1] * 2)


def batch_of(labels, objective, state) -> Batch:
    tokens = Tokens({"feature": np.zeros(len(labels), dtype=np.int64)}, np.arange(len(labels) + 1))
    return objective.prepare(Batch.from_tokens(tokens, np.arange(len(labels))), np.asarray(labels), state)


def fitted(counts=(6, 2), **settings):
    objective = ClassifyObjective(**settings)
    classes = tuple(f"c{index}" for index in range(len(counts)))
    return objective, objective.fit(np.repeat(np.arange(len(counts)), counts), "cell_type", classes)


def loss_of(objective, state, outputs, labels):
    return objective.loss(torch.as_tensor(outputs), batch_of(labels, objective, state), state)


def test_the_train_labels_are_counted():
    _, state = fitted((6, 2, 0))
    assert (state.task, state.label, state.classes) == ("classification", "cell_type", ("c0", "c1", "c2"))
    assert state.class_counts == (6, 2, 0)
    assert (state.center, state.scale) == (0.0, 1.0)


@pytest.mark.parametrize(("counts", "outputs"), [((6, 2), 1), ((3, 3, 3), 3), ((1,) * 7, 7)])
def test_two_classes_need_one_output(counts, outputs):
    objective, state = fitted(counts)
    assert (objective.head(state).outputs, objective.head(state).level) == (outputs, "sample")


def test_class_weights_are_typed_by_hand():
    for power, expected in [(0.0, (1, 1)), (1.0, (8 / 12, 2)), (0.5, (0.8453, 1.4641))]:
        objective, state = fitted(class_weight_power=power)
        weights = objective.class_weights(state)
        assert weights == pytest.approx(expected, rel=1e-4)
        assert (6 * weights[0] + 2 * weights[1]) / 8 == pytest.approx(1)  # the mean over the train samples
        assert weights[1] / weights[0] == pytest.approx(3**power)


def test_a_class_without_train_samples_has_a_finite_weight():
    objective, state = fitted((6, 2, 0), class_weight_power=1.0)
    assert all(math.isfinite(weight) for weight in objective.class_weights(state))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_two_classes_are_torchs_bce_with_pos_weight(power):
    objective, state = fitted(class_weight_power=power)
    outputs = torch.randn(20, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float32) * 3
    labels = np.random.default_rng(0).integers(0, 2, 20)
    weights = objective.class_weights(state)
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights[1] / weights[0]), reduction="sum")
    expected = weights[0] * theirs(outputs[:, 0], torch.tensor(labels, dtype=torch.float32))
    term = loss_of(objective, state, outputs, labels)
    torch.testing.assert_close(term.total, expected)
    assert term.count == 20


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_more_classes_are_torchs_cross_entropy_with_weights(power):
    objective, state = fitted((5, 3, 9, 1), class_weight_power=power)
    outputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)) * 3
    labels = np.random.default_rng(0).integers(0, 4, 20)
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor(objective.class_weights(state)), reduction="sum")
    torch.testing.assert_close(loss_of(objective, state, outputs, labels).total, theirs(outputs, torch.tensor(labels)))


def test_label_smoothing_without_weights_is_torchs():
    objective, state = fitted((5, 3, 9), class_weight_power=0.0, label_smoothing=0.2)
    outputs = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) * 3
    labels = np.random.default_rng(0).integers(0, 3, 20)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.2, reduction="sum")
    torch.testing.assert_close(loss_of(objective, state, outputs, labels).total, theirs(outputs, torch.tensor(labels)))


def test_label_smoothing_with_weights_is_the_documented_formula():
    objective, state = fitted((6, 2, 4), class_weight_power=1.0, label_smoothing=0.3)
    outputs = [[2.0, 0.0, -1.0]]
    norm = math.log(math.exp(2) + 1 + math.exp(-1))
    logs = [2 - norm, -norm, -1 - norm]
    # n / n_c = 2, 6, 3, divided by their mean over the samples, 3
    assert objective.class_weights(state) == pytest.approx((2 / 3, 2, 1))
    expected = -2 * (0.7 * logs[1] + 0.3 * sum(logs) / 3)
    assert loss_of(objective, state, outputs, [1]).total.item() == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_of_two_classes():
    objective, state = fitted(class_weight_power=0.0, label_smoothing=0.2)
    positive, negative = math.log(1 / (1 + math.exp(-1.5))), math.log(1 / (1 + math.exp(1.5)))
    expected = -(0.8 * positive + 0.2 * (positive + negative) / 2)
    assert loss_of(objective, state, [[1.5]], [1]).total.item() == pytest.approx(expected, rel=1e-6)


def test_the_focal_loss_is_typed_by_hand():
    objective, state = fitted((4, 4), loss_kind="focal", focal_gamma=2.0, class_weight_power=0.0)
    right = 1 / (1 + math.exp(-1.0))
    assert loss_of(objective, state, [[1.0]], [1]).total.item() == pytest.approx(-((1 - right) ** 2) * math.log(right), rel=1e-5)
    assert loss_of(objective, state, [[1.0]], [0]).total.item() == pytest.approx(-(right**2) * math.log(1 - right), rel=1e-5)


def test_alpha_weighs_the_classes_of_the_focal_loss():
    plain, state = fitted((4, 2, 1), loss_kind="focal", class_weight_power=0.0)
    weighted, _ = fitted((4, 2, 1), loss_kind="focal", focal_alpha=(0.5, 2.0, 3.0))
    balanced, _ = fitted((4, 2, 1), loss_kind="focal", class_weight_power=1.0)
    outputs = [[0.2, -1.0, 0.4]]
    for label, alpha in enumerate((0.5, 2.0, 3.0)):
        single = loss_of(plain, state, outputs, [label]).total.item()
        assert loss_of(weighted, state, outputs, [label]).total.item() == pytest.approx(alpha * single)
        expected = balanced.class_weights(state)[label] * single
        assert loss_of(balanced, state, outputs, [label]).total.item() == pytest.approx(expected)


def test_one_alpha_for_two_classes_is_the_second_classs():
    one, state = fitted((4, 4), loss_kind="focal", focal_alpha=0.25)
    two, _ = fitted((4, 4), loss_kind="focal", focal_alpha=(0.75, 0.25))
    assert one.class_weights(state) == two.class_weights(state) == (0.75, 0.25)
    only_second, _ = fitted((4, 4), loss_kind="focal", focal_alpha=1.0)
    assert loss_of(only_second, state, [[0.3]], [0]).total == 0
    assert loss_of(only_second, state, [[0.3]], [1]).total > 0


def test_alpha_counts_for_the_focal_loss_alone():
    plain, state = fitted((4, 4))
    assert dataclasses.replace(plain, focal_alpha=0.25).class_weights(state) == plain.class_weights(state)


def test_without_gamma_the_focal_loss_is_cross_entropy():
    focal, state = fitted((5, 3, 9), loss_kind="focal", focal_gamma=0.0)
    plain, _ = fitted((5, 3, 9))
    outputs, labels = torch.randn(10, 3, generator=torch.Generator().manual_seed(1)), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    torch.testing.assert_close(loss_of(focal, state, outputs, labels).total, loss_of(plain, state, outputs, labels).total)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [-200.0, -30.0, 0.0, 30.0, 200.0])
def test_gradients_of_the_focal_loss_are_finite(gamma, logit):
    objective, state = fitted(loss_kind="focal", focal_gamma=gamma)
    outputs = torch.tensor([[logit], [logit]], requires_grad=True)
    loss_of(objective, state, outputs, [0, 1]).total.backward()
    assert torch.isfinite(outputs.grad).all()


def test_one_alpha_per_class_is_demanded():
    with pytest.raises(ConfigError, match=r"focal_alpha' has 2 weights for 3 classes.*in the order a, b, c"):
        ClassifyObjective(focal_alpha=(1.0, 2.0)).fit(np.array([0, 1, 2]), "l", ("a", "b", "c"))
    with pytest.raises(ConfigError, match=r"focal_alpha' has 2 weights for 3 classes"):
        ClassifyObjective(focal_alpha=0.25).fit(np.array([0, 1, 2]), "l", ("a", "b", "c"))


SETTINGS = [{}, {"loss_kind": "focal"}, {"label_smoothing": 0.1, "class_weight_power": 1.0}]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("counts", [(6, 2), (5, 3, 9)])
def test_parts_of_a_batch_add_up(settings, counts):
    objective, state = fitted(counts, **settings)
    outputs = torch.randn(9, objective.head(state).outputs, generator=torch.Generator().manual_seed(1))
    labels = np.arange(9) % len(counts)
    whole = loss_of(objective, state, outputs, labels)
    parts = [loss_of(objective, state, outputs[part], labels[part]) for part in (slice(0, 4), slice(4, 9))]
    torch.testing.assert_close(parts[0].total + parts[1].total, whole.total)
    assert (parts[0].count, parts[1].count, whole.count) == (4, 5, 9)


@given(st.lists(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_probabilities_sum_to_one(outputs):
    for width, counts in ((1, (6, 2)), (3, (5, 3, 9))):
        objective, state = fitted(counts)
        probabilities = objective.predict(torch.tensor(outputs)[:, :width], state)
        assert probabilities.shape == (len(outputs), len(counts))
        assert (probabilities >= 0).all()
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(outputs)))


def test_probabilities_are_sigmoid_and_softmax():
    objective, state = fitted()
    torch.testing.assert_close(objective.predict(torch.tensor([[2.0], [-1.0]]), state)[:, 1], torch.tensor([2.0, -1.0]).sigmoid())
    objective, state = fitted((5, 3, 9))
    outputs = torch.tensor([[2.0, -1, 0.5]])
    torch.testing.assert_close(objective.predict(outputs, state), outputs.softmax(dim=1))


def test_targets_are_written_without_touching_the_rest():
    objective, state = fitted()
    batch = batch_of([1, 0, 1], objective, state)
    assert batch.targets["classes"].tolist() == [1, 0, 1]
    assert batch.targets["classes"].dtype == torch.int64
    assert dataclasses.replace(batch, targets={}).lengths == batch.lengths == (1, 1, 1)


def test_half_precision_outputs_are_scored_in_32_bits():
    objective, state = fitted()
    outputs = torch.tensor([[1.5], [-2.0]])
    low = loss_of(objective, state, outputs.bfloat16(), [1, 1]).total
    torch.testing.assert_close(low.float(), loss_of(objective, state, outputs, [1, 1]).total, rtol=1e-2, atol=1e-2)
    assert low.dtype == torch.float32


@pytest.mark.parametrize(
    "wrong",
    [
        {"class_weight_power": 1.5},
        {"label_smoothing": 1.0},
        {"focal_gamma": -1.0},
        {"loss_kind": "hinge"},
        {"alpha": (1.0,)},
        {"focal_alpha": 1.5},
        {"focal_alpha": (1.0, -1.0)},
    ],
)
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        ClassifyObjective(**wrong)
