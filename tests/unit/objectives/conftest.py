"""Token batches and layouts for the objectives that hide tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from genoken.core.batch import Batch, Tokens
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, NO_CATEGORY, NUM_SPECIALS, SEPARATOR_ID, Channel, Layout
from genoken.data.pair_tokens import extend_layout, pair_tokens


def layout_of(
    num_features: int, value: str = "", *, bins: int = 0, phenotypes: tuple[int, ...] = (), every_feature: bool = False
) -> Layout:
    """Return a layout: ``value`` is empty, ``category`` or ``scalar``; ``phenotypes`` are numbers of categories."""
    channels = [Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features + len(phenotypes))]
    if value == "category":
        channels.append(Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + bins))
    elif value:
        channels.append(Channel(name="value", kind="scalar", role="value"))
    bounds = tuple(int(bound) for bound in np.cumsum([FIRST_CATEGORY + 1, *phenotypes])) if phenotypes else ()
    if phenotypes:
        channels.append(Channel(name="phenotype", kind="category", role="phenotype", size=bounds[-1]))
    return Layout(
        channels=tuple(channels),
        num_features=num_features,
        has_cls=True,
        emits_every_feature=every_feature,
        max_tokens=num_features + 1,
        num_phenotypes=len(phenotypes),
        has_end=bool(phenotypes),
        phenotype_bounds=bounds,
    )


def batch_of(
    layout: Layout, samples: list[list[int]], values: list[list[float]] = (), codes: list[list[int]] = (), rows=None
) -> Batch:
    """Return a batch: each sample is CLS, its phenotypes, its features (indices), and a separator where the layout has one."""
    columns: dict[str, list] = {channel.name: [] for channel in layout.channels}
    lengths = []
    for index, features in enumerate(samples):
        phenotypes = [layout.first_phenotype + column for column in range(layout.num_phenotypes)]
        identities = [CLS_ID, *phenotypes, *[NUM_SPECIALS + feature for feature in features], *[SEPARATOR_ID] * layout.has_end]
        lengths.append(len(identities))
        columns["feature"] += identities
        front, behind = [0] * (1 + len(phenotypes)), [0] * layout.has_end
        value = layout.channel("value")
        if value is not None:
            shift = FIRST_CATEGORY if value.kind == "category" else 0
            columns[value.name] += [*front, *[number + shift for number in values[index]], *behind]
        if phenotypes:
            columns["phenotype"] += [NO_CATEGORY, *codes[index], *[NO_CATEGORY] * (len(features) + len(behind))]
    kinds = {channel.name: np.int64 if channel.kind == "category" else np.float32 for channel in layout.channels}
    channels = {name: np.array(entries, dtype=kinds[name]) for name, entries in columns.items()}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Batch.from_tokens(Tokens(channels, offsets), np.arange(len(samples)) if rows is None else np.asarray(rows))


def layout_of_pairs(num_features: int, value: str = "", *, bins: int = 0) -> Layout:
    """Return the layout of pairs of cells."""
    return extend_layout(layout_of(num_features, value, bins=bins), 0)


def batch_of_pairs(
    layout: Layout, pairs: Sequence[tuple[list[int], list[int]]], values: Sequence[tuple[list[float], list[float]]] = ()
) -> Batch:
    """Return a batch: each sample is CLS, the features of the current cell, a separator, and the features of the next one."""
    single = dataclasses.replace(layout, channels=layout.channels[:-1])
    halves = [batch_of(single, [pair[half] for pair in pairs], [pair[half] for pair in values]).channels for half in range(2)]
    lengths = [[1 + len(pair[half]) for pair in pairs] for half in range(2)]
    cells = [
        Tokens({name: tensor.numpy() for name, tensor in channels.items()}, np.concatenate([[0], np.cumsum(own)]))
        for channels, own in zip(halves, lengths, strict=True)
    ]
    tokens, context = pair_tokens(*cells, layout)
    batch = Batch.from_tokens(tokens, np.arange(len(pairs)))
    return dataclasses.replace(batch, context_lengths=tuple(context.tolist()), pattern="next_cell_strict")


@pytest.fixture(scope="session")
def pair_layout():
    """Build a layout of pairs."""
    return layout_of_pairs


@pytest.fixture(scope="session")
def make_pairs():
    """Build a batch of pairs."""
    return batch_of_pairs


@pytest.fixture(scope="session")
def make_layout():
    """Build a layout."""
    return layout_of


@pytest.fixture(scope="session")
def make_batch():
    """Build a batch."""
    return batch_of
