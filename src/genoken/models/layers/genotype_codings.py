"""Genotypes as columns: copies of an allele, carriers of it, and those with two copies."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid

IMPOSSIBLE = -1e9
"""Logarithm of the prior of what cannot be chosen."""
_LEAST_DEVIATION = 0.03


class GenotypeCodings(nn.Module):
    """The standardized copies of the rarer allele, whether there is one, and whether there are two.

    Copies between whole numbers, as imputed calls have them, are interpolated, so that all columns have slopes. Moments of the
    columns follow from the train split's mean ``m`` and variance ``v`` of the copies: a share ``(v + m² - m) / 2`` has two. A
    variant whose carriers or homozygotes are too few is not coded by them, nor is one without homozygotes by carriers, which are
    its copies.

    Parameters
    ----------
    grid
        What the network is built for: one number per variant.
    weights
        Prior weight of the copies, of carriers and of homozygotes; a coding of weight 0 is left out.

    Raises
    ------
    ConfigError
        When there are several numbers per variant, or features are no variants but shall be coded as such.
    """

    codes: Tensor
    copies: Tensor
    log_prior: Tensor

    def __init__(self, grid: Grid, weights: tuple[float, float, float]) -> None:
        super().__init__()
        if grid.channels != 1:
            raise ConfigError(
                f"the encoder 'single_effect' takes one number per variant, and these tokens hold {grid.channels}",
                remedy="use tokenizer.encoding: dosage or additive",
            )
        if grid.moments is not None and grid.moments.frequency is None and (weights[1] or weights[2]):
            raise ConfigError(
                "carriers and homozygotes are those of variants, and these features are none",
                remedy="use model.encoder.dominant: 0 and model.encoder.recessive: 0",
            )
        self.used = [place for place, weight in enumerate(weights) if weight]
        mean, unit, shares = _genotypes(grid)
        deviations = np.sqrt(shares * (1 - shares))
        is_valid = np.ones((3, grid.num_features), dtype=bool)
        is_valid[1:] = deviations[1] > _LEAST_DEVIATION
        prior = np.where(is_valid, np.array(weights)[:, None], 0.0)[self.used].T.flatten()
        logarithm = np.where(prior > 0, np.log(np.maximum(prior, 1e-30) / prior.sum()), IMPOSSIBLE)
        self.register_buffer("log_prior", torch.tensor(logarithm, dtype=torch.float32))
        self.register_buffer("copies", torch.tensor(np.stack([mean, unit]), dtype=torch.float32))
        scaled = np.stack([shares, np.maximum(deviations, _LEAST_DEVIATION)])
        self.register_buffer("codes", torch.tensor(scaled, dtype=torch.float32))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return columns (samples, variants x codings) of standardized copies (samples, variants)."""
        if self.used == [0]:
            return numbers
        copies = self.copies[0] + self.copies[1] * numbers
        (one, two), (one_deviation, two_deviation) = self.codes
        columns = (
            numbers,
            (copies.clamp(0, 1) - one) / one_deviation,
            ((copies - 1).clamp(0, 1) - two) / two_deviation,
        )
        return torch.stack([columns[place] for place in self.used], dim=2).flatten(1)


def _genotypes(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean copies of the rarer allele, copies per unit of a number, and the shares with a copy and with two, (2, variants).

    Without moments, as when a network is built to read its weights, these are those of a frequency of a half.
    """
    if grid.moments is None or grid.moments.frequency is None:
        ones = np.ones(grid.num_features)
        return ones, np.sqrt(0.5) * ones, np.stack([0.75 * ones, 0.25 * ones])
    counted = 2 * grid.moments.frequency
    is_flipped = counted > 1
    mean = np.where(is_flipped, 2 - counted, counted)
    two = np.clip((grid.moments.deviation**2 + mean**2 - mean) / 2, 0, mean / 2)
    return mean, np.where(is_flipped, -1.0, 1.0) * grid.moments.unit, np.stack([mean - two, two])
