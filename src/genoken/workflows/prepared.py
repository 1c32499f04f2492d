"""What a pretraining run has before its weights are learned: a network at its start, and samples as tokens, in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genoken.data.dataset import TokenDataset
from genoken.data.holdout import draw_within
from genoken.data.pairs import CellPairs
from genoken.workflows.pretrained import PretrainedModel
from genoken.workflows.pretraining_floors import drawn_to_fit


@dataclass(frozen=True)
class Prepared:
    """A network and what it is trained on.

    Parameters
    ----------
    model
        The network with all that is learned before its weights.
    dataset
        All samples, as tokens.
    rows
        Rows of the samples of ``train``, ``val`` and ``test``.
    pairs
        All pairs of a sample and one that comes next, where the network learns from these; ``None`` where samples stand alone.
    edges_across_parts
        Edges from a sample to one in another part, which make no pair.
    """

    model: PretrainedModel
    dataset: TokenDataset
    rows: Mapping[str, np.ndarray]
    pairs: CellPairs | None = None
    edges_across_parts: int = 0

    @property
    def whole(self) -> TokenDataset | CellPairs:
        """All items to train on: samples or pairs."""
        return self.dataset if self.pairs is None else self.pairs

    @cached_property
    def items(self) -> dict[str, np.ndarray]:
        """The items of each part: those whose sample, the current one of a pair, is in it."""
        if self.pairs is None:
            return dict(self.rows)
        return {part: np.flatnonzero(np.isin(self.pairs.current, rows)) for part, rows in self.rows.items()}

    def part(self, name: str) -> TokenDataset | CellPairs:
        """Return the items of one part."""
        return self.whole.take(self.items[name])

    def samples_of(self, items: np.ndarray) -> np.ndarray:
        """Return the row of the sample of each of these items."""
        return items if self.pairs is None else self.pairs.current[items]

    @cached_property
    def scored(self) -> dict[str, np.ndarray]:
        """The items of ``train`` that floors are fitted on, and those of ``test`` that are scored."""
        most, seed = self.model.config.data.report_tokens, self.model.config.training.seed
        lengths = self.whole.lengths()
        items = {"train": drawn_to_fit(self.items["train"], seed), "test": self.items["test"]}
        return {
            part: draw_within(found, most, sizes=lengths[found], seed=seed, purpose=f"report_tokens {part}")
            for part, found in items.items()
        }
