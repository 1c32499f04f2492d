"""Randomness: a pure function of a seed and a key."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.random import generator, hash_step, seed_for, unit_interval

parts = st.one_of(st.text(max_size=8), st.integers(-(2**40), 2**40))


def test_seed_is_the_start_of_a_hash():
    digest = hashlib.sha256(b"i7\x1fsorder\x1fi3").digest()
    assert seed_for(7, "order", 3) == int.from_bytes(digest[:8], "little") % 2**63


@given(st.integers(0, 2**63), st.lists(parts, max_size=4))
def test_seed_is_pure_and_fits_63_bits(seed, key):
    assert seed_for(seed, *key) == seed_for(seed, *key)
    assert 0 <= seed_for(seed, *key) < 2**63


def test_every_part_counts():
    seeds = [
        seed_for(0),
        seed_for(1),
        seed_for(0, "a"),
        seed_for(0, "b"),
        seed_for(0, "a", "b"),
        seed_for(0, "ab"),
        seed_for(0, "b", "a"),
        seed_for(0, 1),
        seed_for(0, "1"),
        seed_for(0, 1, 2),
        seed_for(0, 12),
        seed_for(0, -1),
    ]
    assert len(set(seeds)) == len(seeds)


def test_numpy_integers_are_integers():
    assert seed_for(np.int64(3), "epoch", np.int32(5)) == seed_for(3, "epoch", 5)


def test_equal_keys_give_equal_streams_whatever_was_drawn_before():
    expected = generator(1, "order", 2).permutation(100)
    generator(1, "order", 1).random(1000)
    np.random.default_rng(0).random(10)
    assert np.array_equal(generator(1, "order", 2).permutation(100), expected)
    assert not np.array_equal(generator(1, "order", 3).permutation(100), expected)


def test_the_global_generator_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    generator(0, "x").normal(size=100)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_streams_of_neighboring_keys_do_not_correlate():
    draws = np.stack([generator(0, "row", row).standard_normal(4000) for row in range(20)])
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 0.08
    assert draws.mean() == pytest.approx(0.0, abs=0.02)


def splitmix64(state: int) -> int:
    """The finalizer in whole numbers of any size, as its authors give it."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_hash_step_is_splitmix64_in_scalars_and_arrays(state, number):
    expected = splitmix64((state + number * 0x9E3779B97F4A7C15) % 2**64)
    with np.errstate(over="ignore"):
        assert int(hash_step(np.uint64(state), np.uint64(number))) == expected
        stepped = hash_step(np.array([state, 0], dtype=np.uint64), np.array([number, 1], dtype=np.uint64))
    assert stepped.tolist() == [expected, splitmix64(0x9E3779B97F4A7C15)]
    assert stepped.dtype == np.uint64


def test_the_first_number_of_the_published_generator():
    with np.errstate(over="ignore"):
        assert int(hash_step(np.uint64(0), np.uint64(1))) == 0xE220A8397B1DCDAF  # splitmix64 with seed 0


def test_a_hash_becomes_a_number_from_zero_to_below_one():
    states = np.array([0, 1 << 11, 1 << 63, (1 << 64) - 1], dtype=np.uint64)
    assert unit_interval(states).tolist() == [0.0, 2.0**-53, 0.5, 1 - 2.0**-53]
    assert float(unit_interval(np.uint64(1 << 62))) == 0.25
