"""Fitting: which parts a run is made of, and predictions in the order of the samples."""

from __future__ import annotations

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.core.config import TrainingSettings
from genoken.core.errors import ConfigError, MissingExtraError, TrainingError
from genoken.training import computing
from genoken.training.fit import fit, planned, predict, with_smaller_batches
from genoken.training.module import TrainingModule
from genoken.training.task import SupervisedTask


def no_scores(labels, predictions):
    return {}


@pytest.fixture
def train(network, dataset, objective, target, tmp_path):
    def run(**settings):
        settings = TrainingSettings(**({"epochs": 2, "batch_size": 4, "logger": "none", "monitor": "loss"} | settings))
        task = SupervisedTask(objective, target, settings, len(dataset), dataset.labels, no_scores)
        return fit(network, dataset, dataset, task, settings, folder=tmp_path)

    return run


def test_a_fit_says_what_was_used(train, network):
    fitted = train()
    assert fitted.network is network
    assert not network.training
    assert (fitted.precision.name, fitted.backend.backend) == ("fp32", "sdpa")
    assert "the device is cpu" in fitted.backend.reason
    assert [row["epoch"] for row in fitted.history] == [0, 1]
    assert fitted.failure is None


def test_settings_that_cannot_work_here_are_refused_before_anything_is_written(train, tmp_path):
    for wrong in ({"attention": "varlen"}, {"attention": "flex"}, {"precision": "fp16"}):
        with pytest.raises(ConfigError):
            train(**wrong)
    assert list(tmp_path.iterdir()) == []


def test_the_csv_logger_writes_every_epoch(train, tmp_path):
    fitted = train(logger="csv")
    (path,) = tmp_path.rglob("metrics.csv")
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx([row["val_loss"] for row in fitted.history])


def test_the_tensorboard_logger_writes_events(train, tmp_path):
    train(logger="tensorboard", epochs=1)
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_a_missing_logger_says_which_extra_to_install(train, monkeypatch):
    def missing(**settings):
        raise ModuleNotFoundError("No module named 'wandb'")

    monkeypatch.setattr("lightning.pytorch.loggers.WandbLogger", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'genoken\[track\]'"):
        train(logger="wandb")


def test_a_plateau_lowers_the_rate_and_survives_a_resume(train, network, tmp_path):
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    settings = {"schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.5, "patience": 0, "warmup": 0.0}
    whole = train(epochs=6, **settings)
    rates = [row["learning_rate"] for row in whole.history]
    assert rates[-1] < rates[0] == 0.5
    shutil.rmtree(tmp_path / "checkpoints")
    network.load_state_dict(start)
    train(epochs=4, **settings)
    resumed = train(epochs=6, **settings)
    assert [row["learning_rate"] for row in resumed.history] == rates
    assert resumed.history[-1]["val_loss"] == whole.history[-1]["val_loss"]


def test_a_profile_is_written_where_asked_for(train, tmp_path):
    train(profile=True, epochs=1)
    assert list(tmp_path.glob("*profile*"))


def test_bf16_trains_on_the_cpu(train):
    fitted = train(precision="bf16")
    assert fitted.precision.name == "bf16"
    assert all(parameter.dtype == torch.float32 for parameter in fitted.network.parameters())
    assert np.isfinite([row["train_loss"] for row in fitted.history]).all()


def test_running_out_of_memory_is_told_in_one_line(train, monkeypatch):
    def full(module, batch, batch_index):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("genoken.training.module.TrainingModule.training_step", full)
    with pytest.raises(TrainingError, match=r"the GPU ran out of memory — lower --batch-size"):
        train()


def out_of_memory_above(samples, monkeypatch):
    """Let memory run out in batches of more than so many samples."""
    own = TrainingModule.training_step

    def step(module, batch, batch_index):
        if batch.num_samples > samples:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return own(module, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", step)


def test_where_memory_runs_out_smaller_batches_make_the_same_steps(train, network, tmp_path, monkeypatch):
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    whole = train(batch_size=4)
    shutil.rmtree(tmp_path / "checkpoints")
    network.load_state_dict(start)
    out_of_memory_above(1, monkeypatch)
    found = train(batch_size=4)
    assert (whole.batches, found.batches) == ((4, 1), (1, 4))
    assert [row["step"] for row in found.history] == [row["step"] for row in whole.history]
    for column in ("train_loss", "val_loss"):
        assert [row[column] for row in found.history] == pytest.approx([row[column] for row in whole.history], rel=1e-5)
    assert any((weight - start[name]).abs().max() > 1e-3 for name, weight in network.named_parameters())


def test_a_training_that_has_gone_well_is_not_begun_again(train, monkeypatch):
    train(epochs=1)
    out_of_memory_above(0, monkeypatch)
    found = train(epochs=2)
    assert "the best weights so far are kept" in str(found.failure)
    assert [row["epoch"] for row in found.history] == [0]


@pytest.mark.parametrize(
    ("size", "smaller"), [(8, (4, 2)), (15, (5, 3)), (7, (1, 7)), (2, (1, 2)), (1, None)]
)  # the smallest divisor, so that a step has the same samples
def test_smaller_batches_keep_the_samples_of_a_step(size, smaller):
    found = with_smaller_batches(TrainingSettings(batch_size=size))
    assert (found and (found.batch_size, found.accumulate)) == smaller


def test_smaller_batches_keep_what_goes_by_batches():
    found = with_smaller_batches(
        TrainingSettings(batch_size=6, accumulate=3, tokens_per_batch=101, limit_batches=5, eval_batch_size=3)
    )
    assert (found.batch_size, found.accumulate, found.tokens_per_batch, found.limit_batches, found.eval_batch_size) == (
        3,
        6,
        51,
        10,
        2,
    )


def test_prediction_goes_on_with_smaller_batches(network, dataset, objective, target, monkeypatch):
    expected, _ = predict(network, dataset, objective, target, batch_size=12)
    own, sizes = network.forward, []

    def forward(batch):
        sizes.append(batch.num_samples)
        if batch.num_samples > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return own(batch)

    monkeypatch.setattr(network, "forward", forward)
    found, _ = predict(network, dataset, objective, target, batch_size=12)
    assert sizes == [12, 6, 3, 3, 3, 3]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradient_checkpointing_reaches_the_encoder(train, network):
    train(gradient_checkpointing=True, epochs=1)
    assert network.encoder.gradient_checkpointing
    train(gradient_checkpointing=False, epochs=1)
    assert not network.encoder.gradient_checkpointing


def test_epochs_are_planned_from_the_batches(dataset):
    assert planned(TrainingSettings(epochs=3), dataset).epochs == 3
    assert planned(TrainingSettings(epochs=0, batch_size=4), dataset).epochs == 20  # 3 steps each, at most 20 epochs
    repeated = dataclasses.replace(dataset, prepared=sp.vstack([dataset.prepared] * 10).tocsr())
    assert planned(TrainingSettings(epochs=0, batch_size=3), repeated).epochs == 10  # 40 steps each, 400 in all
    assert planned(TrainingSettings(epochs=0, batch_size=3, accumulate=2), repeated).epochs == 20
    assert planned(TrainingSettings(epochs=0, batch_size=1), repeated).epochs == 4
    assert planned(TrainingSettings(epochs=0, batch_size=1, limit_batches=50), repeated).epochs == 8
    assert planned(TrainingSettings(epochs=0, batch_size=3, limit_batches=500), repeated).epochs == 10
    # 10 x (2 + … + 13) tokens, 30 at most: the batches begin 2 … 7, 8 … 10, 11 12, 13 2 … 5, 6 … 9; there are 31
    assert planned(TrainingSettings(epochs=0, batch_size=99, tokens_per_batch=30), repeated).epochs == 13


def test_predictions_come_in_the_order_of_the_samples(network, dataset, objective, target):
    expected = network.eval()(dataset.batch(np.arange(12)))
    probabilities, states = predict(network, dataset, objective, target, batch_size=5)
    np.testing.assert_allclose(probabilities, objective.predict(expected.outputs, target).detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(states, expected.states.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert (probabilities.dtype, probabilities.shape, states.shape) == (np.float32, (12, 2), (12, 8))


@pytest.mark.parametrize("batch_size", [1, 3, 12, 99])
def test_the_batch_size_changes_no_prediction_to_speak_of(network, dataset, objective, target, batch_size):
    one, _ = predict(network, dataset, objective, target, batch_size=12)
    other, _ = predict(network, dataset, objective, target, batch_size=batch_size, attention="eager")
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_prediction_turns_dropout_off_and_tells_its_progress(network, dataset, objective, target):
    network.train()
    progress = []
    predict(network, dataset, objective, target, batch_size=5, on_batch=progress.append)
    assert not network.training
    assert progress == [{"samples": 5.0}, {"samples": 10.0}, {"samples": 12.0}]


def test_predictions_in_bf16_are_close(network, dataset, objective, target):
    exact, _ = predict(network, dataset, objective, target, batch_size=12)
    low, _ = predict(network, dataset, objective, target, batch_size=12, precision="bf16")
    assert low.dtype == np.float32
    np.testing.assert_allclose(low, exact, atol=0.05)


def test_prediction_compiles_where_wanted(network, dataset, objective, target, monkeypatch):
    compiled = []
    monkeypatch.setattr(computing, "compile_blocks", compiled.append)
    predict(network, dataset, objective, target, batch_size=12, compile=True)
    assert compiled == [network]


def test_validation_follows_every_so_many_steps_across_epochs(train, dataset):
    each = train(evaluate_every=1, average_decay=0.0).history
    steps_per_epoch = len(each) // 2
    assert [row["step"] for row in each] == list(range(1, len(each) + 1))
    assert [row["epoch"] for row in each] == [0] * steps_per_epoch + [1] * steps_per_epoch


def test_a_run_is_validated_at_least_once_and_keeps_the_weights_of_that_step(train):
    fitted = train(evaluate_every=1000)
    (row,) = fitted.history
    assert (row["epoch"], row["step"]) == (1, fitted.best_step)


def test_validations_within_epochs_do_not_change_the_course(train, network, tmp_path):
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rare = train(evaluate_every=1000, patience=0).history
    network.load_state_dict(start)
    shutil.rmtree(tmp_path / "checkpoints")
    often = train(evaluate_every=1, patience=0).history
    assert len(often) > len(rare)
    assert often[-1]["val_loss"] == rare[-1]["val_loss"]
