"""What a run notes about each epoch, and the checkpoints that it leaves behind."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from genoken.training.memory import peak_memory_mb
from genoken.training.progress import Checkpoints, History


class Trainer(SimpleNamespace):
    """What checkpoints ask of Lightning's trainer."""

    def save_checkpoint(self, path):
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(self.global_step))


def trainer_at(step, **changes):
    strategy = SimpleNamespace(remove_checkpoint=lambda path: path.unlink())
    return Trainer(
        **(
            {"global_step": step, "current_epoch": 0, "num_training_batches": 10, "is_global_zero": True, "strategy": strategy}
            | changes
        )
    )


def steps_in(folder):
    return [int(path.stem.split("-")[1]) for path in sorted(folder.glob("step-*"))]


def run(callback, batches, *, accumulate=1, start=0):
    """Go through batches of one epoch of 10, then its end; return the steps saved after each."""
    saved = []
    step = start
    callback.on_train_start(trainer_at(step), None)
    for index in batches:
        step += (index + 1) % accumulate == 0 or index == 9
        callback.on_train_batch_end(trainer_at(step), None, None, None, index)
        saved.append(steps_in(callback.folder))
    return saved


def test_a_checkpoint_follows_every_so_many_steps(tmp_path):
    saved = run(Checkpoints(tmp_path / "c", every_steps=3, keep=9), range(10))
    assert saved == [[], [], [3], [3], [3], [3, 6], [3, 6], [3, 6], [3, 6, 9], [3, 6, 9]]


def test_the_checkpoint_of_an_epochs_last_batch_waits_for_the_validation(tmp_path):
    callback = Checkpoints(tmp_path / "c", every_steps=5, keep=9)
    assert run(callback, range(10))[-1] == [5]
    callback.on_train_epoch_end(trainer_at(10), None)
    assert steps_in(callback.folder) == [5, 10]


def test_no_checkpoint_is_written_within_an_accumulation_window(tmp_path):
    saved = run(Checkpoints(tmp_path / "c", every_steps=1, keep=9), range(10), accumulate=3)
    assert saved == [[], [], [1], [1], [1], [1, 2], [1, 2], [1, 2], [1, 2, 3], [1, 2, 3]]
    resumed = Checkpoints(tmp_path / "c", every_steps=1, keep=9)
    (tmp_path / "c" / "step-000000002.safetensors").write_text("whole")
    run(resumed, [6, 7], accumulate=3, start=2)  # the first batches of a window behind the step that was saved
    assert (tmp_path / "c" / "step-000000002.safetensors").read_text() == "whole"


def test_without_a_number_of_steps_there_is_one_checkpoint_per_epoch(tmp_path):
    callback = Checkpoints(tmp_path / "c", every_steps=0, keep=2)
    assert run(callback, range(10))[-1] == []
    for epoch in range(1, 4):
        callback.on_train_epoch_end(trainer_at(10 * epoch), None)
    assert steps_in(callback.folder) == [20, 30]


def test_one_process_tidies_up(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    leftover = folder / ".step-000000002-abc.safetensors"
    leftover.write_text("half")
    (folder / "step-000000001.safetensors").write_text("whole")
    callback = Checkpoints(folder, every_steps=0, keep=1)
    callback.on_train_start(trainer_at(0, is_global_zero=False), None)
    callback.on_train_epoch_end(trainer_at(10, is_global_zero=False), None)
    assert leftover.exists()
    assert steps_in(folder) == [1, 10]
    callback.on_train_start(trainer_at(0), None)
    callback.on_train_epoch_end(trainer_at(20), None)
    assert not leftover.exists()
    assert steps_in(folder) == [20]


@pytest.fixture
def epoch(network, dataset, objective, target):
    """A trainer and a module at the end of an epoch."""
    from genoken.core.config import TrainingSettings
    from genoken.training.module import EpochSums, TrainingModule

    module = TrainingModule(network, None, TrainingSettings())
    logged = []
    logger = SimpleNamespace(log_metrics=lambda metrics, step: logged.append((metrics, step)))
    trainer = SimpleNamespace(
        sanity_checking=False,
        current_epoch=2,
        global_step=30,
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.25}, {"lr": 9.0}])],
        loggers=[logger],
        datamodule=SimpleNamespace(loader=SimpleNamespace(seconds_waited=1.0)),
        world_size=1,
        logged=logged,
    )
    module._trainer = trainer
    module.sums = EpochSums(loss=6.0, targets=24, samples=12, tokens=60, padded_tokens=80, flops=900)
    module.validation_metrics = {"loss": 0.75, "accuracy": 0.5}
    return trainer, module


def test_an_epochs_row(epoch, monkeypatch):
    trainer, module = epoch
    seen = []
    history = History(seen.append)
    times = iter([100.0, 103.0, 104.0, 104.0])  # training takes 3 seconds, validation one
    monkeypatch.setattr("genoken.training.progress.time.perf_counter", lambda: next(times))
    history.on_train_epoch_start(trainer, module)
    history.on_validation_start(trainer, module)
    history.on_validation_end(trainer, module)
    (row,) = history.rows
    assert seen == [row]
    expected = {"epoch": 2, "step": 30, "train_loss": 0.25, "val_loss": 0.75, "val_accuracy": 0.5, "learning_rate": 0.25}
    assert expected.items() <= row.items()
    assert (row["fill"], row["padded_fill"]) == (1.0, 0.75)
    assert (row["seconds"], row["samples_per_second"], row["tokens_per_second"], row["flops_per_second"]) == (4.0, 4.0, 20.0, 300.0)
    assert row["loader_wait"] == 0.0
    assert row["peak_memory_mb"] > 10
    assert 10 < row["memory_mb"] <= 1.1 * row["peak_memory_mb"]
    assert trainer.logged == [(row, 30)]


def test_an_epoch_that_goes_on_is_not_charged_for_its_validations(epoch, monkeypatch):
    trainer, module = epoch
    history = History()
    times = iter([100.0, 103.0, 110.0, 110.0, 113.0, 114.0, 114.0])  # 3 seconds of training, 7 of validation, 3 and 1 more
    monkeypatch.setattr("genoken.training.progress.time.perf_counter", lambda: next(times))
    history.on_train_epoch_start(trainer, module)
    for _ in range(2):
        history.on_validation_start(trainer, module)
        history.on_validation_end(trainer, module)
    assert [row["samples_per_second"] for row in history.rows] == [4.0, 2.0]


def test_a_checkpoint_waits_for_the_validation_that_follows(tmp_path):
    callback = Checkpoints(tmp_path / "c", every_steps=2, keep=9, validation_every=4)
    saved = run(callback, range(4))
    assert saved == [[], [2], [2], [2]]
    callback.on_validation_end(trainer_at(4), None)
    callback.on_validation_end(trainer_at(4), None)
    assert steps_in(callback.folder) == [2, 4]


def test_a_trial_validation_is_not_noted(epoch):
    trainer, module = epoch
    trainer.sanity_checking = True
    history = History()
    history.on_validation_end(trainer, module)
    assert history.rows == []


def test_rows_survive_a_checkpoint():
    history, resumed = History(), History()
    history.rows = [{"epoch": 0.0}]
    resumed.load_state_dict(history.state_dict())
    resumed.rows.append({"epoch": 1.0})
    assert history.rows == [{"epoch": 0.0}]
    assert len(resumed.rows) == 2


def test_peak_memory_is_that_of_this_process():
    import resource

    assert peak_memory_mb() == pytest.approx(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rel=0.1)
