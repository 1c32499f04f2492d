"""Pairs of a cell and the cell that comes next, ready to be cut into batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import Dataset

from genoken.core.batch import Batch, Tokens
from genoken.core.errors import ConfigError, DataError
from genoken.core.layout import AttentionPattern, Layout
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.data.dataset import TokenDataset
from genoken.data.pair_tokens import every_feature_tokens, extend_layout, pair_tokens
from genoken.data.successors import Successors

PATTERNS: dict[str, AttentionPattern] = {"strict": "next_cell_strict", "self": "next_cell_self", "full": "full"}
"""Attention pattern of each word of ``successors.attention``."""
EVALUATION = -1
"""Epoch of the draw that evaluation uses."""


@dataclass(frozen=True)
class CellPairs(Dataset[Batch]):
    """Cells, each with one that comes next: a torch ``Dataset`` whose items are pairs.

    Which of a cell's successors stands in its pair is drawn anew in each epoch, see :meth:`drawn`, from nothing but the seed, the
    epoch and the cell's row in ``cells``.

    Parameters
    ----------
    cells
        All cells that stand in any pair; parts of a split share them.
    successors
        Who comes next among them. Edges between parts of a split must be left out first, see :meth:`Successors.within`.
    current
        Row in ``cells`` of each item's current cell, int64 of shape (items,); each has a successor.
    settings
        How successors are drawn, and who sees them.
    seed
        Seed of the run.
    following
        Row in ``cells`` of each item's next cell where it is fixed, int64 of shape (items,); ``None`` where it is drawn.
    max_tokens
        Most tokens of a pair, CLS and separator included; 0 for no limit.
    every_feature
        Encode next cells with every feature, unexpressed ones with the value or the bin 0, so that which of them are expressed is
        not told.
    epoch
        Epoch of the draw; ``None`` before :meth:`drawn` is called, which stands for evaluation.
    """

    cells: TokenDataset
    successors: Successors
    current: np.ndarray
    settings: SuccessorSettings
    seed: int
    following: np.ndarray | None = None
    max_tokens: int = 0
    every_feature: bool = False
    epoch: int | None = None

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.current)

    def __getitem__(self, row: int) -> Batch:
        """Return one pair as a batch of its own, for :func:`genoken.data.dataset.collate`."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} pairs")
        return self.batch(np.array([row % len(self)]))

    @cached_property
    def layout(self) -> Layout:
        """What the pairs' tokens consist of.

        Raises
        ------
        ConfigError
            When cells of this layout cannot stand in pairs, or cannot hold every feature.
        """
        layout = extend_layout(self.cells.layout, self.max_tokens)
        if self.every_feature and layout.channel("value") is None:
            raise ConfigError(
                "next cells with every feature need tokens with values", remedy="use the tokenizer 'continuous' or 'binned'"
            )
        longest = 2 * (layout.num_features + 1)
        if self.every_feature and layout.max_tokens < longest:
            raise ConfigError(
                f"'tokenizer.max_tokens' is {self.max_tokens}, which leaves no room for all features of the next cell",
                remedy=f"raise it to at least {longest}, use 0 for no limit, or choose fewer features (tokenizer.hvgs)",
            )
        return layout

    @property
    def labels(self) -> np.ndarray | None:
        """Those of the current cells, if there are any."""
        return None if self.cells.labels is None else self.cells.labels[self.current]

    def lengths(self) -> np.ndarray:
        """Return the number of tokens of each pair, int64; before an epoch is drawn, with the longest of its successors."""
        own = self.cells.lengths() - 1
        of_next = np.full(len(own), self.layout.num_features) if self.every_feature else own
        if self.following is None and self.epoch is None:
            following = _longest(of_next, self.successors)[self.current]
        else:
            following = of_next[self.next_cells(np.arange(len(self)))]
        return np.minimum(own[self.current] + following, self.layout.max_tokens - 2) + 2

    def drawn(self, epoch: int) -> CellPairs:
        """Return the pairs of one epoch of training, or of evaluation (``epoch`` -1)."""
        return replace(self, epoch=epoch)

    def next_cells(self, rows: np.ndarray) -> np.ndarray:
        """Return the row in ``cells`` of the next cell of each of these items, int64."""
        if self.following is not None:
            return self.following[rows]
        assert self.settings.draw != "all"  # noqa: S101 - else they are fixed
        epoch = EVALUATION if self.epoch is None else self.epoch
        return self.successors.draw(self.current[rows], self.settings.draw, self.seed, epoch)

    def take(self, rows: np.ndarray) -> CellPairs:
        """Return these items, of the same cells."""
        following = None if self.following is None else self.following[rows]
        return replace(self, current=self.current[rows], following=following)

    def of_cells(self, rows: np.ndarray) -> CellPairs:
        """Return the items whose current cell is in one of these rows of ``cells``, in the order of items."""
        return self.take(np.flatnonzero(np.isin(self.current, rows)))

    def tokens(self, rows: np.ndarray) -> Tokens:
        """Return the packed tokens of these items."""
        return self._paired(rows)[0]

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the packed tokens of these items as a batch without targets."""
        tokens, context = self._paired(rows)
        pattern = PATTERNS[self.settings.attention]
        return replace(Batch.from_tokens(tokens, rows), context_lengths=tuple(context.tolist()), pattern=pattern)

    def _paired(self, rows: np.ndarray) -> tuple[Tokens, np.ndarray]:
        return pair_tokens(self.cells.tokens(self.current[rows]), self._next_tokens(self.next_cells(rows)), self.layout)

    def _next_tokens(self, rows: np.ndarray) -> Tokens:
        tokens = self.cells.tokens(rows)
        return every_feature_tokens(tokens, self.layout) if self.every_feature else tokens


def _longest(lengths: np.ndarray, successors: Successors) -> np.ndarray:
    """Return the largest length among each cell's successors, 0 where there is none."""
    longest = np.zeros(successors.num_samples, dtype=np.int64)
    has_some = ~successors.without
    if has_some.any():
        firsts = successors.graph.indptr[:-1][has_some]
        longest[has_some] = np.maximum.reduceat(lengths[successors.graph.indices], firsts)
    return longest


def pair_cells(
    cells: TokenDataset,
    successors: Successors,
    settings: SuccessorSettings,
    *,
    seed: int,
    max_tokens: int = 0,
    every_feature: bool = False,
    where: str = "",
) -> CellPairs:
    """Pair each cell with one that comes next, or with all of them.

    Parameters
    ----------
    cells
        The cells.
    successors
        Who comes next; edges between parts of a split must be left out first, see :meth:`Successors.within`.
    settings
        How successors are drawn, what becomes of cells without one, and who sees them.
    seed
        Seed of the run.
    max_tokens, every_feature
        See :class:`CellPairs`.
    where
        Where the cells came from, for messages.

    Raises
    ------
    DataError
        When no cell has a successor, or some have none and ``settings.without`` is ``refuse``.
    """
    without = int(successors.without.sum())
    if without == successors.num_samples:
        raise DataError(
            f"none of the {without:,} cells has a successor", where=where, remedy="make a graph with: genoken successors"
        )
    if without and settings.without == "refuse":
        raise DataError(
            f"{without:,} of {successors.num_samples:,} cells have no successor",
            where=where,
            remedy="leave them out with successors.without: skip, or let each follow itself with identity",
        )
    if settings.without == "identity":
        successors = successors.with_identity()
    current, following = np.flatnonzero(~successors.without), None
    if settings.draw == "all":
        current, following = successors.pairs(current)
    return CellPairs(cells, successors, current, settings, seed, following, max_tokens, every_feature)


def leave_out_unasked(batch: Batch) -> Batch:
    """Return the batch in which the encoder sees only those next tokens that an objective asks for, where no other sees them.

    That is so unless attention is full. What the encoder makes of all other tokens is the same without them.

    Parameters
    ----------
    batch
        Pairs, or single cells, which are returned as they are, with the targets of all objectives, in host memory.
    """
    if batch.pattern == "full" or not batch.context_lengths:
        return batch
    offsets = batch.offsets.numpy().astype(np.int64)
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1], batch.lengths)
    seen = places <= np.repeat(batch.context_lengths, batch.lengths)  # the separator stands behind the context
    if batch.visible is not None:
        is_visible = np.zeros(len(seen), dtype=bool)
        is_visible[batch.visible.numpy()] = True
        seen &= is_visible
    for name, asked in batch.targets.items():
        if name.endswith(".places"):
            seen[asked.numpy()] = True
    visible = np.flatnonzero(seen)
    lengths = np.diff(np.searchsorted(visible, offsets))
    return replace(batch, visible=torch.from_numpy(visible), visible_lengths=tuple(lengths.tolist()))
