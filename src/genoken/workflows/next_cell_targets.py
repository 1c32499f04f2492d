"""What is scored without a network at the very targets of the objectives over next cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS
from genoken.data.holdout import draw_within
from genoken.data.pairs import EVALUATION, CellPairs
from genoken.evaluation import floors as masked_floors
from genoken.evaluation.floors import Floors
from genoken.evaluation.next_cell_floors import ProfileFloors
from genoken.evaluation.next_cell_ranks import RankTargets, fit_rank_floors
from genoken.training.masked import MaskedTask
from genoken.workflows.next_cell import Measured
from genoken.workflows.next_cell_predictions import log_values, why_no_profiles
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretraining_floors import asked_in_training

_MOST_PAIRS = 5_000
"""Pairs of a part whose ranks floors learn from."""
_NO_FLOORS = "Floors were left out for these tokens."


@dataclass(frozen=True)
class TargetFloors:
    """Floors that are asked what the network is asked, whichever cells were drawn for whole profiles.

    Parameters
    ----------
    prepared
        The network, the cells and the pairs.
    task
        The objectives with their masks.
    floors
        Predict the profile of the cell that comes next.
    types
        Type of each cell, or ``None``.
    """

    prepared: Prepared
    task: MaskedTask
    floors: ProfileFloors
    types: np.ndarray | None

    @property
    def pairs(self) -> CellPairs:
        """All pairs."""
        assert self.prepared.pairs is not None  # noqa: S101
        return self.prepared.pairs

    def scores(self, found: Measured, items: np.ndarray) -> tuple[dict[str, Floors], dict[str, list[str]]]:
        """Return floor to its scores at the targets of each objective, and sentences on what was left out.

        Parameters
        ----------
        found
            What the network measured on the test part.
        items
            Its items, in order.
        """
        result = {name: self._of_objective(name, measures, items) for name, measures in found.items()}
        why = why_no_profiles(self.prepared.model)
        always = [*self.floors.notes, *([why] if why else [])]
        return result, {name: [*([] if scores else [_NO_FLOORS]), *always] for name, scores in result.items()}

    def _of_objective(self, name: str, measures: Mapping[str, np.ndarray], items: np.ndarray) -> Floors:
        cells = self.pairs.current[items[measures["row"]]]
        if name == "next_cell":
            has_ranks = self.prepared.whole.layout.channel("value") is None
            return self._of_ranks(measures, cells) if has_ranks else self._of_genes(measures)
        if name != "next_value":
            return {}
        return self._of_values(measures, cells) if "squared_error" in measures else self._of_bins(measures)

    def _profiles(self, cells: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return floor to the predicted successor of each of these cells, by their rows among all."""
        values = log_values(self.prepared.model, self.prepared.dataset, cells)
        return self.floors.predict(values, None if self.types is None else self.types[cells])

    def _of_ranks(self, measures: Mapping[str, np.ndarray], cells: np.ndarray) -> Floors:
        fitted = fit_rank_floors(
            self._rank_targets("train"),
            self._rank_targets("val"),
            self._profiles,
            usual=self.floors.usual,
            medians=self.prepared.model.state.per_feature.get("median"),
            num_ranks=self.prepared.dataset.layout.max_tokens,
        )
        # the separator has place 0, the first gene place 1
        return fitted.score(RankTargets(cells, measures["place"] - 1, measures["label"]), self._profiles)

    def _rank_targets(self, part: str) -> RankTargets:
        """Return what stands at each rank of next cells: in train those of the next cells, each once, else of current ones."""
        seed = self.prepared.model.config.training.seed
        items = draw_within(self.prepared.items[part], _MOST_PAIRS, seed=seed, purpose=f"ranks {part}")
        cells, following = self.pairs.current[items], self.pairs.drawn(EVALUATION).next_cells(items)
        if part == "train":
            cells = following = np.unique(following)
        tokens = self.pairs.cells.tokens(following)
        lengths = np.diff(tokens.offsets)
        places = np.arange(tokens.num_tokens) - np.repeat(tokens.offsets[:-1], lengths)
        identity = self.prepared.whole.layout.channel("identity")
        assert identity is not None  # noqa: S101
        is_gene = places > 0  # the first token is CLS
        genes = tokens.channels[identity.name][is_gene] - NUM_SPECIALS
        return RankTargets(np.repeat(cells, lengths)[is_gene], places[is_gene] - 1, genes)

    def _of_genes(self, measures: Mapping[str, np.ndarray]) -> Floors:
        """Return what guessing and the frequencies of genes in train score where a token's place says nothing of its gene."""
        known, num_features = self._rank_targets("train"), len(self.prepared.model.state.feature_ids)
        train = masked_floors.Questions(np.zeros_like(known.features), known.features, known.cells)
        asked = masked_floors.Questions(np.zeros_like(measures["label"]), measures["label"], measures["row"])
        found = masked_floors.swapped_category_floors(train, asked, 1, num_features)
        return {name: found[name] for name in ("uniform", "most_frequent")}

    def _of_values(self, measures: Mapping[str, np.ndarray], cells: np.ndarray) -> Floors:
        order = np.argsort(cells, kind="stable")
        pieces: dict[str, list[np.ndarray]] = {}
        for block in self.floors.train.blocks(np.unique(cells)):
            first, last = np.searchsorted(cells[order], [block[0], block[-1] + 1])
            own = order[first:last]
            for name, predicted in self._profiles(block).items():
                values = predicted[np.searchsorted(block, cells[own]), measures["feature"][own]]
                pieces.setdefault(name, []).append(values)
        back = np.argsort(order, kind="stable")
        found = {name: np.concatenate(parts)[back] for name, parts in pieces.items()}
        truth = measures["value"]
        return {name: {"prediction": values, "squared_error": np.square(values - truth)} for name, values in found.items()}

    def _of_bins(self, measures: Mapping[str, np.ndarray]) -> Floors:
        channel = self.prepared.whole.layout.channel("value")
        assert channel is not None  # noqa: S101
        known = asked_in_training(self.task, self.prepared.part("train"), "next_value")
        asked = masked_floors.Questions(measures["feature"], measures["value"], measures["row"])
        num_features = len(self.prepared.model.state.feature_ids)
        return masked_floors.swapped_category_floors(known, asked, num_features, channel.size - FIRST_CATEGORY)
