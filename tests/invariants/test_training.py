"""What must not change the result of training, and what must."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from genoken.core.errors import TrainingError
from genoken.training.checkpoint import latest_checkpoint
from genoken.training.fit import predict
from genoken.training.progress import MEASURED
from genoken.training.selection import WeightSelection


def without_speed(history):
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in history]


class Interrupted(Exception):
    """Stands for Ctrl-C or a kill: nothing in the code knows it."""


def interrupt_after(epochs):
    def on_epoch(row):
        if row["epoch"] + 1 == epochs:
            raise Interrupted

    return on_epoch


def interrupt_at_step(monkeypatch, step):
    """Stop right before the given optimizer step's first batch (counted over all epochs)."""
    from genoken.training.module import TrainingModule

    plain = TrainingModule.training_step

    def training_step(module, batch, batch_index):
        if module.global_step == step:
            raise Interrupted
        return plain(module, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)


RICH = {"token_dropout": 0.3, "average_decay": 0.9}


# --- what does not change the result ---


def test_the_same_seed_twice_gives_the_same_weights_bit_for_bit(problem, assert_same_weights):
    problem = problem.with_dropout(0.2)
    one = problem.fit("one", **RICH)
    torch.manual_seed(123)
    np.random.seed(1)  # noqa: NPY002 - the global generators must not matter
    other = problem.fit("other", **RICH)
    assert_same_weights(one, other)
    assert without_speed(one.history) == without_speed(other.history)


def test_another_seed_gives_other_weights(problem, distance):
    assert distance(problem.fit("one"), problem.fit("other", seed=5)) > 0.01


@pytest.mark.parametrize("accumulate", [2, 3, 6, 100])
def test_accumulated_batches_are_one_large_batch(problem, accumulate, assert_same_weights):
    # 42 samples in batches of 4 are 11 batches, the last of 2 samples: every last window is partial.
    small = problem.fit("small", batch_size=4, accumulate=accumulate, epochs=2)
    large = problem.fit("large", batch_size=4 * accumulate, epochs=2)
    assert_same_weights(small, large, 1e-5)
    assert small.history[-1]["step"] == large.history[-1]["step"] == 2 * math.ceil(42 / (4 * accumulate))
    assert small.history[-1]["train_loss"] == pytest.approx(large.history[-1]["train_loss"], rel=1e-5)


def test_accumulated_batches_under_a_token_budget_are_weighted_by_samples(problem, assert_same_weights):
    sizes = {"batch_size": 3, "tokens_per_batch": 62, "epochs": 2}
    small = problem.fit("small", accumulate=1000, **sizes)
    large = problem.fit("large", batch_size=42, epochs=2)
    assert_same_weights(small, large, 1e-5)


def test_threads_change_nothing(problem, assert_same_weights):
    problem = problem.with_dropout(0.2)
    none, three = problem.fit("none", num_workers=0, **RICH), problem.fit("three", num_workers=3, **RICH)
    assert_same_weights(none, three)
    assert without_speed(none.history) == without_speed(three.history)


def test_backends_change_nothing_to_speak_of(problem, assert_same_weights):
    assert_same_weights(problem.fit("sdpa", attention="sdpa"), problem.fit("eager", attention="eager"), 1e-4)


def test_recomputing_states_changes_nothing(problem, assert_same_weights):
    problem = problem.with_dropout(0.2)
    assert_same_weights(problem.fit("kept"), problem.fit("recomputed", gradient_checkpointing=True))


def test_the_evaluation_batch_size_changes_nothing_to_speak_of(problem, assert_same_weights):
    one, other = problem.fit("one", eval_batch_size=20), problem.fit("other", eval_batch_size=3)
    assert_same_weights(one, other)
    assert one.history[-1]["val_loss"] == pytest.approx(other.history[-1]["val_loss"], rel=1e-5)


# --- resuming ---


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_interrupted_between_epochs_goes_on_to_the_same_weights(problem, num_workers, assert_same_weights):
    problem = problem.with_dropout(0.2)
    whole = problem.fit("whole", **RICH)
    with pytest.raises(Interrupted):
        problem.fit("resumed", num_workers=num_workers, on_epoch=interrupt_after(2), **RICH)
    rows = []
    resumed = problem.fit("resumed", num_workers=num_workers, on_epoch=rows.append, **RICH)
    assert_same_weights(whole, resumed)
    assert without_speed(whole.history) == without_speed(resumed.history)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert whole.best_epoch == resumed.best_epoch


@pytest.mark.parametrize("step", [1, 4, 6, 8, 11])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_interrupted_within_an_epoch_goes_on_to_the_same_weights(
    problem, step, num_workers, assert_same_weights, monkeypatch
):
    # 6 steps per epoch; a checkpoint every 2 steps and after each epoch.
    problem = problem.with_dropout(0.2)
    settings = {"checkpoint_every": 2, "num_workers": num_workers, "epochs": 2, **RICH}
    whole = problem.fit("whole", **settings)
    with monkeypatch.context() as patch:
        interrupt_at_step(patch, step)
        with pytest.raises(Interrupted):
            problem.fit("resumed", **settings)
    resumed = problem.fit("resumed", **settings)
    assert_same_weights(whole, resumed)
    assert without_speed(whole.history) == without_speed(resumed.history)


def test_a_run_interrupted_again_and_again_within_accumulation_windows(problem, assert_same_weights, monkeypatch):
    from genoken.training.module import TrainingModule

    settings = {"checkpoint_every": 1, "accumulate": 3, "batch_size": 4, "epochs": 2, **RICH}
    whole = problem.fit("whole", **settings)
    plain = TrainingModule.training_step
    for attempt in range(30):
        seen, most = [], (5, 2)[attempt % 2]  # in the midst of the second window, then of the first one

        def training_step(module, batch, batch_index, seen=seen, most=most):
            if len(seen) == most:
                raise Interrupted
            seen.append(batch_index)
            return plain(module, batch, batch_index)

        with monkeypatch.context() as patch:
            patch.setattr(TrainingModule, "training_step", training_step)
            try:
                resumed = problem.fit("resumed", **settings)
            except Interrupted:
                continue
            break
    else:
        pytest.fail("the run never came to its end")
    assert_same_weights(whole, resumed)
    assert without_speed(whole.history) == without_speed(resumed.history)


def test_a_run_that_had_decided_to_stop_trains_no_more_when_resumed(problem, assert_same_weights):
    values = {"accuracy": 0.0}

    def worse_and_worse(labels, predictions):
        values["accuracy"] -= 1
        return dict(values)

    settings = {"epochs": 9, "patience": 2, "monitor": "accuracy", "scorer": worse_and_worse}
    stopped = problem.fit("stopped", **settings)
    assert len(stopped.history) == 3
    again = problem.fit("stopped", **settings)  # as after a kill behind the last checkpoint
    assert_same_weights(stopped, again)
    assert len(again.history) == 3


def test_a_finished_run_is_not_trained_again(problem, assert_same_weights):
    whole = problem.fit("run", **RICH)
    again = problem.fit("run", on_epoch=lambda row: pytest.fail("an epoch was trained"), **RICH)
    assert_same_weights(whole, again)
    assert again.history == whole.history


def test_a_number_of_epochs_to_stop_after_survives_a_resume(problem, assert_same_weights):
    settings = {"epochs": 5, "stop_after": 2, **RICH}
    whole = problem.fit("whole", **settings)
    assert [row["epoch"] for row in whole.history] == [0, 1]
    assert whole.best_epoch == 1
    with pytest.raises(Interrupted):
        problem.fit("resumed", on_epoch=interrupt_after(2), **settings)
    assert_same_weights(whole, problem.fit("resumed", **settings))
    assert_same_weights(whole, problem.fit("resumed", **settings))


@pytest.mark.parametrize(("keep", "every"), [(1, 0), (2, 0), (3, 2)])
def test_only_the_last_checkpoints_stay(problem, keep, every):
    problem.fit("run", keep_last=keep, checkpoint_every=every)
    steps = [int(path.stem.split("-")[1]) for path in sorted((problem.folder / "run" / "checkpoints").iterdir())]
    assert steps == ([6, 12, 18] if every == 0 else [14, 16, 18])[-keep:]
    assert latest_checkpoint(problem.folder / "run" / "checkpoints").stem == "step-000000018"


# --- which weights are kept ---


def scores_of(values):
    """Return a scorer that gives these accuracies one after the other."""
    remaining = iter(values)
    return lambda labels, predictions: {"accuracy": next(remaining)}


def test_the_best_weights_are_restored_not_the_last(problem, distance, assert_same_weights):
    settings = {"monitor": "accuracy", "epochs": 4, "schedule": "constant"}
    two = problem.fit("two", scorer=scores_of([0.1, 0.2, 0.0, 0.0]), **settings)
    four = problem.fit("four", scorer=scores_of([0.1, 0.2, 0.3, 0.4]), **settings)
    assert (two.best_epoch, four.best_epoch) == (1, 3)
    assert distance(two, four) > 1e-3
    # The learning rate is constant after the warm-up, so that two epochs are a prefix of four where the warm-up is the same.
    prefix = problem.fit("prefix", scorer=scores_of([0.1, 0.2]), stop_after=2, **settings)
    assert_same_weights(two, prefix)


def test_the_loss_is_better_when_lower(problem):
    fitted = problem.fit("run", monitor="loss", epochs=6, learning_rate=0.05)
    losses = [row["val_loss"] for row in fitted.history]
    assert fitted.best_epoch == int(np.argmin(losses))
    outputs, _ = predict(fitted.network, problem.val, problem.objective, problem.target, batch_size=7)
    weights = np.array(problem.objective.class_weights(problem.target))[problem.val.labels]
    own = -(weights * np.log(outputs[np.arange(20), problem.val.labels])).mean()
    assert own == pytest.approx(min(losses), rel=1e-4)


def test_patience_stops(problem):
    fitted = problem.fit("run", monitor="accuracy", patience=2, epochs=9, scorer=scores_of([0.5, 0.6, 0.6, 0.55, 0.9]))
    assert len(fitted.history) == 4
    assert fitted.best_epoch == 1
    assert fitted.failure is None


def test_without_patience_every_epoch_is_trained(problem):
    assert len(problem.fit("run", monitor="accuracy", patience=0, epochs=4, scorer=scores_of([0.5, 0.4, 0.3, 0.2])).history) == 4


def test_an_undefined_metric_is_never_the_best(problem):
    fitted = problem.fit("run", monitor="accuracy", epochs=4, scorer=scores_of([math.nan, 0.1, math.nan, 0.05]))
    assert fitted.best_epoch == 1


def test_averaging_validates_and_keeps_the_average(problem, monkeypatch, distance):
    own = []
    plain = WeightSelection.on_train_batch_end

    def noting(selection, trainer, module, *rest):
        plain(selection, trainer, module, *rest)
        own.append({name: tensor.detach().clone() for name, tensor in module.network.named_parameters()})

    monkeypatch.setattr(WeightSelection, "on_train_batch_end", noting)
    start = {name: tensor.detach().clone() for name, tensor in problem.network(4).named_parameters()}
    fitted = problem.fit("average", average_decay=0.5, epochs=2, stop_after=2)
    average = start
    for step, weights in enumerate(own, 1):
        decay = min(0.5, (1 + step) / (10 + step))  # 0.5 from step 8 on
        average = {name: decay * average[name] + (1 - decay) * weights[name] for name in average}
    assert len(own) == 12
    for name, tensor in fitted.network.named_parameters():
        torch.testing.assert_close(tensor.detach(), average[name], rtol=1e-4, atol=1e-6)
    assert distance(fitted, problem.fit("plain", epochs=2, stop_after=2)) > 1e-4


def test_averaging_does_not_change_the_training_itself(problem):
    one = problem.fit("one", average_decay=0.9)
    other = problem.fit("other", average_decay=0.0)
    assert [row["train_loss"] for row in one.history] == [row["train_loss"] for row in other.history]
    assert one.history[0]["val_loss"] != other.history[0]["val_loss"]


# --- what goes wrong ---


def spoil_at_step(monkeypatch, step):
    """Make the loss NaN at an optimizer step (counted from 0)."""
    from genoken.objectives.classify import ClassifyObjective
    from genoken.training.module import TrainingModule

    plain_loss, plain_step = ClassifyObjective.loss, TrainingModule.training_step
    spoiled = []

    def loss(objective, outputs, batch, state):
        term = plain_loss(objective, outputs, batch, state)
        return type(term)(term.total * math.nan, term.count) if spoiled else term

    def training_step(module, batch, batch_index):
        if module.global_step == step:
            spoiled.append(step)
        return plain_step(module, batch, batch_index)

    monkeypatch.setattr(ClassifyObjective, "loss", loss)
    monkeypatch.setattr(TrainingModule, "training_step", training_step)


def test_a_loss_that_is_not_finite_ends_training_with_the_last_good_weights(problem, monkeypatch, assert_same_weights):
    good = problem.fit("good", stop_after=1)
    with monkeypatch.context() as patch:
        spoil_at_step(patch, 8)
        fitted = problem.fit("run", monitor="loss")
    assert str(fitted.failure).startswith("the loss is not finite in epoch 2, step 9 — lower --learning-rate")
    assert [row["epoch"] for row in fitted.history] == [0]
    assert fitted.best_epoch == 0
    assert_same_weights(good, fitted)


def test_a_loss_that_is_not_finite_before_any_validation_is_an_error(problem, monkeypatch):
    spoil_at_step(monkeypatch, 2)
    with pytest.raises(TrainingError, match="the loss is not finite in epoch 1, step 3"):
        problem.fit("run")


def test_weights_spoiled_by_the_last_step_of_an_epoch_are_not_kept(problem, monkeypatch):
    from genoken.training.module import TrainingModule

    plain = TrainingModule.on_before_optimizer_step

    def spoil(module, optimizer):
        plain(module, optimizer)
        if module.global_step == 5:  # the first epoch's last
            next(module.network.parameters()).grad.fill_(math.nan)

    monkeypatch.setattr(TrainingModule, "on_before_optimizer_step", spoil)
    with pytest.raises(TrainingError, match="the validation loss is not finite in epoch 1"):
        problem.fit("run")


def test_a_token_budget_is_kept_and_every_sample_is_seen_in_every_epoch(problem, monkeypatch):
    from genoken.training.module import TrainingModule

    seen = {}
    plain = TrainingModule.training_step

    def training_step(module, batch, batch_index):
        seen.setdefault(module.current_epoch, []).append((batch.num_tokens, batch.rows.tolist()))
        return plain(module, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)
    fitted = problem.fit("run", batch_size=100, tokens_per_batch=100, epochs=6)
    assert len(fitted.history) == 6
    assert len({len(batches) for batches in seen.values()}) == 1
    for batches in seen.values():
        assert max(tokens for tokens, _ in batches) <= 100
        assert max(tokens for tokens, _ in batches) > 60
        assert sorted(row for _, rows in batches for row in rows) == list(range(42))
    assert fitted.history[0]["step"] == len(seen[0])


def test_a_budget_of_batches_ends_epochs_early(problem):
    fitted = problem.fit("run", limit_batches=2, epochs=2)
    assert [row["step"] for row in fitted.history] == [2, 4]


def test_training_learns(problem):
    fitted = problem.fit("run", epochs=8)
    assert fitted.history[-1]["val_accuracy"] > 0.7
    assert fitted.history[-1]["train_loss"] < 0.5 * fitted.history[0]["train_loss"]
