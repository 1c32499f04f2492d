"""How much the encoder and the linear path each count in the outputs, chosen on the validation part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genoken.core.batch import Batch
from genoken.core.contracts import Objective, TargetState
from genoken.data.dataset import TokenDataset
from genoken.models.network import Network, with_prior

SHRINKAGE = 0.02
"""Penalty on the squared distance of the two weights from 1, beside the mean loss: few validation samples move them little."""
LARGEST_WEIGHT = 5.0
_SAMPLES_PER_PASS = 128


def weigh_summands(network: Network, val: TokenDataset, objective: Objective, target: TargetState) -> None:
    r"""Choose the weights ``a`` of the encoder and ``b`` of the linear path in the outputs, in place; a prior keeps the weight 1.

    Minimizes :math:`\frac{1}{n} \sum_i L_i(a E_i + b P_i) + 0.02 ((a - 1)^2 + (b - 1)^2)` over :math:`0 \le a, b \le 5`, with the
    objective's loss :math:`L` and the outputs :math:`E, P` of the two in the validation part. Where one of them has learned nothing
    that lasts, it fades out; where both are too sure of themselves, both shrink, as by temperature scaling.

    Parameters
    ----------
    network
        Fitted; nothing is done without a linear path.
    val
        The validation part, with labels.
    objective, target
        What was learned.

    References
    ----------
    Guo et al., "On calibration of modern neural networks" (2017), arXiv:1706.04599.
    """
    from scipy.optimize import minimize

    if network.linear_path is None:
        return
    outputs = _outputs(network, val, objective, target)
    count = sum(len(batch.rows) for _, _, batch in outputs)

    def loss_and_slope(weights: np.ndarray) -> tuple[float, np.ndarray]:
        pair = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
        losses = [
            objective.loss(with_prior(pair[0] * encoder + pair[1] * path, batch.prior), batch, target).total
            for encoder, path, batch in outputs
        ]
        total = torch.stack(losses).sum() / count + SHRINKAGE * (pair - 1).square().sum()
        total.backward()
        assert pair.grad is not None  # noqa: S101
        return float(total.detach()), pair.grad.numpy()

    found = minimize(loss_and_slope, np.ones(2), jac=True, method="L-BFGS-B", bounds=[(0, LARGEST_WEIGHT)] * 2)
    network.summand_weights.copy_(torch.tensor(found.x))


def _outputs(network: Network, val: TokenDataset, objective: Objective, target: TargetState) -> list[tuple[Tensor, Tensor, Batch]]:
    """Return the outputs of both summands, in float64, and the targets, batch by batch."""
    assert val.labels is not None  # noqa: S101
    device = next(network.parameters()).device
    order = np.argsort(-val.lengths(), kind="stable")
    found = []
    with torch.no_grad():
        for start in range(0, len(order), _SAMPLES_PER_PASS):
            rows = order[start : start + _SAMPLES_PER_PASS]
            batch = objective.prepare(val.batch(rows), val.labels[rows], target)
            encoder, path = (summand.cpu().double() for summand in network(batch.to(device)).summands)
            found.append((encoder, path, replace(batch, channels={})))
    return found
