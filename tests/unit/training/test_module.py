"""The training step: what its loss consists of, and what it refuses."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.training.module import EpochSums, TrainingModule
from genoken.training.task import SupervisedTask


def accuracy(labels, predictions):
    return {"accuracy": float((predictions.argmax(axis=1) == labels).mean())}


@pytest.fixture
def module_of(network, dataset, objective, target):
    def build(*, batch_sizes=(12,), **settings):
        chosen = TrainingSettings(**settings)
        task = SupervisedTask(objective, target, chosen, len(dataset), dataset.labels, accuracy)
        module = TrainingModule(network, task, chosen)
        module._trainer = SimpleNamespace(world_size=1, global_rank=0, current_epoch=0, global_step=0, training=True)
        module._fabric = None
        module.begin_epoch(list(batch_sizes), 0)
        return module

    return build


@pytest.fixture
def batch_of(dataset, objective, target):
    return lambda rows: objective.prepare(dataset.batch(np.asarray(rows)), dataset.labels[rows], target)


def test_without_what_is_beside_it_the_loss_is_the_objectives_mean(module_of, batch_of, objective, target):
    module = module_of(summand_loss=0.0, linear_path_strength=1e12)
    batch = batch_of(np.arange(12))
    expected = objective.loss(module.network(batch).outputs, batch, target).total / 12
    torch.testing.assert_close(module.training_step(batch, 0), expected)


def test_the_summands_own_losses_and_the_ridge_penalty_are_added(module_of, batch_of, objective, target):
    module = module_of(summand_loss=0.25, linear_path_strength=0.02)
    batch = batch_of(np.arange(12))
    result = module.network(batch)
    losses = [objective.loss(outputs, batch, target).total / 12 for outputs in (result.outputs, *result.summands)]
    penalty = module.network.linear_path.weight.square().sum() / (2 * 0.02 * 12)
    torch.testing.assert_close(module.training_step(batch, 0), losses[0] + 0.25 * (losses[1] + losses[2]) + penalty)
    assert penalty > 1
    assert module.sums.loss == pytest.approx(12 * losses[0].item(), rel=1e-5)  # what is reported is the objective's alone


class Costly(torch.nn.Module):
    """An encoder whose weights cost a number of nats."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.own, self.nats = encoder, torch.nn.Parameter(torch.tensor(6.0))

    def forward(self, *given, **named):
        return self.own(*given, **named)

    def penalty(self) -> torch.Tensor:
        return self.nats


@pytest.mark.parametrize("rows", [12, 5])
def test_what_an_encoder_costs_is_added_once_for_all_train_samples(module_of, batch_of, rows, monkeypatch):
    module = module_of(batch_sizes=(rows,))
    batch = batch_of(np.arange(rows))
    before = module.training_step(batch, 0)
    module.network.encoder = Costly(module.network.encoder)
    torch.testing.assert_close(module.training_step(batch, 0) - before, torch.tensor(6.0 / 12))
    monkeypatch.setattr(type(module.task.objective), "loss_per_nat", lambda objective, term: 3.0)
    module.training_step(batch, 0).backward()
    assert module.network.encoder.nats.grad.item() == pytest.approx(3 / 12)


@pytest.mark.parametrize("accumulate", [2, 3])
def test_the_gradients_of_a_window_are_those_of_its_samples_mean(module_of, batch_of, accumulate):
    whole = module_of()
    whole.training_step(batch_of(np.arange(12)), 0).backward()
    expected = {name: parameter.grad.clone() for name, parameter in whole.network.named_parameters()}
    parts = np.split(np.arange(12), [2, 7] if accumulate == 3 else [5])
    module = module_of(accumulate=accumulate, batch_sizes=[len(part) for part in parts])
    module.network.zero_grad()
    for index, part in enumerate(parts):
        (module.training_step(batch_of(part), index) / accumulate).backward()  # Lightning divides by the window's length
    for name, parameter in module.network.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6)


def test_a_window_is_made_of_the_batches_that_it_has(module_of):
    module = module_of(accumulate=3, batch_sizes=[4, 4, 4, 4, 2])
    assert [module._window_samples(index) for index in range(5)] == [12, 12, 12, 6, 6]


def test_the_epochs_sums(module_of, batch_of):
    module = module_of(batch_sizes=[2, 3])
    module.training_step(batch_of([0, 3]), 0)  # 2 and 5 tokens
    module.training_step(batch_of([1, 1, 2]), 1)  # 3, 3 and 4
    assert (module.sums.samples, module.sums.tokens, module.sums.padded_tokens) == (5, 17, 10 + 12)
    assert module.total_sums() == module.sums
    module.begin_epoch([1], 0)
    assert module.sums == EpochSums()


def test_the_sums_go_on_within_an_epoch_that_was_interrupted(module_of):
    module = module_of()
    module.sums = EpochSums(1.5, 2, 3, 4)
    checkpoint = {}
    module.on_save_checkpoint(checkpoint)
    resumed = module_of()
    resumed.on_load_checkpoint(checkpoint)
    resumed.begin_epoch([1, 1], 1)
    assert resumed.sums == EpochSums(1.5, 2, 3, 4)
    resumed.begin_epoch([1, 1], 0)
    assert resumed.sums == EpochSums()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_refused(module_of, batch_of, value):
    module = module_of()
    with torch.no_grad():
        module.network.head[-1].bias.fill_(value)
    with pytest.raises(TrainingError, match=r"the loss is not finite in epoch 1, step 1 — lower --learning-rate"):
        module.training_step(batch_of([0, 1]), 0)
    assert module.sums == EpochSums()


def test_validation_is_scored_over_all_batches_at_once(module_of, batch_of, dataset, objective, target):
    module = module_of(summand_loss=0.25)
    module.on_validation_epoch_start()
    for index, rows in enumerate(([0, 1, 2, 3, 4], [5, 6], np.arange(7, 12))):
        with torch.no_grad():
            module.validation_step(batch_of(rows), index)
    module.on_validation_epoch_end()
    batch = batch_of(np.arange(12))
    result = module.network(batch)
    losses = [objective.loss(outputs, batch, target).total.item() / 12 for outputs in (result.outputs, *result.summands)]
    predictions = objective.predict(result.outputs, target).detach().numpy()
    assert module.validation_metrics["loss"] == pytest.approx(losses[0], rel=1e-5)
    assert module.validation_metrics["objective"] == pytest.approx(losses[0] + 0.25 * (losses[1] + losses[2]), rel=1e-5)
    assert module.validation_metrics["accuracy"] == accuracy(dataset.labels, predictions)["accuracy"]


def test_a_validation_loss_that_is_not_finite_is_refused(module_of, batch_of):
    module = module_of()
    module.on_validation_epoch_start()
    with torch.no_grad():
        module.network.head[-1].bias.fill_(math.nan)
        module.validation_step(batch_of([0, 1]), 0)
    with pytest.raises(TrainingError, match="the validation loss is not finite in epoch 1"):
        module.on_validation_epoch_end()


def test_the_gradients_norm_is_limited_but_for_the_linear_path(module_of, batch_of):
    module = module_of(clip_norm=0.01)
    (1000 * module.training_step(batch_of(np.arange(12)), 0)).backward()
    before = {name: parameter.grad.clone() for name, parameter in module.network.named_parameters()}
    module.on_before_optimizer_step(None)
    own = [parameter.grad for name, parameter in module.network.named_parameters() if not name.startswith("linear_path")]
    assert math.sqrt(sum(gradient.square().sum().item() for gradient in own)) == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(module.network.linear_path.weight.grad, before["linear_path.weight"], rtol=0, atol=0)
    ratio = module.network.head[-1].weight.grad / before["head.4.weight"]
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio))  # the direction stays


def test_without_a_limit_gradients_stay(module_of, batch_of):
    module = module_of(clip_norm=0.0)
    (1000 * module.training_step(batch_of(np.arange(12)), 0)).backward()
    before = module.network.head[-1].weight.grad.clone()
    module.on_before_optimizer_step(None)
    torch.testing.assert_close(module.network.head[-1].weight.grad, before, rtol=0, atol=0)


def test_dropout_draws_depend_on_seed_epoch_and_batch_alone(module_of):
    module = module_of(seed=3)
    draws = {}
    for epoch, index in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        module._trainer.current_epoch = epoch
        with torch.random.fork_rng():
            module.on_train_batch_start(None, index)
            draw = torch.rand(3).tolist()
        assert draws.setdefault((epoch, index), draw) == draw
    assert len({tuple(draw) for draw in draws.values()}) == 3


@pytest.mark.parametrize("wanted", [False, True])
def test_blocks_are_compiled_where_wanted(module_of, monkeypatch, wanted):
    compiled = []
    monkeypatch.setattr("genoken.training.module.compile_blocks", compiled.append)
    module = module_of(compile=wanted)
    module.configure_model()
    assert compiled == ([module.network] if wanted else [])
