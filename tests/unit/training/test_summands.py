"""Weighing encoder and linear path on the validation part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from genoken.training import summands
from genoken.training.summands import SHRINKAGE, weigh_summands


def spoil(network, monkeypatch, encoder, path):
    """Let the two summands be these logits of class 1, sample by sample."""
    from genoken.models.network import Outputs

    def forward(self, batch):
        rows = batch.rows
        both = (torch.tensor(encoder, dtype=torch.float32)[rows, None], torch.tensor(path, dtype=torch.float32)[rows, None])
        return Outputs(outputs=both[0] + both[1], states=both[0], summands=both)

    monkeypatch.setattr(type(network), "forward", forward)


def test_the_weights_minimize_the_loss_of_the_sum(network, dataset, objective, target, monkeypatch):
    rng = np.random.default_rng(1)
    signs = 2 * dataset.labels - 1
    encoder, path = signs * 2.0 + rng.normal(size=12) * 3, signs * 1.5 + rng.normal(size=12)
    spoil(network, monkeypatch, encoder, path)
    weigh_summands(network, dataset, objective, target)

    def expected(weights):
        return np.logaddexp(0, -signs * (weights[0] * encoder + weights[1] * path)).mean() + SHRINKAGE * ((weights - 1) ** 2).sum()

    best = minimize(expected, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    assert network.summand_weights.tolist() == pytest.approx(best, abs=1e-3)


def test_the_weights_are_those_of_what_goes_beyond_a_prior(network, dataset, objective, target, monkeypatch):
    rng = np.random.default_rng(1)
    signs = 2 * dataset.labels - 1
    encoder, path, prior = signs * 2.0 + rng.normal(size=12) * 3, signs * 1.5 + rng.normal(size=12), rng.normal(size=12) * 2
    spoil(network, monkeypatch, encoder, path)
    weigh_summands(network, replace(dataset, prior=prior[:, None].astype(np.float32)), objective, target)

    def expected(weights):
        sums = prior + weights[0] * encoder + weights[1] * path
        return np.logaddexp(0, -signs * sums).mean() + SHRINKAGE * ((weights - 1) ** 2).sum()

    best = minimize(expected, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    assert network.summand_weights.tolist() == pytest.approx(best, abs=1e-3)


def test_a_summand_that_misleads_fades_out(network, dataset, objective, target, monkeypatch):
    signs = 2.0 * dataset.labels - 1
    spoil(network, monkeypatch, -4 * signs, 3 * signs)
    weigh_summands(network, dataset, objective, target)
    assert network.summand_weights[0] < 0.2
    assert network.summand_weights[1] > 0.9


def test_the_outputs_are_the_weighted_sum_and_each_summand_alone_is_as_it_was_learned(network, dataset):
    batch = dataset.batch(np.arange(12))
    network.eval()
    network.summand_weights.copy_(torch.tensor([0.25, 2.0]))
    with torch.no_grad():
        result = network(batch)
        torch.testing.assert_close(result.outputs, 0.25 * result.summands[0] + 2.0 * result.summands[1])
        with network.only("encoder"):
            assert torch.equal(network(batch).outputs, result.summands[0])
        with network.only("linear_path"):
            assert torch.equal(network(batch).outputs, result.summands[1])


def test_the_result_does_not_depend_on_how_the_part_is_cut(network, dataset, objective, target, monkeypatch):
    weigh_summands(network, dataset, objective, target)
    whole = network.summand_weights.clone()
    monkeypatch.setattr(summands, "_SAMPLES_PER_PASS", 5)
    network.summand_weights.fill_(1.0)
    weigh_summands(network, dataset, objective, target)
    torch.testing.assert_close(network.summand_weights, whole, atol=1e-5, rtol=0)
    assert not torch.equal(whole, torch.ones(2))
