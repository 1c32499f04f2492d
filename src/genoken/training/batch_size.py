"""How many samples make a batch: as many as trial steps show to fit into memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from genoken.core.config import TrainingSettings
from genoken.core.errors import TrainingError
from genoken.data.dataset import Part
from genoken.models.network import set_gradient_checkpointing
from genoken.training.fit import AnyNetwork, choose_compute
from genoken.training.memory import PeakMemory, free_bytes, is_out_of_memory
from genoken.training.module import Trained
from genoken.training.task import Task

SHARES = {"conservative": 0.6, "balanced": 0.75, "aggressive": 0.9}
"""Share of the free memory that each use of it allows."""
LEAST_STEPS = 16
"""Batches that an epoch keeps: a network does not learn in a few large steps what it learns in many."""
MOST_SAMPLES = 512
SLOWEST_TRIAL = 5.0
"""Seconds after which a trial step is the last one; larger batches are then extrapolated."""


@dataclass(frozen=True)
class Trial:
    """One size that was tried.

    Parameters
    ----------
    samples
        Of the batch.
    bytes
        By how much memory rose at most, in bytes.
    """

    samples: int
    bytes: int


@dataclass(frozen=True)
class BatchChoice:
    """How a batch size was found.

    Parameters
    ----------
    size
        Samples per batch.
    budget
        Bytes that training may take.
    fixed, per_sample
        Bytes whatever the batch, and bytes that each sample adds, as measured.
    trials
        What was measured.
    reason
        What it is limited by, in words.
    """

    size: int
    budget: int
    fixed: int
    per_sample: int
    trials: tuple[Trial, ...]
    reason: str


def choose_batch_size(network: AnyNetwork, train: Part, task: Task[Any], settings: TrainingSettings) -> BatchChoice:
    """Return the largest batch, a power of two, of which trial steps say that it fits into memory.

    Trial steps are forward and backward passes over the longest samples; weights, buffers and random states are as before
    afterwards. To what they take at most come the optimizer's moments and the average of the weights, which a trial has not.

    Parameters
    ----------
    network
        At its start.
    train
        The train part.
    task
        What is learned.
    settings
        Precision, attention, how much memory may be used.

    Raises
    ------
    TrainingError
        When not even one sample fits.
    """
    device, precision, backend = choose_compute(network, settings)
    network.set_attention_backend(backend.backend)
    set_gradient_checkpointing(network, settings.gradient_checkpointing)
    budget = int(free_bytes(device) * settings.memory_fraction * SHARES[settings.memory_use])
    most = most_samples(len(train))
    rows = np.argsort(-train.lengths(), kind="stable")
    with _on_trial(network, device):
        peak, later = PeakMemory(device), _bytes_of_optimizer(network, settings)

        def step(samples: int) -> int:
            def work() -> None:
                batch = task.training_batch(train, rows[:samples], 0).to(device)
                with torch.autocast(device.type, dtype=precision.dtype, enabled=precision.name != "fp32"):
                    loss = task.training_loss(network, batch).total
                loss.backward()
                network.zero_grad(set_to_none=True)

            return peak.of(work) + later

        least = later + _bytes_of_gradients(network)
        trials = _tried(step, most, budget, least)
    return chosen(trials, most, budget, least)


def most_samples(num_train: int) -> int:
    """Return the largest power of two of samples with which an epoch keeps ``LEAST_STEPS`` batches, ``MOST_SAMPLES`` at most."""
    return int(2 ** np.floor(np.log2(np.clip(num_train // LEAST_STEPS, 1, MOST_SAMPLES))))


def _tried(step: Callable[[int], int], most: int, budget: int, least: int = 0) -> tuple[Trial, ...]:
    """Try 1, 2, 4 … samples, as long as the next size should fit and takes no longer than is worth it."""
    trials: list[Trial] = []
    samples = 1
    while samples <= most:
        began = time.perf_counter()
        try:
            trials.append(Trial(samples, step(samples)))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            break
        fixed, per_sample = _line(tuple(trials), least)
        is_slow = len(trials) > 2 and 2 * (time.perf_counter() - began) > SLOWEST_TRIAL
        samples *= 2
        if is_slow or fixed + per_sample * samples > budget:
            break
    return tuple(trials)


def _line(trials: tuple[Trial, ...], least: int) -> tuple[int, int]:
    """Return fixed bytes and bytes per sample through the first and the last trial.

    Where there is one alone, what surely is fixed (``least``) is taken for all that is.
    """
    first, last = trials[0], trials[-1]
    if first.samples == last.samples:
        fixed = min(least, last.bytes)
        return fixed, (last.bytes - fixed) // last.samples
    per_sample = max(last.bytes - first.bytes, 0) // (last.samples - first.samples)
    return max(last.bytes - per_sample * last.samples, 0), per_sample


def chosen(trials: tuple[Trial, ...], most: int, budget: int, least: int = 0) -> BatchChoice:
    """Return the largest power of two, ``most`` at most, whose memory is within the budget according to the trials.

    Parameters
    ----------
    trials
        What was measured, from one sample on.
    most, budget
        Largest size, and bytes that training may take.
    least
        Bytes that surely do not grow with the batch.

    Raises
    ------
    TrainingError
        When not even one sample is.
    """
    if not trials or trials[0].bytes > budget:
        raise TrainingError(
            "not even one sample fits into the memory that training may take",
            remedy="raise training.memory_fraction, add --gradient-checkpointing, or choose a smaller network",
        )
    fixed, per_sample = _line(trials, least)
    size = 1
    while 2 * size <= most and fixed + per_sample * 2 * size <= budget:
        size *= 2
    reason = f"an epoch keeps {LEAST_STEPS} batches" if size == most < MOST_SAMPLES else "memory"
    if size == MOST_SAMPLES:
        reason = f"no batch is larger than {MOST_SAMPLES}"
    return BatchChoice(size, budget, fixed, per_sample, trials, reason)


def _bytes_of_optimizer(network: Trained, settings: TrainingSettings) -> int:
    """Return the bytes of what an optimizer step adds: two moments of each weight and, where it is wanted, their average."""
    return _bytes_of_gradients(network) * (2 + (settings.average_decay > 0))


def _bytes_of_gradients(network: Trained) -> int:
    return sum(4 * weight.numel() for weight in network.parameters() if weight.requires_grad)


@contextlib.contextmanager
def _on_trial(network: Trained, device: torch.device) -> Iterator[None]:
    """Put a network on a device to be trained; afterwards it is on the CPU as it was, and so are the random states."""
    buffers = {name: tensor.clone() for name, tensor in network.named_buffers()}
    was_training = network.training
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            network.to(device).train()
            yield
        finally:
            network.zero_grad(set_to_none=True)
            network.cpu().train(was_training)
            for name, tensor in network.named_buffers():
                tensor.copy_(buffers[name])
            if device.type == "cuda":
                torch.cuda.empty_cache()
