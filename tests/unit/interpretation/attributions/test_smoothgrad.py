"""Averaged gradients: what is linear is exact, the rest is the mean over the very draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from genoken.core.random import generator
from genoken.interpretation.attributions.smoothgrad import SmoothGrad

ROWS, CLASSES = np.arange(6), np.array([2, 0, 1, 1, 0, 2])


def test_linear_path_alone_is_attributed_exactly(linear_subject, linear_terms):
    found = SmoothGrad(draws=2).attribute(linear_subject, ROWS, CLASSES)
    assert np.allclose(found.scores.toarray(), linear_terms(linear_subject, CLASSES), atol=1e-5)
    assert found.completeness_error is None


def test_is_the_mean_gradient_over_noisy_copies(subject_of):
    subject = subject_of(combine="multiplicative")
    found = SmoothGrad(draws=3, noise=0.2, seed=5).attribute(subject, ROWS[[2]], CLASSES[[2]]).scores.toarray()[0]
    batch = subject.batch(np.array([2]))
    values, total = batch.channels["value"], 0.0
    for draw in range(3):
        noise = torch.from_numpy(generator(5, "smoothgrad", draw, 2).standard_normal(len(values), dtype=np.float32))
        noisy = (values + noise * 0.2 * 2.0).requires_grad_()  # sample 2 reaches from 0 (CLS) to 2
        moved = replace(batch, channels={**batch.channels, "value": noisy})
        (gradient,) = torch.autograd.grad(subject.class_scores(moved, CLASSES[[2]]).sum(), noisy)
        total = total + gradient
    wanted = np.zeros(7)
    wanted[subject.dataset.prepared[2].indices] = (total / 3 * values).numpy()[1:]
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_samples_alone_and_together_give_the_same(subject_of):
    subject, method = subject_of(), SmoothGrad(draws=2)
    together = method.attribute(subject, ROWS, CLASSES).scores.toarray()
    alone = np.concatenate([method.attribute(subject, ROWS[[row]], CLASSES[[row]]).scores.toarray() for row in range(6)])
    assert np.allclose(together, alone, atol=1e-5)
