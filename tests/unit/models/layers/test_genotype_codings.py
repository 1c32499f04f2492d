"""Codings of genotypes: columns by hand, their moments, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import Grid, GridMoments
from genoken.models.layers.genotype_codings import IMPOSSIBLE, GenotypeCodings

ALL = (0.9, 0.05, 0.05)
DOSAGES = np.array([[0, 2, 0], [0, 2, 0], [1, 1, 1], [2, 1, 1], [0, 0, 0]], dtype=float)
"""Counted allele: rarer, more frequent, and never two copies."""


def grid_of(dosages: np.ndarray) -> Grid:
    deviation = dosages.std(axis=0)
    return Grid(1, dosages.shape[1], moments=GridMoments(deviation, 2 * deviation, dosages.mean(axis=0) / 2))


def columns_of(dosages: np.ndarray, weights=ALL) -> np.ndarray:
    """Codings of samples that are their own train split; a number is half a standard deviation."""
    numbers = torch.tensor((dosages - dosages.mean(axis=0)) / (2 * dosages.std(axis=0)), dtype=torch.float32)
    codings = GenotypeCodings(grid_of(dosages), weights)
    return codings(numbers).unflatten(1, (dosages.shape[1], -1)).numpy()


def test_columns_are_standardized_copies_carriers_and_homozygotes_of_the_rarer_allele():
    columns = columns_of(DOSAGES)
    rarer = np.stack([DOSAGES[:, 0], 2 - DOSAGES[:, 1]], axis=1)
    for place, coded in ((1, rarer >= 1), (2, rarer == 2)):
        expected = (coded - coded.mean(axis=0)) / coded.std(axis=0)
        np.testing.assert_allclose(columns[:, :2, place], expected, atol=1e-5)
    np.testing.assert_allclose(columns[:, 0, 0], (DOSAGES[:, 0] - 0.6) / (2 * DOSAGES[:, 0].std()), atol=1e-6)


def test_carriers_without_homozygotes_are_not_a_coding_of_their_own():
    codings = GenotypeCodings(grid_of(DOSAGES), ALL)
    prior = codings.log_prior.exp().reshape(3, 3)
    total = 0.9 * 3 + 0.1 * 2
    np.testing.assert_allclose(prior, np.array([ALL, ALL, (0.9, 0, 0)]) / total, rtol=1e-5)
    assert codings.log_prior.reshape(3, 3)[2, 1] == IMPOSSIBLE


def test_a_coding_of_weight_zero_is_left_out():
    assert columns_of(DOSAGES, (0.0, 1.0, 0.0)).shape == (5, 3, 1)
    numbers = torch.randn(4, 3)
    assert GenotypeCodings(grid_of(DOSAGES), (1.0, 0.0, 0.0))(numbers) is numbers


def test_imputed_copies_lie_between():
    codings = GenotypeCodings(grid_of(DOSAGES[:, :1]), ALL)
    copies = torch.tensor([[0.0], [0.5], [1.0], [1.5], [2.0]])
    columns = codings((copies - 0.6) / (2 * DOSAGES[:, 0].std()))
    slopes = (columns[1:] - columns[:-1])[:, 1:]
    assert ((slopes[:, 0] > 0.1) == torch.tensor([True, True, False, False])).all()  # carriers: up to the first copy
    assert ((slopes[:, 1] > 0.1) == torch.tensor([False, False, True, True])).all()
    assert (slopes > -1e-5).all()


def test_the_columns_travel_with_the_weights():
    fitted, fresh = GenotypeCodings(grid_of(DOSAGES), ALL), GenotypeCodings(Grid(1, 3), ALL)
    fresh.load_state_dict(fitted.state_dict())
    numbers = torch.randn(4, 3)
    assert torch.equal(fresh(numbers), fitted(numbers))


def test_several_numbers_per_variant_are_refused():
    with pytest.raises(ConfigError, match=r"takes one number per variant, and these tokens hold 4.*encoding: dosage"):
        GenotypeCodings(Grid(4, 3), ALL)


def test_other_features_have_no_carriers():
    genes = Grid(1, 3, moments=GridMoments(np.ones(3), np.ones(3)))
    with pytest.raises(ConfigError, match=r"these features are none.*model\.encoder\.dominant: 0"):
        GenotypeCodings(genes, ALL)
    assert GenotypeCodings(genes, (1.0, 0.0, 0.0)).log_prior.shape == (3,)
