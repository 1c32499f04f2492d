"""Randomness as a pure function of a seed and a key.

Nothing in genoken draws from a global generator. A draw is identified by the run's seed and by what it is for, for example
``("order", epoch)``; the result does not depend on how many workers, processes or batches there are, nor on what was drawn before.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

Key = str | int

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""Odd number whose multiples are spread evenly over 64 bits."""
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_DROPPED_BITS = np.uint64(11)


def seed_for(seed: int, *key: Key) -> int:
    """Return a 63-bit seed that is a pure function of ``seed`` and ``key``.

    The value is the first 8 bytes of SHA-256 over the seed and the key's parts, each with its type, with the top bit cleared.
    """
    parts = [f"i{seed}"] + [f"{'i' if isinstance(part, (int, np.integer)) else 's'}{part}" for part in key]
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") & ((1 << 63) - 1)


def generator(seed: int, *key: Key) -> np.random.Generator:
    """Return a NumPy generator for this seed and key; equal arguments give equal streams."""
    return np.random.Generator(np.random.PCG64(seed_for(seed, *key)))


def hash_step(state: Any, number: Any) -> Any:
    """Return the next 64-bit state of a hash over a sequence of numbers; chains of it stand for draws where millions are needed.

    This is splitmix64, whose finalizer mixes ``state + number * 0x9E3779B97F4A7C15``. Arguments and result are uint64, scalars or
    arrays; sums and products wrap around, so plain NumPy scalars want ``np.errstate(over="ignore")``. Numba compiles it as it is.

    References
    ----------
    Steele et al., "Fast splittable pseudorandom number generators" (2014), doi:10.1145/2660193.2660195.
    """
    mixed = state + number * _GOLDEN
    mixed = (mixed ^ (mixed >> _SHIFT_1)) * _MIX_1
    mixed = (mixed ^ (mixed >> _SHIFT_2)) * _MIX_2
    return mixed ^ (mixed >> _SHIFT_3)


def unit_interval(state: Any) -> Any:
    """Return a hash's upper 53 bits as a number in [0, 1); uint64 in, float64 out, scalars or arrays, also compiled by Numba."""
    return (state >> _DROPPED_BITS) * 2.0**-53
