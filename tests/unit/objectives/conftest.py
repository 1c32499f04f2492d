"""Token batches and layouts for the objectives that hide tokens."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.batch import Batch, Tokens
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, NO_CATEGORY, NUM_SPECIALS, SEPARATOR_ID, Channel, Layout


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


@pytest.fixture(scope="session")
def make_layout():
    """Build a layout."""
    return layout_of


@pytest.fixture(scope="session")
def make_batch():
    """Build a batch."""
    return batch_of
