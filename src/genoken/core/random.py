"""Randomness as a pure function of a seed and a key.

Nothing in genoken draws from a global generator. A draw is identified by the run's seed and by what it is for, for example
``("order", epoch)``; the result does not depend on how many workers, processes or batches there are, nor on what was drawn before.
"""

from __future__ import annotations

import hashlib

import numpy as np

Key = str | int


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
