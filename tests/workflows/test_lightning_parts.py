"""A module and a data module for a Lightning trainer that a user makes: it decides, and training is what genoken's own is."""

from __future__ import annotations

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

import genoken
from genoken.core.errors import ConfigError
from genoken.synthetic import planted_trajectory
from genoken.training.fit import fit
from genoken.training.optim import learning_rate_factor
from genoken.workflows.preparation import divided, prepare, requested
from genoken.workflows.pretraining_data import files_of, read_pretraining
from genoken.workflows.pretraining_fit import task_of, validation_part
from genoken.workflows.pretraining_request import Hiding
from genoken.workflows.show import Show

TINY = {
    "model.width": 8,
    "model.encoder.layers": 1,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
    "training.batch_size": 16,
    "training.logger": "none",
    "training.average_decay": 0.0,
    "training.patience": 0,
}
NEXT = TINY | {"data.group": "donor_id", "successors.controls": [], "objectives": [{"kind": "next_cell", "probability": 0.5}]}


@pytest.fixture(scope="module")
def cells():
    return planted_trajectory(samples=80, features=40, steps=3, donors=5)


def trainer(tmp_path, **named):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False}
    return lightning.Trainer(**{"max_epochs": 2, "accelerator": "cpu", "default_root_dir": tmp_path} | quiet | named)


class Seen(lightning.Callback):
    """Keeps the learning rate of every optimizer step."""

    def __init__(self):
        self.rates = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


def test_a_plain_trainer_learns_next_cells(cells, tmp_path):
    model, data = genoken.training_parts(cells, preset="next_cell_small", settings=NEXT)
    before = model.network.heads["next_cell"].state_dict()
    before = {name: value.clone() for name, value in before.items()}
    lightning.Trainer(max_epochs=2, default_root_dir=tmp_path, accelerator="cpu", logger=False).fit(model, data)
    (checkpoint,) = (tmp_path / "checkpoints").glob("*.ckpt")
    assert checkpoint.stat().st_size > 0
    assert any(not torch.equal(value, before[name]) for name, value in model.network.heads["next_cell"].state_dict().items())
    assert np.isfinite(float(model.trainer.callback_metrics["val_loss"]))


@pytest.mark.parametrize("preset", ["next_cell_small", "next_value_small", "geneformer_small"])
def test_the_weights_are_those_that_genokens_own_trainer_finds(preset, cells, tmp_path):
    settings = (NEXT if preset == "next_cell_small" else TINY) | {"training.epochs": 3, "data.group": "donor_id"}
    settings |= {"tokenizer.hvgs": 0} if preset == "next_value_small" else {}
    asked = {"group": "", "phenotypes": (), "hiding": Hiding(), "start": None, "config": None}
    config = requested(cells, preset=preset, settings=settings, **asked)
    reading, quiet = read_pretraining(cells, files_of(cells, None), config.data), Show(quiet=True)
    prepared = prepare(divided(reading, config, cells, None, cache=tmp_path, show=quiet), config, None, quiet)
    task, train = task_of(prepared, where="")
    theirs = fit(
        prepared.model.network, train, validation_part(prepared), task, config.training, folder=tmp_path, stop_after=3
    )  # the last weights stay
    model, data = genoken.training_parts(cells, preset=preset, settings=settings | {"training.epochs": 7})
    trainer(tmp_path, max_epochs=3).fit(model, data)
    own = model.network.state_dict()
    assert {name for name, value in theirs.network.state_dict().items() if not torch.equal(own[name], value)} == set()
    assert float(model.trainer.callback_metrics["val_loss"]) == pytest.approx(theirs.history[-1]["val_loss"], rel=1e-6)


def test_the_learning_rate_takes_the_course_of_the_trainers_epochs(cells, tmp_path):
    model, data = genoken.training_parts(
        cells, preset="next_cell_small", settings=NEXT | {"training.epochs": 50, "training.batch_size": 8}
    )
    seen = Seen()
    trainer(tmp_path, max_epochs=2, limit_train_batches=3, accumulate_grad_batches=2, callbacks=[seen]).fit(model, data)
    steps = 2 * 2  # in each of two epochs a window of two batches and one of a single batch
    expected = [1e-3 * learning_rate_factor(step, steps, 0.1, "cosine") for step in range(steps)]
    np.testing.assert_allclose(seen.rates, expected, rtol=1e-6)
    assert model.task.num_epochs == 2


def test_windows_of_batches_have_the_mean_of_their_samples(cells, tmp_path):
    losses = []
    for size, accumulate in ((16, 1), (8, 2)):
        settings = NEXT | {"training.batch_size": size, "model.encoder.dropout": 0.0}
        model, data = genoken.training_parts(cells, preset="next_cell_small", settings=settings)
        trainer(tmp_path, accumulate_grad_batches=accumulate).fit(model, data)
        losses.append(float(model.trainer.callback_metrics["val_loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_other_callbacks_can_keep_the_best_weights(cells, tmp_path):
    model, data = genoken.training_parts(cells, preset="next_cell_small", settings=NEXT)
    keep = ModelCheckpoint(tmp_path / "kept", monitor="val_loss", filename="best")
    trainer(tmp_path, max_epochs=-1, max_steps=5, callbacks=[keep], enable_checkpointing=True).fit(model, data)
    assert float(keep.best_model_score) == pytest.approx(float(model.trainer.callback_metrics["val_loss"]))
    assert model.trainer.global_step == 5


@pytest.mark.parametrize(
    ("named", "settings", "message"),
    [
        ({"accumulate_grad_batches": 2}, {"training.accumulate": 4}, "'training.accumulate' is 4, but the trainer accumulates 2"),
        ({"max_epochs": -1}, {}, "the trainer has no end"),
    ],
)
def test_contradictions_are_said(named, settings, message, cells, tmp_path):
    model, data = genoken.training_parts(cells, preset="next_cell_small", settings=NEXT | settings)
    with pytest.raises(ConfigError, match=message):
        trainer(tmp_path, **named).fit(model, data)


def test_loaders_alone_are_refused(cells, tmp_path):
    model, _ = genoken.training_parts(cells, preset="next_cell_small", settings=NEXT)
    with pytest.raises(ConfigError, match=r"call trainer\.fit\(model, data\)"):
        trainer(tmp_path).fit(model, torch.utils.data.DataLoader([0]))
