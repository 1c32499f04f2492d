"""Phenotype tokens: put behind the CLS token of each sample, in front of its features."""

from __future__ import annotations

import dataclasses

import numba
import numpy as np

from genoken.core.batch import Tokens
from genoken.core.errors import ConfigError
from genoken.core.layout import NO_CATEGORY, SEPARATOR_ID, Channel, Layout
from genoken.vocabulary.phenotypes import PhenotypeVocabulary

PHENOTYPE_CHANNEL = "phenotype"
"""Name of the channel that holds the phenotypes' values."""


def tokens_left(max_tokens: int, num_phenotypes: int, *, end: bool) -> int:
    """Return the ``max_tokens`` of a tokenizer whose samples get phenotypes and a separator later, so that neither is ever cut off.

    Parameters
    ----------
    max_tokens
        Most tokens of a sample with everything; 0 for no limit, which stays 0.
    num_phenotypes
        Number of phenotype tokens.
    end
        Whether a separator follows each sample.

    Raises
    ------
    ConfigError
        When no room is left for a single feature behind the CLS token.
    """
    if not max_tokens:
        return 0
    left = max_tokens - num_phenotypes - int(end)
    if left < 2:
        raise ConfigError(
            f"'tokenizer.max_tokens' is {max_tokens}, which leaves no room for features beside {num_phenotypes} phenotypes",
            remedy=f"raise it to at least {max_tokens - left + 2}",
        )
    return left


def extend_layout(layout: Layout, phenotypes: PhenotypeVocabulary, *, end: bool) -> Layout:
    """Return the layout of a tokenizer's samples once they have phenotype tokens and, with ``end``, a separator."""
    num_phenotypes = len(phenotypes.columns)
    channels = tuple(
        dataclasses.replace(channel, size=channel.size + num_phenotypes) if channel.role == "identity" else channel
        for channel in layout.channels
    )
    own = Channel(name=PHENOTYPE_CHANNEL, kind="category", role="phenotype", size=phenotypes.num_entries)
    return dataclasses.replace(
        layout,
        channels=(*channels, own),
        max_tokens=layout.max_tokens + num_phenotypes + int(end),
        num_phenotypes=num_phenotypes,
        has_end=end,
        phenotype_bounds=phenotypes.bounds,
    )


def add_phenotypes(tokens: Tokens, codes: np.ndarray, layout: Layout) -> Tokens:
    """Return the tokens with ``layout.num_phenotypes`` phenotypes behind CLS and, where the layout says so, a separator at the end.

    A phenotype token has the identity ``layout.first_phenotype + i`` and its value in the phenotype channel; other channels hold 0
    there or ``NO_CATEGORY``. All other tokens have ``NO_CATEGORY`` in the phenotype channel.

    Parameters
    ----------
    tokens
        What the tokenizer returned.
    codes
        Entries of the samples' phenotypes, int64 of shape (samples, phenotypes).
    layout
        What :func:`extend_layout` returned.
    """
    if codes.shape != (tokens.num_samples, layout.num_phenotypes):
        raise ValueError(f"{codes.shape} codes for {tokens.num_samples} samples and {layout.num_phenotypes} phenotypes")
    added = layout.num_phenotypes + int(layout.has_end)
    offsets = tokens.offsets + added * np.arange(tokens.num_samples + 1)
    channels = {}
    for channel in layout.channels:
        values = tokens.channels.get(channel.name, np.full(tokens.num_tokens, NO_CATEGORY))
        inserted, last = np.full_like(codes, NO_CATEGORY), NO_CATEGORY  # which is also the number 0
        if channel.role == "identity":
            inserted[:], last = layout.first_phenotype + np.arange(layout.num_phenotypes), SEPARATOR_ID
        elif channel.role == "phenotype":
            inserted = codes
        channels[channel.name] = _insert(values, tokens.offsets, offsets, inserted, int(layout.has_cls), last)
    return Tokens(channels=channels, offsets=offsets, num_truncated=tokens.num_truncated)


@numba.njit(nogil=True, cache=True)
def _insert(
    values: np.ndarray, offsets: np.ndarray, new_offsets: np.ndarray, inserted: np.ndarray, front: int, last: int
) -> np.ndarray:
    """Return a channel with ``inserted[sample]`` behind each sample's first ``front`` tokens, and ``last`` where room is left."""
    result = np.empty(new_offsets[-1], dtype=values.dtype)
    for sample in range(len(inserted)):
        token = new_offsets[sample]
        for source in range(offsets[sample], offsets[sample] + front):
            result[token] = values[source]
            token += 1
        for phenotype in range(inserted.shape[1]):
            result[token] = inserted[sample, phenotype]
            token += 1
        for source in range(offsets[sample] + front, offsets[sample + 1]):
            result[token] = values[source]
            token += 1
        for rest in range(token, new_offsets[sample + 1]):
            result[rest] = last
    return result
