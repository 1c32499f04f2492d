"""Packed tokens and batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from genoken.core.batch import Batch, LossTerm, Tokens


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(
        channels={"feature": np.array([3, 4, 7, 5], dtype=np.int64), "value": np.array([0.5, 1.5, 2.5, 3.5], dtype=np.float32)},
        offsets=np.array([0, 3, 3, 4], dtype=np.int64),
        num_truncated=2,
    )


@pytest.fixture
def batch(tokens) -> Batch:
    return dataclasses.replace(Batch.from_tokens(tokens, np.array([9, 2, 5])), targets={"label": torch.tensor([1, 0, 1])})


def test_tokens_know_their_counts(tokens):
    assert (tokens.num_samples, tokens.num_tokens) == (3, 4)
    empty = Tokens(channels={}, offsets=np.array([0]))
    assert (empty.num_samples, empty.num_tokens, empty.num_truncated) == (0, 0, 0)


def test_a_batch_wraps_tokens_without_a_copy(tokens, batch):
    assert batch.lengths == (3, 0, 1)
    assert all(type(length) is int for length in batch.lengths)
    assert (batch.num_samples, batch.num_tokens) == (3, 4)
    assert batch.offsets.dtype == torch.int32
    assert batch.offsets.tolist() == [0, 3, 3, 4]
    assert batch.rows.dtype == torch.int64
    assert batch.rows.tolist() == [9, 2, 5]
    tokens.channels["value"][1] = -1.0
    assert batch.channels["value"].tolist() == [0.5, -1.0, 2.5, 3.5]


def test_a_new_batch_asks_nothing(tokens):
    assert Batch.from_tokens(tokens, np.arange(3)).targets == {}


def test_moving_moves_every_tensor(batch):
    moved = batch.to("meta")
    tensors = [*moved.channels.values(), *moved.targets.values(), moved.offsets, moved.rows]
    assert len(tensors) == 5
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.lengths == batch.lengths
    assert batch.rows.device.type == "cpu"


def test_pinning_pins_every_tensor(batch, monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
    held = batch.pin_memory()
    assert len(pinned) == 5
    assert held.channels["feature"].tolist() == [3, 4, 7, 5]
    assert held.targets["label"].tolist() == [1, 0, 1]
    assert held.lengths == batch.lengths


def test_a_loss_is_divided_once():
    parts = [LossTerm(torch.tensor(6.0), 4), LossTerm(torch.tensor(1.0), 1)]
    assert parts[0].mean.item() == 1.5
    together = LossTerm(torch.stack([part.total for part in parts]).sum(), sum(part.count for part in parts))
    assert together.mean.item() == pytest.approx(1.4)


def test_a_loss_without_targets_is_zero_and_keeps_its_gradient():
    weight = torch.tensor(2.0, requires_grad=True)
    term = LossTerm(weight * 0.0, 0)
    assert term.mean.item() == 0.0
    term.mean.backward()
    assert weight.grad is not None
