"""Which weights are kept: not aliased, the best by the monitored metric, averaged by the formula."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from genoken.core.config import TrainingSettings
from genoken.training.module import TrainingModule
from genoken.training.selection import WeightSelection, load_weights


@pytest.fixture
def module():
    """A training module whose network is one number, without what it would need to train."""
    return TrainingModule(torch.nn.Linear(1, 1, bias=False), None, TrainingSettings())


def trainer_at(epoch=0, step=0):
    return SimpleNamespace(current_epoch=epoch, global_step=step, sanity_checking=False, should_stop=False)


def set_weight(module, value):
    with torch.no_grad():
        module.network.weight.fill_(value)


def validate(selection, module, epoch, weight, **metrics):
    """Train to a weight, then validate with these metrics; return the weight that validation saw, and the trainer."""
    trainer = trainer_at(epoch, epoch + 1)
    set_weight(module, weight)
    selection.on_train_batch_end(trainer, module, None, None, 0)
    selection.on_validation_start(trainer, module)
    seen = module.network.weight.item()
    module.validation_metrics = metrics
    selection.on_validation_end(trainer, module)
    return seen, trainer


def started(module, *arguments, **settings):
    selection = WeightSelection(*arguments, **settings)
    selection.on_fit_start(trainer_at(), module)
    return selection


def test_the_best_weights_are_a_copy(module):
    selection = started(module, "accuracy", 0, 0.0)
    validate(selection, module, 0, 3.0, accuracy=0.5)
    set_weight(module, 9.0)
    assert selection.best_weights["weight"].item() == 3.0
    validate(selection, module, 1, 4.0, accuracy=0.4)
    assert selection.best_weights["weight"].item() == 3.0
    validate(selection, module, 2, 5.0, accuracy=0.6)
    assert (selection.best_weights["weight"].item(), selection.best_epoch, selection.best_value) == (5.0, 2, 0.6)
    assert selection.best_metrics == {"accuracy": 0.6}


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("loss", [0.5, 0.4, 0.6], 1),
        ("objective", [0.5, 0.4, 0.6], 1),
        ("accuracy", [0.5, 0.4, 0.6], 2),
        ("r2", [-3.0, -2.0, -2.5], 1),
        ("accuracy", [0.5, 0.5, 0.5], 0),  # the first of equals
        ("accuracy", [math.nan, math.nan], 0),
        ("accuracy", [math.nan, 0.1, math.nan], 1),
        ("loss", [0.3, math.nan, math.inf], 0),
        ("missing", [0.5, 0.6], 0),
    ],
)
def test_the_best_epoch(module, monitor, values, best):
    selection = started(module, monitor, 0, 0.0)
    for epoch, value in enumerate(values):
        validate(selection, module, epoch, float(epoch), **({} if monitor == "missing" else {monitor: value}))
    assert selection.best_epoch == best
    assert selection.best_weights["weight"].item() == best


def test_patience_counts_epochs_without_improvement(module):
    selection = started(module, "accuracy", 2, 0.0)
    stops = [
        validate(selection, module, epoch, 0.0, accuracy=value)[1].should_stop
        for epoch, value in enumerate([0.5, 0.4, 0.6, 0.6, 0.6])
    ]
    assert stops == [False, False, False, False, True]


def test_a_number_of_epochs_overrides_validation(module):
    selection = started(module, "accuracy", 1, 0.0, stop_after=3)
    stops = [validate(selection, module, epoch, float(epoch), accuracy=0.5 - epoch)[1].should_stop for epoch in range(3)]
    assert stops == [False, False, True]
    assert (selection.best_epoch, selection.best_weights["weight"].item()) == (2, 2.0)


def test_the_average_is_typed_by_hand(module):
    set_weight(module, 1.0)
    selection = started(module, "accuracy", 0, 0.25)
    # d = min(0.25, 2 / 11, 3 / 12, 4 / 13): 2/11, 1/4, 1/4
    average = 1.0
    for step, (weight, decay) in enumerate([(3.0, 2 / 11), (5.0, 0.25), (2.0, 0.25)], 1):
        set_weight(module, weight)
        selection.on_train_batch_end(trainer_at(0, step), module, None, None, step)
        average = decay * average + (1 - decay) * weight
        assert selection.state_dict()["average"]["weight"].item() == pytest.approx(average)
    assert average == pytest.approx(2.6022727)


def test_the_average_waits_for_an_optimizer_step(module):
    selection = started(module, "accuracy", 0, 0.5)
    set_weight(module, 3.0)
    selection.on_train_batch_end(trainer_at(0, 1), module, None, None, 0)
    before = selection.state_dict()["average"]["weight"].item()
    set_weight(module, 7.0)
    selection.on_train_batch_end(trainer_at(0, 1), module, None, None, 1)  # a batch within an accumulation window
    assert selection.state_dict()["average"]["weight"].item() == before


def test_validation_sees_the_average_and_training_goes_on_with_its_own_weights(module):
    set_weight(module, 1.0)
    selection = started(module, "accuracy", 0, 0.9)
    seen, _ = validate(selection, module, 0, 12.0, accuracy=0.5)
    assert seen == pytest.approx(2 / 11 * 1 + 9 / 11 * 12)
    assert module.network.weight.item() == 12.0
    assert selection.best_weights["weight"].item() == pytest.approx(seen)


def test_a_trial_validation_before_training_counts_for_nothing(module):
    selection = started(module, "accuracy", 0, 0.0)
    trainer = trainer_at()
    trainer.sanity_checking = True
    module.validation_metrics = {"accuracy": 0.9}
    selection.on_validation_end(trainer, module)
    assert selection.best_weights == {}


def test_the_state_survives_a_checkpoint(module, tmp_path):
    from genoken.training.checkpoint import read_checkpoint, write_checkpoint

    selection = started(module, "accuracy", 2, 0.5)
    for epoch, value in enumerate([0.5, 0.7, 0.6]):
        validate(selection, module, epoch, float(epoch), accuracy=value)
    write_checkpoint(tmp_path / "step-1.safetensors", selection.state_dict())
    resumed = WeightSelection("accuracy", 2, 0.5)
    resumed.load_state_dict(read_checkpoint(tmp_path / "step-1.safetensors"))
    trainer = trainer_at(3, 3)
    resumed.on_fit_start(trainer, module)
    assert not trainer.should_stop
    for one in (selection, resumed):
        assert validate(one, module, 3, 8.0, accuracy=0.65)[1].should_stop
    assert resumed.state_dict() == selection.state_dict()
    ended = WeightSelection("accuracy", 2, 0.5)
    ended.load_state_dict(resumed.state_dict())
    trainer = trainer_at(4, 4)
    ended.on_fit_start(trainer, module)
    assert trainer.should_stop


def test_loading_weights_demands_all_of_them():
    network = torch.nn.Linear(2, 1)
    load_weights(network, {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])})
    assert network.weight.tolist() == [[1.0, 2.0]]
    with pytest.raises(KeyError):
        load_weights(network, {"weight": torch.zeros(1, 2)})


def test_frozen_weights_are_not_averaged_bit_by_bit():
    frozen, learned = torch.nn.Linear(3, 1, bias=False), torch.nn.Linear(3, 1, bias=False)
    module = TrainingModule(torch.nn.Sequential(frozen, learned), None, TrainingSettings())
    with torch.no_grad():
        frozen.weight.copy_(torch.tensor([[-0.0, 0.1, 1e-42]]))
    frozen.requires_grad_(requires_grad=False)
    selection = started(module, "loss", 0, 0.98)
    with torch.no_grad():
        learned.weight.add_(1.0)
    selection.on_train_batch_end(trainer_at(0, 1), module, None, None, 0)
    before, own = frozen.weight.numpy().tobytes(), learned.weight.clone()
    selection.on_validation_start(trainer_at(0, 1), module)
    assert frozen.weight.numpy().tobytes() == before
    assert not torch.equal(learned.weight, own)
