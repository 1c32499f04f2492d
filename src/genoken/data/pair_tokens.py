"""Tokens of a cell followed by those of its successor: ``[CLS] current [SEP] next``, within one budget."""

from __future__ import annotations

import dataclasses

import numba
import numpy as np

from genoken.core.batch import Tokens
from genoken.core.errors import ConfigError
from genoken.core.layout import (
    CLS_ID,
    FIRST_CATEGORY,
    MASK_CATEGORY,
    MASK_ID,
    NO_CATEGORY,
    NUM_SPECIALS,
    SEPARATOR_ID,
    Channel,
    Layout,
)

SEGMENT_CHANNEL = "segment"
"""Name of the channel that tells the next cell, its separator included, from the current one."""


def extend_layout(layout: Layout, max_tokens: int) -> Layout:
    """Return the layout of pairs of cells, whose longest is ``max_tokens`` or holds every feature twice.

    Parameters
    ----------
    layout
        That of single cells.
    max_tokens
        Most tokens of a pair, CLS and separator included; 0 for no limit.

    Raises
    ------
    ConfigError
        When cells begin without CLS or hold phenotypes, or the limit leaves no room for a token of either cell, or for all features
        where every cell has them all.
    """
    if not layout.has_cls:
        raise ConfigError("pairs of cells need a CLS token", remedy="choose another tokenizer")
    if layout.num_phenotypes:
        raise ConfigError(
            "phenotypes cannot stand beside successors: those of the next cell would tell it apart",
            remedy="leave out --phenotypes, or successors.key",
        )
    longest = 2 * (layout.num_features + 1)
    limit = min(max_tokens, longest) if max_tokens else longest
    needed = longest if layout.emits_every_feature else 4
    if limit < needed:
        raise ConfigError(
            f"'tokenizer.max_tokens' is {max_tokens}, and a cell with its successor takes {needed:,} tokens here",
            remedy=f"raise it to at least {needed}, or use 0 for no limit",
        )
    segment = Channel(name=SEGMENT_CHANNEL, kind="category", role="segment", size=FIRST_CATEGORY + 1)
    return dataclasses.replace(
        layout, channels=(*layout.channels, segment), max_tokens=limit, emits_every_feature=False, is_panel=False
    )


def share_budget(current: np.ndarray, following: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many tokens of each cell and of its successor fit into ``room`` together.

    Each may take half of it, the current cell the larger one, and what the other leaves over.

    Parameters
    ----------
    current, following
        Tokens that each has, specials left out, int64 of shape (pairs,).
    room
        Tokens that both have together.
    """
    kept = np.minimum(current, np.maximum(-(-room // 2), room - following))
    return kept, np.minimum(following, room - kept)


def pair_tokens(current: Tokens, following: Tokens, layout: Layout) -> tuple[Tokens, np.ndarray]:
    """Return each cell's tokens with a separator and its successor's tokens behind them.

    The successor's CLS gives way to the separator, which has no value. Where the budget cuts a cell, the tokens with the highest
    values stay, in their order, earlier ones first among equals; of tokens without a value, which are ordered by rank, the first.

    Parameters
    ----------
    current, following
        What the tokenizer returned for the cells and for their successors, in the same order.
    layout
        What :func:`extend_layout` returned.

    Returns
    -------
    Tokens
        The pairs.
    numpy.ndarray
        Tokens of each current cell, CLS included, int64 of shape (pairs,).
    """
    lengths = np.diff(current.offsets) - 1, np.diff(following.offsets) - 1
    kept = share_budget(lengths[0], lengths[1], layout.max_tokens - 2)
    context = 1 + kept[0]
    offsets = np.concatenate([[0], np.cumsum(context + 1 + kept[1])])
    cut = int(sum((own - left).sum() for own, left in zip(lengths, kept, strict=True)))
    ordering = [_ordering(tokens, layout) if cut else np.zeros(0, dtype=np.float32) for tokens in (current, following)]
    sources = _sources(current.offsets, following.offsets, kept[0], kept[1], ordering[0], ordering[1], offsets)
    separators = offsets[:-1] + context
    channels = {}
    for channel in layout.channels:
        if channel.role == "segment":
            halves = np.stack([context, 1 + kept[1]], axis=1).ravel()
            channels[channel.name] = np.repeat(np.tile([NO_CATEGORY, FIRST_CATEGORY], len(context)), halves)
            continue
        values = np.concatenate([current.channels[channel.name], following.channels[channel.name]])[sources]
        values[separators] = SEPARATOR_ID if channel.role == "identity" else NO_CATEGORY  # which is also the number 0
        channels[channel.name] = values
    return Tokens(channels, offsets, current.num_truncated + following.num_truncated + cut), context


def _ordering(tokens: Tokens, layout: Layout) -> np.ndarray:
    """Return the value by which tokens are kept, float32 of shape (tokens,); empty where they are in order already."""
    value = layout.channel("value")
    return np.zeros(0, dtype=np.float32) if value is None else tokens.channels[value.name].astype(np.float32)


def asking_tokens(layout: Layout, num_cells: int, num_asked: int) -> Tokens:
    """Return cells of which everything is hidden, as what is asked for behind current cells.

    Where tokens have values, they have every feature with its value hidden; else each has ``num_asked`` tokens of hidden identity.

    Parameters
    ----------
    layout
        What :func:`extend_layout` returned.
    num_cells
        How many.
    num_asked
        Tokens of each; the number of features where tokens have values.
    """
    asked = np.full(num_asked, MASK_ID) if layout.channel("value") is None else NUM_SPECIALS + np.arange(num_asked)
    hidden = np.float32(np.nan) if layout.has_numbers else MASK_CATEGORY
    by_role = {
        "identity": np.tile(np.concatenate([[CLS_ID], asked]), num_cells),
        "value": np.full(num_cells * (1 + num_asked), hidden),
    }
    channels = {channel.name: by_role[channel.role] for channel in layout.channels if channel.role in by_role}
    return Tokens(channels, (1 + num_asked) * np.arange(num_cells + 1, dtype=np.int64))


def every_feature_tokens(tokens: Tokens, layout: Layout) -> Tokens:
    """Return samples with every feature in vocabulary order; one without a token has the value 0, or bin 0.

    Parameters
    ----------
    tokens
        Samples of which no token was cut off.
    layout
        One whose tokens have values.
    """
    identity, value = layout.channel("identity"), layout.channel("value")
    assert identity is not None  # noqa: S101
    assert value is not None  # noqa: S101
    features, given = tokens.channels[identity.name] - NUM_SPECIALS, tokens.channels[value.name]
    is_feature = features >= 0
    samples = np.repeat(np.arange(tokens.num_samples), np.diff(tokens.offsets))
    values = np.full((tokens.num_samples, 1 + layout.num_features), 0 if layout.has_numbers else FIRST_CATEGORY, given.dtype)
    values[:, 0] = NO_CATEGORY  # which is also the number 0
    values[samples[is_feature], 1 + features[is_feature]] = given[is_feature]
    identities = np.concatenate([[CLS_ID], NUM_SPECIALS + np.arange(layout.num_features)])
    channels = {identity.name: np.tile(identities, len(values)), value.name: values.ravel()}
    return Tokens(channels, values.shape[1] * np.arange(len(values) + 1, dtype=np.int64))


@numba.njit(nogil=True, cache=True)
def _sources(
    current_offsets: np.ndarray,
    next_offsets: np.ndarray,
    num_current: np.ndarray,
    num_next: np.ndarray,
    current_values: np.ndarray,
    next_values: np.ndarray,
    offsets: np.ndarray,
) -> np.ndarray:
    """Return where each token of the pairs is among those of all current cells and, behind them, those of all next cells.

    At a separator that is the CLS token of the next cell, in whose place it stands.
    """
    sources = np.empty(offsets[-1], dtype=np.int64)
    behind = current_offsets[-1]
    for pair in range(len(num_current)):
        start = offsets[pair]
        separator = start + 1 + num_current[pair]
        sources[start] = current_offsets[pair]
        _keep(current_offsets[pair] + 1, current_offsets[pair + 1], num_current[pair], current_values, sources[start + 1 :])
        sources[separator] = next_offsets[pair]
        _keep(next_offsets[pair] + 1, next_offsets[pair + 1], num_next[pair], next_values, sources[separator + 1 :])
        for token in range(separator, offsets[pair + 1]):
            sources[token] += behind
    return sources


@numba.njit(nogil=True, cache=True)
def _keep(first: int, last: int, count: int, values: np.ndarray, kept: np.ndarray) -> None:
    """Write ``count`` of the tokens from ``first`` to before ``last``: those of the highest values, or else the first ones."""
    if len(values) == 0 or last - first <= count:
        for place in range(count):
            kept[place] = first + place
    else:
        # A stable sort of the negated values keeps the earlier token first among equal values.
        chosen = np.sort(np.argsort(-values[first:last], kind="mergesort")[:count])
        for place in range(count):
            kept[place] = first + chosen[place]
