"""Training in several processes: when they are started, what comes back, how failures are told."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.training import processes
from genoken.training.checkpoint import write_checkpoint
from genoken.training.processes import ended_together, lightning_strategy, starts_processes, take_up
from genoken.training.progress import History
from genoken.training.selection import WeightSelection


@pytest.mark.parametrize(
    ("settings", "starts", "strategy"),
    [
        ({}, False, "auto"),
        ({"devices": 2}, True, "ddp_spawn"),
        ({"devices": 2, "strategy": "ddp"}, True, "ddp_spawn"),
        ({"devices": 1, "strategy": "ddp"}, False, "ddp"),
        ({"devices": 2, "nodes": 2, "strategy": "ddp"}, False, "ddp"),
    ],
)
def test_processes_are_started_for_several_devices_of_one_machine(settings, starts, strategy):
    settings = TrainingSettings(**settings)
    assert starts_processes(settings) is starts
    assert lightning_strategy(settings) == strategy


@pytest.mark.parametrize("environment", ["TorchElasticEnvironment", "SLURMEnvironment"])
def test_processes_that_were_started_by_others_start_none(environment):
    with mock.patch.object(getattr(processes, environment), "detect", return_value=True):
        assert not starts_processes(TrainingSettings(devices=2))
        assert lightning_strategy(TrainingSettings(devices=2)) == "auto"


def test_the_callbacks_take_up_what_the_first_process_left(tmp_path):
    path = tmp_path / "step-000000004.safetensors"
    left = WeightSelection("loss", 3, 0.5)
    left.best_epoch, left.best_weights = 7, {"weight": torch.tensor([1.5])}
    history = History()
    history.rows = [{"epoch": 0.0, "val_loss": 0.25}]
    states = {callback.state_key: callback.state_dict() for callback in (left, history)}
    write_checkpoint(path, {"callbacks": states, "epoch": 1})
    selection, rows = WeightSelection("loss", 3, 0.5), History()
    take_up(path, [selection, rows])
    assert (selection.best_epoch, selection.best_weights["weight"].tolist()) == (7, [1.5])
    assert rows.rows == [{"epoch": 0.0, "val_loss": 0.25}]
    take_up(None, [selection])
    assert selection.best_epoch == 7


def raised(last_line):
    text = f"\n\n-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n  File ...\n{last_line}\n"
    return ProcessRaisedException(text, 1, 4711)


def test_a_failure_of_training_in_a_process_is_told_as_what_it_was():
    line = "genoken.core.errors.TrainingError: the loss is not finite in epoch 1, step 2 — lower --learning-rate"
    with pytest.raises(TrainingError) as caught, ended_together(mock.Mock()):
        raise raised(line)
    assert caught.value.message == "the loss is not finite in epoch 1, step 2"
    assert caught.value.remedy == "lower --learning-rate"


def test_running_out_of_memory_in_a_process_is_told():
    with pytest.raises(TrainingError, match=r"the GPU ran out of memory — lower --batch-size"), ended_together(mock.Mock()):
        raise raised("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")


def test_a_defect_in_a_process_stays_a_defect():
    with pytest.raises(ProcessRaisedException, match="IndexError"), ended_together(mock.Mock()):
        raise raised("IndexError: index 5 is out of bounds")


def test_a_process_that_was_killed_is_told():
    with pytest.raises(TrainingError, match=r"a training process ended .*SIGKILL.*--resume"), ended_together(mock.Mock()):
        raise ProcessExitedException("process 0 terminated with signal SIGKILL", 0, 4711, -9, "SIGKILL")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_no_process_outlives_the_one_that_started_it(error):
    launcher = mock.create_autospec(_MultiProcessingLauncher, instance=True)
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher))
    with pytest.raises(error), ended_together(trainer):
        raise error
    launcher.kill.assert_called_once_with(signal.SIGKILL)


def test_without_other_processes_nothing_is_killed():
    with pytest.raises(ValueError, match="mine"), ended_together(SimpleNamespace(strategy=SimpleNamespace(launcher=None))):
        raise ValueError("mine")
