"""The order of samples in an epoch, and their division into batches: pure functions of (seed, epoch) and the lengths."""

from __future__ import annotations

import numpy as np

from genoken.core.errors import ConfigError
from genoken.core.random import generator


def epoch_order(num_samples: int, seed: int, epoch: int) -> np.ndarray:
    """Return a permutation of ``range(num_samples)`` that depends on nothing but its arguments."""
    return generator(seed, "order", epoch).permutation(num_samples)


def balanced_order(classes: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Return as many positions as there are samples, those of every class equally often up to one, in random order.

    A class with more samples than that is represented by a draw of them, another one in each epoch; each sample of a class with
    fewer is drawn equally often up to one. Everything depends on nothing but the arguments.

    Parameters
    ----------
    classes
        Class of each sample, shape (samples,).
    seed, epoch
        Seed of the run, and the epoch.
    """
    draw = generator(seed, "balanced order", epoch)
    found = draw.permutation(np.unique(classes))  # the first ones stand for the rest of the division
    chosen = []
    for place, name in enumerate(found):
        own = np.flatnonzero(classes == name)
        count = len(classes) // len(found) + (place < len(classes) % len(found))
        rounds = [draw.permutation(own) for _ in range(-(-count // len(own)))]
        chosen.append(np.concatenate(rounds)[:count] if rounds else own[:0])
    return draw.permutation(np.concatenate(chosen)) if chosen else np.arange(0)


def cut_batches(order: np.ndarray, lengths: np.ndarray, *, batch_size: int, tokens_per_batch: int = 0) -> list[np.ndarray]:
    """Cut an order into consecutive batches of at most ``batch_size`` samples and ``tokens_per_batch`` tokens.

    Parameters
    ----------
    order
        Positions of samples, shape (samples,).
    lengths
        Tokens of each sample, indexed by position.
    batch_size
        Most samples of a batch.
    tokens_per_batch
        Most tokens of a batch; 0 for no limit.

    Raises
    ------
    ConfigError
        When one sample alone exceeds the token budget.
    """
    if not tokens_per_batch:
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    longest = int(lengths.max(initial=0))
    if longest > tokens_per_batch:
        raise ConfigError(
            f"'training.tokens_per_batch' is {tokens_per_batch}, but one sample has {longest} tokens",
            remedy=f"raise it to at least {longest}, or limit samples with tokenizer.max_tokens",
        )
    batches, start, ends = [], 0, np.cumsum(lengths[order])
    while start < len(order):
        used = int(ends[start - 1]) if start else 0
        stop = min(int(np.searchsorted(ends, used + tokens_per_batch, side="right")), start + batch_size)
        batches.append(order[start:stop])
        start = stop
    return batches


def split_batches(batches: list[np.ndarray], count: int, *, smallest: int = 1) -> list[np.ndarray]:
    """Halve the largest batches until there are ``count``; the order of samples stays.

    Parameters
    ----------
    batches
        Samples of each batch.
    count
        How many batches there shall be; nothing changes when there are as many already.
    smallest
        Fewest samples of a half.

    Raises
    ------
    ConfigError
        When the batches are too small to be halved.
    """
    batches = list(batches)
    while len(batches) < count:
        largest = max(range(len(batches)), key=lambda index: len(batches[index]))
        middle = len(batches[largest]) // 2
        if middle < smallest:
            raise ConfigError(
                f"'training.tokens_per_batch' leaves batches of {len(batches[largest])} samples, too few to share among processes",
                remedy="raise it, or use fewer devices",
            )
        batches[largest : largest + 1] = [batches[largest][:middle], batches[largest][middle:]]
    return batches


def share_of_rank(batch: np.ndarray, rank: int, num_ranks: int) -> np.ndarray:
    """Return the samples of a global batch that one process works on: a strided share, so that sizes differ by one at most."""
    return batch[rank::num_ranks]
