"""Effects that each act through one column, chosen by a softmax, and what the choice costs in evidence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SPEED = 10.0
"""Factor on what is learned of gates and of log deviations, whose natural scale is that much larger than an effect's."""
_START_DEVIATION = -3.5
_START_SPREAD = 0.01


class GatedChoice(nn.Module):
    r"""Effects ``b_l x_{c_l}`` with a posterior over the column ``c_l`` and over the size ``b_l``.

    The posterior of the column is a softmax, ``gates``; given the column, the size is normal. The prior of the column is given, that
    of the size is :math:`N(0, V_l)` with the variance of greatest evidence, :math:`V_l = \sum_c g_{lc} (m_{lc}^2 + s_{lc}^2)`. With
    it the divergence of the posterior from the prior is

    .. math:: \sum_c g_{lc} (\log g_{lc} - \log \pi_c - \log s_{lc}) + \tfrac12 \log V_l,

    which does not change when all sizes are multiplied by a number, so that what follows may scale them as it likes.

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
        gates = self.gates()
        choice = (gates * (torch.log(gates + 1e-20) - self.log_prior)).sum()
        sizes = 0.5 * torch.log(self.moments()[1].sum(dim=1)).sum() - (gates * _SPEED * self.log_deviation.weight).sum()
        return choice + sizes

    def is_there(self) -> Tensor:
        """Return which effects are more than nothing, bool (effects,): their squared size exceeds its own uncertainty.

        For one column the prior variance of greatest evidence is above zero where ``z > 1``, which is where this is true.
        """
        gates = self.gates()
        return (gates * self.mean.weight.square()).sum(dim=1) > (gates * self._variance()).sum(dim=1)
