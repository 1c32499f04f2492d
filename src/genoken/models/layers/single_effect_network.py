"""A sum of effects that each act through one variant, or through a product of two, which the network chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid
from genoken.models.layers.gated_choice import GatedChoice
from genoken.models.layers.genotype_codings import IMPOSSIBLE, GenotypeCodings

_LEAST_VARIANCE = 1e-12
_SURE = 1 - 1e-6


class SingleEffectNetwork(nn.Module):
    """The state of a sample holds its expected effects, one number each, repeated until the width is full.

    In training every sample's effects are drawn from their normal approximation with the posterior's mean and variance, which makes
    the loss, whatever it is, an estimate of its expectation over all choices. The evidence bound is that loss and :meth:`penalty`.

    Parameters
    ----------
    grid, width
        What it is built for; ``width`` is at least the number of effects and pairs.
    effects, pairs
        Number of each.
    coding_weights
        See :class:`GenotypeCodings`.
    pair_limit
        Most variants of which all pairs are looked at. Of more, one of a pair is what a single effect has chosen, so that what is
        learned grows linearly.
    temperature
        Factor on the penalty.

    Raises
    ------
    ConfigError
        When the width is too small, or the grid holds no copies of alleles.
    """

    def __init__(
        self,
        grid: Grid,
        width: int,
        *,
        effects: int,
        pairs: int,
        coding_weights: tuple[float, float, float],
        pair_limit: int,
        temperature: float,
    ) -> None:
        super().__init__()
        if width < effects + pairs:
            raise ConfigError(
                f"'model.width' is {width}, and {effects + pairs} effects and pairs need a number each",
                remedy=f"use model.width: {effects + pairs}",
            )
        self.num_features, self.width, self.temperature = grid.num_features, width, temperature
        self.codings = GenotypeCodings(grid, coding_weights)
        self.singles = GatedChoice(effects, self.codings.log_prior)
        self.all_pairs = grid.num_features <= pair_limit
        self.pairs = GatedChoice(pairs, self._pair_prior(effects)) if pairs and grid.num_features > 1 else None

    def _pair_prior(self, effects: int) -> Tensor:
        """Return the logarithm of the prior of what comes first with a variant, flat; no variant is its own partner."""
        prior = torch.ones(self.num_features if self.all_pairs else effects, self.num_features)
        if self.all_pairs:
            prior.fill_diagonal_(0.0)
        return torch.where(prior > 0, -prior.sum().log(), torch.tensor(IMPOSSIBLE)).flatten()

    def forward(self, values: Tensor) -> Tensor:
        """Return states (samples, width) of numbers (samples, variants, 1)."""
        columns = self.codings(values.squeeze(2))
        weights, squares = self.singles.moments()
        means = columns @ weights.T
        found = self._drawn(means, lambda: columns.square() @ squares.T)
        if self.pairs is not None:
            found = torch.cat([found, self._products(self.pairs, columns)], dim=1)
        repeated = torch.arange(self.width, device=found.device) % found.shape[1]
        return found[:, repeated]

    def _drawn(self, means: Tensor, second_moments: Callable[[], Tensor]) -> Tensor:
        """Return the effects' means or, in training, draws; the second moments are not made in vain."""
        if not self.training:
            return means
        variance = (second_moments() - means.square()).clamp(min=_LEAST_VARIANCE)
        return means + variance.sqrt() * torch.randn_like(means)

    def _products(self, pairs: GatedChoice, columns: Tensor) -> Tensor:
        """Return each pair's effect, (samples, pairs); pairs take turns with the codings, lest products of all are made."""
        codings = columns.unflatten(1, (self.num_features, -1)).unbind(dim=2)
        second = [codings[place % len(codings)] for place in range(len(pairs.log_prior_deviation))]
        first = second if self.all_pairs else [columns @ self.singles.gates().T] * len(second)
        weights, squares = (moments.unflatten(1, (-1, self.num_features)) for moments in pairs.moments())
        return self._drawn(
            _bilinear(first, weights, second),
            lambda: _bilinear([own.square() for own in first], squares, [own.square() for own in second]),
        )

    def penalty(self) -> Tensor:
        """Return the divergence of what is believed of all effects from its prior, in nats, times the temperature."""
        total = self.singles.divergence()
        if self.pairs is not None:
            total = total + self.pairs.divergence()
        return self.temperature * total

    def inclusion(self) -> Tensor:
        """Return how sure it is that some effect acts through a variant, ``1 - prod_l (1 - gate_l)``, (variants,).

        Effects that are nothing are left out; gates of a variant's codings add up, and so do those of all pairs it is in.
        """
        chosen = self.singles.gates().unflatten(1, (self.num_features, -1)).sum(dim=2)
        shares = [chosen * self.singles.is_there().unsqueeze(1)]
        if self.pairs is not None:
            gates = self.pairs.gates().unflatten(1, (-1, self.num_features))
            first = gates.sum(dim=2)
            shares.append((gates.sum(dim=1) + (first if self.all_pairs else first @ chosen)) * self.pairs.is_there().unsqueeze(1))
        return -torch.expm1(torch.log1p(-torch.cat(shares).clamp(max=_SURE)).sum(dim=0))

    def pooling_weights(self, values: Tensor) -> Tensor:
        """Return :meth:`inclusion` for every sample, (samples, variants)."""
        return self.inclusion().expand(len(values), -1)


def _bilinear(first: Sequence[Tensor], weights: Tensor, second: Sequence[Tensor]) -> Tensor:
    """Return ``first_sp W_p second_sp`` of each sample and pair, (samples, pairs), one pair at a time."""
    return torch.stack([((one @ own) * other).sum(dim=1) for one, own, other in zip(first, weights, second, strict=True)], dim=1)
