"""Scores of one class among several."""

from __future__ import annotations

import math

import pytest
import torch

from genoken.objectives._classes import class_measures, cross_entropy

INFINITY = float("inf")


def test_equal_logits_are_right_for_the_first_class_only():
    measures = class_measures(torch.zeros(8, 8), torch.arange(8))
    assert measures["correct"].tolist() == [True] + [False] * 7
    assert measures["top5"].tolist() == [True] * 5 + [False] * 3
    assert measures["rank_error"].tolist() == [0] * 8
    assert measures["cross_entropy"].tolist() == pytest.approx([math.log(8)] * 8)


def test_classes_that_are_ruled_out_take_no_part():
    logits = torch.tensor([[0.0, -INFINITY, 1.0, -INFINITY, 2.0]])
    total = math.log(1 + math.e + math.e**2)
    assert float(cross_entropy(logits, torch.tensor([2]))) == pytest.approx(total - 1, rel=1e-6)
    # Over the three that remain the mean of -log p is total - 1 as well.
    assert float(cross_entropy(logits, torch.tensor([4]), 0.3)) == pytest.approx(0.7 * (total - 2) + 0.3 * (total - 1), rel=1e-6)
    measures = class_measures(logits, torch.tensor([0]))
    assert (int(measures["rank_error"]), bool(measures["correct"]), bool(measures["top5"])) == (2, False, True)


def test_gradients_do_not_reach_classes_that_are_ruled_out():
    logits = torch.tensor([[0.5, 3.0, -1.0]], requires_grad=True)
    possible = logits.masked_fill(torch.tensor([[False, True, False]]), -INFINITY)
    cross_entropy(possible, torch.tensor([0]), 0.1).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 1]) == 0.0
    assert bool(logits.grad.isfinite().all())
    assert float(logits.grad.sum()) == pytest.approx(0.0, abs=1e-6)
