"""How many samples fit: the line through trials, what a trial leaves behind, smaller batches where memory runs out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.training import batch_size
from genoken.training.batch_size import Trial, choose_batch_size, chosen, most_samples
from genoken.training.task import SupervisedTask

LINE = (Trial(1, 110), Trial(2, 120), Trial(4, 140))
"""100 bytes whatever the batch, 10 per sample."""


@pytest.mark.parametrize(("train", "most"), [(1, 1), (16, 1), (31, 1), (32, 2), (1000, 32), (10**6, 512)])
def test_an_epoch_keeps_sixteen_batches(train, most):
    assert most_samples(train) == most


@pytest.mark.parametrize(
    ("most", "budget", "size", "reason"),
    [(64, 300, 16, "memory"), (64, 260, 16, "memory"), (64, 259, 8, "memory"), (4, 10**6, 4, "an epoch keeps 16 batches"),
     (512, 10**6, 512, "no batch is larger than 512")],
)  # fmt: skip
def test_the_largest_size_within_the_budget_is_chosen(most, budget, size, reason):
    found = chosen(LINE, most, budget)
    assert (found.size, found.reason, found.fixed, found.per_sample) == (size, reason, 100, 10)


def test_a_single_trial_is_taken_for_all_of_one_sample():
    assert chosen((Trial(1, 100),), 8, 399).size == 2
    assert chosen((Trial(1, 100),), 8, 399, least=60).size == 8  # 60 + 40 per sample


def test_a_large_network_does_not_make_its_samples_look_large():
    tried = batch_size._tried(lambda samples: 100 + 10 * samples, 8, 180, least=90)
    assert [one.samples for one in tried] == [1, 2, 4, 8]


@pytest.mark.parametrize("trials", [(), LINE])
def test_where_not_even_one_sample_fits_it_is_refused(trials):
    with pytest.raises(TrainingError, match=r"not even one sample fits .* raise training.memory_fraction"):
        chosen(trials, 8, 109)


@pytest.fixture
def trial(network, dataset, objective, target, monkeypatch):
    """Choose a size for 12 samples as if they were 12,000, a step of ``n`` of them taking ``1000 + 100 n`` bytes."""

    def run(free, *, fails_from=99, **settings):
        tried = []

        class Planted:
            def __init__(self, device):
                pass

            def of(self, work):
                work()
                return 1000 + 100 * tried[-1]

        class Noted(SupervisedTask):
            def training_batch(self, part, rows, epoch):
                tried.append(len(rows))
                if len(rows) >= fails_from:
                    raise torch.cuda.OutOfMemoryError("CUDA out of memory")
                assert part.lengths()[rows].tolist() == sorted(part.lengths(), reverse=True)[: len(rows)]
                return super().training_batch(part, rows, epoch)

        monkeypatch.setattr(batch_size, "PeakMemory", Planted)
        monkeypatch.setattr(batch_size, "free_bytes", lambda device: free)
        monkeypatch.setattr(batch_size, "most_samples", lambda count: 8)
        chosen_settings = TrainingSettings(batch_size="auto", average_decay=0.0, **settings)
        task = Noted(objective, target, chosen_settings, 12, dataset.labels, lambda labels, predictions: {})
        return choose_batch_size(network, dataset, task, chosen_settings), tried

    return run


def test_trials_grow_until_the_budget_is_reached(trial, network):
    moments = 8 * sum(weight.numel() for weight in network.parameters())
    found, tried = trial(1_000_000)
    assert (found.size, tried, found.budget) == (8, [1, 2, 4, 8], 750_000)
    assert (found.fixed, found.per_sample) == (1000 + moments, 100)
    found, tried = trial(4 * (1450 + moments), memory_fraction=0.5, memory_use="aggressive")
    assert found.budget == int(1.8 * (1450 + moments))
    found, tried = trial((1450 + moments) / 0.6 + 1, memory_use="conservative")
    assert (found.size, tried) == (4, [1, 2, 4])


def test_a_size_that_runs_out_of_memory_ends_the_trials(trial):
    found, tried = trial(1_000_000, fails_from=4)
    assert tried == [1, 2, 4]
    assert [one.samples for one in found.trials] == [1, 2]


def test_trials_leave_nothing_behind(trial, network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.eval()
    state = torch.get_rng_state()
    trial(1_000_000)
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_another_failure_is_not_taken_for_want_of_memory(trial, network, monkeypatch):
    def broken(batch, embedded=None):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(network, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        trial(1_000_000)


def test_slow_trials_are_extrapolated(monkeypatch):
    clock = iter(np.arange(0.0, 1000.0, 3.0))
    monkeypatch.setattr(batch_size, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    tried = batch_size._tried(lambda samples: 100 + 10 * samples, 512, 10**6)
    assert [one.samples for one in tried] == [1, 2, 4]
    assert chosen(tried, 512, 100 + 10 * 64).size == 64
