from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.evaluation.association.components import genotype_components


def cohort(samples: int = 60, variants: int = 80) -> tuple[np.ndarray, pd.DataFrame]:
    """Two populations whose frequencies differ, and a block of copies of one variant that would be a component of its own."""
    rng = np.random.default_rng(2)
    frequency = np.where(np.arange(samples)[:, None] < samples // 2, 0.2, 0.7) * np.ones(variants)
    dense = rng.binomial(2, frequency).astype(np.int8)
    dense[:, 40:80] = rng.binomial(2, 0.5, size=(samples, 1))
    features = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(variants) * 10})
    return dense, features


def test_the_first_tells_populations_apart_and_linkage_is_none():
    dense, features = cohort()
    found = genotype_components(dense, features, 3)
    assert found.shape == (60, 3)
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-8)
    is_second = np.arange(60) >= 30
    assert abs(np.corrcoef(found[:, 0], is_second)[0, 1]) > 0.9
    block = dense[:, 40] - dense[:, 40].mean()
    assert abs(np.corrcoef(found[:, 0], block)[0, 1]) < 0.4
    assert (found[np.abs(found).argmax(axis=0), range(3)] > 0).all()
    np.testing.assert_array_equal(found, genotype_components(dense, features, 3))


def test_equals_the_decomposition_of_independent_variants():
    rng = np.random.default_rng(3)
    dense = rng.binomial(2, 0.4, size=(200, 6)).astype(np.int8)
    features = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(6)})
    values = dense - dense.mean(axis=0)
    left = np.linalg.svd(values / np.linalg.norm(values, axis=0), full_matrices=False)[0][:, :2]
    np.testing.assert_allclose(np.abs(genotype_components(dense, features, 2)), np.abs(left), atol=1e-6)


def test_there_are_no_more_than_data_gives():
    dense, features = cohort(samples=4, variants=10)
    assert genotype_components(dense, features, 10).shape[1] <= 3
    assert genotype_components(dense[:, :1], features.iloc[:1], 10).shape == (4, 0)
    assert genotype_components(dense, features, 0).shape == (4, 0)


def test_sexes_are_no_component():
    dense, features = cohort(variants=120)
    is_man = (np.arange(60) % 2).astype(bool)
    dense[:, 80:] = np.where(is_man[:, None], 2 * (dense[:, 80:] > 1), dense[:, 80:])
    on_x = features.assign(chromosome=np.repeat(["1", "X"], [80, 40]))
    found = genotype_components(dense, on_x, 3)
    np.testing.assert_array_equal(found, genotype_components(dense[:, :80], features.iloc[:80], 3))
    assert (genotype_components(dense, features.assign(chromosome="X"), 3) != 0).all()  # nothing else is there
