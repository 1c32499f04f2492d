"""Effects that each act through one column, chosen by a softmax, and what the choice costs in evidence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SPEED = 10.0
"""Factor on what is learned of gates and of log deviations, whose natural scale is that much larger than an effect's."""
_START_DEVIATION, _START_PRIOR = -3.5, -2.0
"""Logarithms of the deviations of a size: of what is believed, and of its prior."""
_START_SPREAD = 0.01
_TINY = 1e-20


class GatedChoice(nn.Module):
    r"""Effects ``b_l x_{c_l}`` with a posterior over the column ``c_l`` and over the size ``b_l``.

    The posterior of the column is a softmax, ``gates``; given the column, the size is normal. The prior of the column is given,
    that of the size is :math:`N(0, V_l)` with a variance that is learned. The divergence of the posterior from the prior is

    .. math:: \sum_c g_{lc} \left(\log \frac{g_{lc}}{\pi_c} + \log \frac{\sqrt{V_l}}{s_{lc}}
        + \frac{m_{lc}^2 + s_{lc}^2}{2 V_l} - \frac12\right),

    which does not change when all sizes and :math:`\sqrt{V_l}` are multiplied by a number, so that what follows may scale them.
    The variance is learned by small steps: one that had the greatest evidence at each would vanish before the gates have chosen.

    Parameters
    ----------
    num_effects
        Number of effects.
    log_prior
        Logarithm of each column's prior, float32 of shape (columns,); impossible columns have a very low one.
    """

    log_prior: Tensor

    def __init__(self, num_effects: int, log_prior: Tensor) -> None:
        super().__init__()
        # Embeddings, because decay would pull gates and deviations to where nothing is known.
        self.gate, self.mean, self.log_deviation = (nn.Embedding(num_effects, len(log_prior)) for _ in range(3))
        nn.init.normal_(self.gate.weight, std=_START_SPREAD / _SPEED)
        nn.init.normal_(self.mean.weight, std=_START_SPREAD)
        nn.init.constant_(self.log_deviation.weight, _START_DEVIATION / _SPEED)
        self.log_prior_deviation = nn.Parameter(torch.full((num_effects,), _START_PRIOR))
        self.register_buffer("log_prior", log_prior)

    def gates(self) -> Tensor:
        """Return the probability of each column, (effects, columns), float32."""
        return (_SPEED * self.gate.weight + self.log_prior).float().softmax(dim=1)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return what a column contributes per unit: its expectation and that of its square, (effects, columns) each."""
        gates, mean = self.gates(), self.mean.weight
        return gates * mean, gates * (mean.square() + self._variance())

    def _variance(self) -> Tensor:
        return (2 * _SPEED * self.log_deviation.weight).exp()

    def divergence(self) -> Tensor:
        """Return the divergence of all posteriors from their priors, a scalar."""
        gates, prior = self.gates(), self.log_prior_deviation.unsqueeze(1)
        choice = torch.log(gates + _TINY) - self.log_prior
        squares = self.mean.weight.square() + self._variance()
        size = prior - _SPEED * self.log_deviation.weight + 0.5 * squares * torch.exp(-2 * prior) - 0.5
        return (gates * (choice + size)).sum()

    def is_there(self) -> Tensor:
        """Return which effects are more than nothing, bool (effects,): their squared size exceeds its own uncertainty.

        For one column, and with the prior variance of greatest evidence, that is where ``z² > 2``.
        """
        gates = self.gates()
        return (gates * self.mean.weight.square()).sum(dim=1) > (gates * self._variance()).sum(dim=1)
