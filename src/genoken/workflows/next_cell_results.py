"""Scores of a network that predicts next cells: beside what is known without one, and whether it learned the direction of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.files import atomic_path
from genoken.core.random import generator
from genoken.core.tables import write_parquet
from genoken.data.dataset import TokenDataset
from genoken.data.holdout import draw_within
from genoken.data.pairs import CellPairs
from genoken.data.successors import Successors
from genoken.data.time_points import time_points
from genoken.evaluation.bootstrap import LEAST_GROUPS
from genoken.evaluation.embedding_comparison import compare_embeddings, embedding_sentence
from genoken.evaluation.floors import Floors
from genoken.evaluation.linear_direction import linear_controls
from genoken.evaluation.masked_verdict import MODEL
from genoken.evaluation.next_cell_bins import BinScale
from genoken.evaluation.next_cell_floors import DENOISED, CellPart, ProfileFloors, Profiles, fit_profile_floors
from genoken.evaluation.next_cell_ranks import RankScale
from genoken.evaluation.next_cell_scores import cell_blocks, merged, score_part, skill_by
from genoken.evaluation.next_cell_verdict import (
    TimeControls,
    blocks_sentence,
    leak_sentence,
    summarize_direction,
    summarize_profiles,
)
from genoken.evaluation.transitions import transition_changes, transition_table
from genoken.models.token_network import TokenNetwork
from genoken.reporting.projection import umap
from genoken.training.masked import MaskedTask
from genoken.workflows.next_cell import Controls, Measured, type_column, types_of
from genoken.workflows.next_cell_predictions import (
    NextCells,
    expects,
    learn_bin_scale,
    learn_rank_scale,
    log_values,
    write_bin_scale,
    write_rank_scale,
)
from genoken.workflows.next_cell_targets import TargetFloors
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained_run import Pass, sample_states
from genoken.workflows.successor_start import DrawnCells, drawn_cells

_MOST_CALIBRATED_ON = 1_000
"""Cells of a part on which predicted profiles are calibrated."""
_MOST_ON_MAP = 4_000
_NEAREST_ON_MAP = 10
_CELLS_AT_ONCE = 512
_OWN, _BASE, _COMPONENTS = "model", "before training", "principal components"


@dataclass(frozen=True)
class NextCellScoring:
    """All that is needed to score a network of next cells on the test part.

    Parameters
    ----------
    prepared
        The trained network, the cells and the pairs.
    table
        Sample table of all cells.
    task
        The objectives with their masks.
    """

    prepared: Prepared
    table: pd.DataFrame
    task: MaskedTask

    @property
    def pairs(self) -> CellPairs:
        """All pairs."""
        assert self.prepared.pairs is not None  # noqa: S101
        return self.prepared.pairs

    @cached_property
    def drawn(self) -> dict[str, DrawnCells]:
        """The cells of each part, at most so many, with all of their successors."""
        return drawn_cells(self.prepared.rows, self.successors, self.prepared.model.config.training.seed)

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """Rows of these cells and of their successors, ascending."""
        return {part: found.rows for part, found in self.drawn.items()}

    @cached_property
    def types(self) -> np.ndarray | None:
        """Type of each cell."""
        return types_of(self.prepared.model.config, self.table)

    @cached_property
    def times(self) -> np.ndarray | None:
        """Time of each cell, where the settings name a column with an order."""
        column = self.prepared.model.config.successors.time
        return time_points(self.table[column], column) if column else None

    @cached_property
    def successors(self) -> Successors:
        """Who comes next, within parts; a cell that only follows itself (``without: identity``) predicts nothing."""
        return self.pairs.successors.without_loops() if self.pairs.settings.without == "identity" else self.pairs.successors

    @cached_property
    def parts(self) -> dict[str, CellPart]:
        """Cells and successors of each part, as floors take them."""
        model, weighted = self.prepared.model, self.pairs.settings.draw == "weighted"
        return {
            part: CellPart(
                values=log_values(model, self.prepared.dataset, rows),
                successors=self.successors.take(rows).graph,
                types=None if self.types is None else self.types[rows],
                weighted=weighted,
                drawn=self.drawn[part].drawn,
            )
            for part, rows in self.rows.items()
        }

    @cached_property
    def floors(self) -> ProfileFloors:
        """Profiles that are predicted without a network."""
        return fit_profile_floors(self.parts["train"], self.parts["val"], self.prepared.model.config.training.seed)

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each test cell; empty where no column of groups is named."""
        group = self.prepared.model.config.data.group
        return self.table[group].astype(str).to_numpy()[self.rows["test"]] if group else np.zeros(0, dtype=object)

    @cached_property
    def units(self) -> tuple[str, np.ndarray]:
        """Say what is resampled, groups, or blocks where these are too few, and the name of the one that each test cell is in."""
        rows, groups = self.rows["test"], self.groups
        if len(np.unique(groups)) >= LEAST_GROUPS or (len(groups) and self.types is None and self.times is None):
            return "groups", groups
        if self.types is None and self.times is None:
            return "blocks", np.full(len(rows), "all", dtype=object)  # nothing tells cells apart that are independent of each other
        types = None if self.types is None else self.types[rows]
        return "blocks", cell_blocks(types, None if self.times is None else self.times[rows])

    def places(self, part: str, items: np.ndarray) -> np.ndarray:
        """Return where the current cell of each of these items stands among the cells of a part, -1 where it was not drawn."""
        rows, current = self.rows[part], self.pairs.current[items]
        found = np.minimum(np.searchsorted(rows, current), len(rows) - 1)
        return np.where(rows[found] == current, found, -1)

    def of_objectives(self, found: Measured, items: np.ndarray) -> tuple[dict[str, Floors], dict[str, list[str]]]:
        """Return floor to its scores at the targets of each objective, and sentences on those that were left out.

        Parameters
        ----------
        found
            What the network measured on the test part.
        items
            Its items, in order.
        """
        return TargetFloors(self.prepared, self.task, self.floors, self.types).scores(found, items)

    def summary(self, folder: Path, found: Measured, of_floors: Mapping[str, Floors], controls: Controls) -> dict[str, Any]:
        """Score whole profiles, compare with the controls, write the tables of next cells, and return what ``metrics.json`` holds.

        Parameters
        ----------
        folder
            The run folder.
        found, of_floors
            What the network measured at the targets of the test part, and what :meth:`of_objectives` returned.
        controls
            What it is held against.
        """
        settings = self.prepared.model.config.successors
        direction = self._direction(found, of_floors, controls.measured)
        embeddings = self._embeddings(controls.start)
        profiles, by_type, by_time = self._profiles(folder)
        leak = leak_sentence(settings.attention)
        verdicts = [
            profiles["verdict"] if profiles else "",
            leak,
            direction["verdict"] if direction else controls.unchecked,
            self._blocks_sentence(),
        ]
        return {
            "key": settings.key,
            "draw": settings.draw,
            "attention": settings.attention,
            "types": type_column(self.prepared.model.config, self.table),
            "time": settings.time,
            "pairs": {part: len(own) for part, own in self.prepared.items.items()},
            "cells_without": {part: self._num_without(part) for part in self.prepared.rows},
            "edges": self.successors.num_edges,
            "edges_across_parts": self.prepared.edges_across_parts,
            "cells_on_cycles": self.successors.num_on_cycles(),
            "edges_backward": None if self.times is None else int((self.successors.steps(self.times) < 0).sum()),
            "leak": leak,
            "profiles": profiles,
            "direction": direction,
            "controls": list(controls.measured),
            "embeddings": embeddings,
            "skill_by_type": by_type,
            "skill_by_time": by_time,
            "verdict": " ".join(sentence for sentence in verdicts if sentence),
        }

    def _blocks_sentence(self) -> str:
        """Return what intervals over blocks leave out where groups are named; nothing where groups themselves are resampled."""
        starts, (unit, units) = self.parts["test"].starts, self.units
        if unit == "groups" or not len(self.groups):
            return ""
        made_of = [name for name, found in (("type", self.types), ("time", self.times)) if found is not None]
        return blocks_sentence(len(np.unique(self.groups)), len(np.unique(units[starts])), made_of)

    def _num_without(self, part: str) -> int:
        return int(self.successors.without[self.prepared.rows[part]].sum())

    def _direction(
        self, found: Measured, of_floors: Mapping[str, Floors], controls: Mapping[str, Measured]
    ) -> dict[str, Any] | None:
        name = next((kind for kind in ("next_value", "next_cell") if kind in found), "")
        if not name or not controls:
            return None
        metric = "squared_error" if "squared_error" in found[name] else "cross_entropy"
        unit, units = self.units
        seed = self.prepared.model.config.training.seed
        cells = self.places("test", self.prepared.scored["test"][found[name]["row"]])
        known = cells >= 0
        losses = {control: measures[name][metric][known] for control, measures in controls.items()}
        compared = TimeControls(
            metric=metric,  # type: ignore[arg-type]
            true=found[name][metric][known],
            reversed_=losses.get("reversed"),
            shuffled=losses.get("shuffled"),
            units=units[cells[known]],
            unit=unit,  # type: ignore[arg-type]
            denoised=of_floors[name][DENOISED][metric][known] if DENOISED in of_floors[name] else None,
            linear=linear_controls(self.floors, self.parts["val"], self.parts["test"], units, seed),
            has_types=self.types is not None,
            sees_next=self.prepared.model.config.successors.attention == "full",
        )
        return summarize_direction(compared, seed=seed)

    def _embeddings(self, start: TokenNetwork) -> dict[str, Any] | None:
        """Return how well the network's states keep cell types, beside those before training and principal components."""
        if self.types is None:
            return None
        model, part = self.prepared.model, self.parts["test"]
        rows = self.rows["test"][part.cells]
        cells, how = self.prepared.dataset.take(rows), Pass(precision=model.config.training.precision)
        places = {
            _OWN: sample_states(model, cells, how),
            _BASE: sample_states(model.with_network(start), cells, how),
            _COMPONENTS: self.floors.components.scores(part.values[part.cells]),
        }
        compared = compare_embeddings(places, self.types[rows], model.config.training.seed)
        sentences = [embedding_sentence(compared, _OWN, other) for other in (_BASE, _COMPONENTS)]
        return {"compared": compared, "sentence": " ".join(sentence for sentence in sentences if sentence)}

    def _profiles(self, folder: Path) -> tuple[dict[str, Any] | None, dict[str, Any], dict[str, Any]]:
        """Score predicted profiles; return their summary, and the skill by type and by time."""
        model, part = self.prepared.model, self.parts["test"]
        if not expects(model) or not len(part.starts):
            return None, {}, {}
        asked = NextCells(model, self.prepared.dataset.take(self.rows["test"]), self._written_scale(folder))
        predicted = asked.profiles(part.starts)
        profiles = merged(self.floors.of(part), _looked_up(part.starts, predicted))
        scores = score_part(part, part.starts, profiles, self.floors.usual)
        unit, units = self.units
        summary = summarize_profiles(
            scores,
            units[part.starts],
            unit=unit,  # type: ignore[arg-type]
            seed=model.config.training.seed,
            notes=[*self.floors.notes, *self._drawn_notes()],
        )
        self._write_tables(folder, scores, profiles, predicted)
        errors = scores[MODEL]["squared_error"], scores[DENOISED]["squared_error"]
        rows = self.rows["test"][part.starts]
        by_type = {} if self.types is None else skill_by(*errors, self.types[rows])
        by_time = {}
        if self.times is not None:
            by_time = skill_by(*errors, cell_blocks(None, self.times[self.rows["test"]])[part.starts])
        return summary, by_type, by_time

    def _drawn_notes(self) -> list[str]:
        """Return of how many cells of a part a draw alone is used; nothing where all are."""
        notes = []
        for part, words in (("train", "Rules without a network are fitted on"), ("test", "Profiles are those of")):
            if self.drawn[part].drawn is not None:
                numbers = f"{len(self.parts[part].cells):,} of {len(self.prepared.rows[part]):,}"
                notes.append(f"{words} {numbers} {part} cells, drawn with all of their successors.")
        return notes

    def _written_scale(self, folder: Path) -> RankScale | BinScale | None:
        """Learn what brings the network's answers to log values and write it into the run folder; ``None`` where nothing does."""
        model = self.prepared.model
        if expects(model) == "ranks":
            of_ranks = self._rank_scale()
            write_rank_scale(folder, of_ranks, model.state.feature_ids)
            return of_ranks
        if model.encoder.layout.has_numbers:
            return None
        of_bins = learn_bin_scale(model, self._train_cells)
        write_bin_scale(folder, of_bins, model.state.feature_ids)
        return of_bins

    @property
    def _train_cells(self) -> TokenDataset:
        return self.prepared.dataset.take(self.rows["train"][self.parts["train"].cells])

    def _rank_scale(self) -> RankScale:
        """Learn what stands at each rank of train cells, and the line of each gene from what is predicted for some cells."""
        model, seed = self.prepared.model, self.prepared.model.config.training.seed
        plain = learn_rank_scale(model, self._train_cells)
        found = {}
        for name in ("train", "val"):
            part = self.parts[name]
            starts = draw_within(part.starts, _MOST_CALIBRATED_ON, seed=seed, purpose=f"calibration {name}")
            cells = self.prepared.dataset.take(self.rows[name][starts])
            found[name] = NextCells(model, cells, plain).profiles(np.arange(len(starts))), part.targets(starts)
        return plain.calibrated(found["train"], found["val"])

    def _write_tables(
        self, folder: Path, scores: Mapping[str, Mapping[str, np.ndarray]], profiles: Profiles, predicted: np.ndarray
    ) -> None:
        """Write ``next_cells.parquet``, ``map.parquet`` and ``transitions.tsv``."""
        part = self.parts["test"]
        rows = self.rows["test"][part.starts]
        columns: dict[str, Any] = {"sample_id": self.table.index[rows].astype(str), "unit": self.units[1][part.starts]}
        if self.types is not None:
            columns["type"] = self.types[rows]
        if self.times is not None:
            columns["time"] = self.times[rows]
        columns |= self._map(folder, predicted)
        columns |= {f"squared_error_{name}": found["squared_error"] for name, found in scores.items()}
        write_parquet(folder / "next_cells.parquet", pd.DataFrame(columns))
        if self.types is not None:
            genes = np.asarray(self.prepared.model.symbols, dtype=object)
            table = transition_table(transition_changes(part, profiles, MODEL), genes)
            with atomic_path(folder / "transitions.tsv") as temporary:
                table.to_csv(temporary, sep="\t", index=False)

    def _map(self, folder: Path, predicted: np.ndarray) -> dict[str, np.ndarray]:
        """Place cells on a map, write it, and return the places of test cells, of their predicted and of their true successors.

        The map is a UMAP of principal components of train and test cells. True successors stand in their middle.
        A predicted profile is an average without a single cell's noise, so it is compared with averages: it stands in the middle of
        the cells whose neighbors' mean is most like it.
        """
        from sklearn.neighbors import NearestNeighbors

        part, floors = self.parts["test"], self.floors
        seed = self.prepared.model.config.training.seed
        known = generator(seed, "map").permutation(self.parts["train"].cells)
        train = np.sort(known[: max(_MOST_ON_MAP - len(part.starts), 0)])
        rows = np.concatenate([self.rows["train"][train], self.rows["test"]])
        values = sp.vstack([self.parts["train"].values[train], part.values], format="csr")
        placed = umap(floors.components.scores(values))
        background = {"x": placed[:, 0], "y": placed[:, 1]} | ({} if self.types is None else {"type": self.types[rows]})
        write_parquet(folder / "map.parquet", pd.DataFrame(background))
        smooth = np.concatenate(
            [
                floors.components.scores(sp.csr_matrix(floors.predict(values[start : start + _CELLS_AT_ONCE])[DENOISED]))
                for start in range(0, len(rows), _CELLS_AT_ONCE)
            ]
        )
        search = NearestNeighbors(n_neighbors=min(_NEAREST_ON_MAP, len(rows))).fit(smooth)
        near = search.kneighbors(floors.components.scores(sp.csr_matrix(predicted)), return_distance=False)
        of_test = placed[len(train) :]
        found = {"": of_test[part.starts], "_predicted": placed[near].mean(axis=1), "_true": part.means(part.starts) @ of_test}
        return {f"{axis}{name}": places[:, index] for name, places in found.items() for index, axis in enumerate("xy")}


def _looked_up(rows: np.ndarray, predicted: np.ndarray) -> Profiles:
    """Return predicted profiles as a source of those of any of the rows, which are ascending."""
    return lambda asked: {MODEL: predicted[np.searchsorted(rows, asked)]}
