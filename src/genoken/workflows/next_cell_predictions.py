"""What a network expects of the cell that comes next: which genes stand at which rank, and how strongly each is expressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from genoken.core.batch import Batch
from genoken.core.components import kind_of
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, SEPARATOR_ID
from genoken.core.tables import write_parquet
from genoken.data.dataset import TokenDataset
from genoken.data.pair_tokens import asking_tokens, pair_tokens
from genoken.data.pairs import PATTERNS
from genoken.evaluation.next_cell_bins import BinScale, fit_bin_scale
from genoken.evaluation.next_cell_ranks import RankScale, fit_rank_scale
from genoken.training.computing import computing
from genoken.workflows.pretrained import PretrainedModel, layout_of, objectives_of, statistics_of

RANK_SCALE, RANK_LINES = "rank_scale.parquet", "rank_lines.parquet"
"""Files of a run of ranked cells with their successors: what usually stands at each rank, and a line for each gene that brings
what is predicted of it to log values."""
BIN_SCALE = "bin_scale.parquet"
"""File of a run of binned cells with their successors: what each bin of each gene is worth."""
_CELLS_AT_ONCE = 512
_TOKENS_AT_ONCE = 1 << 15
_OUTPUTS_AT_ONCE = 1 << 23
_LEAST_SHARE = 0.01
"""Ranks that fewer train cells have are not asked for."""


def expects(model: PretrainedModel) -> Literal["ranks", "values", ""]:
    """Return what whole profiles of next cells can be predicted of: genes by rank, values of all genes, or nothing."""
    objectives, layout = objectives_of(model.config), layout_of(model.config, model.encoder.layout)
    if "next_cell" in objectives and layout.channel("value") is None:
        return "ranks"
    return "" if "next_value" not in objectives or why_no_profiles(model) else "values"


def why_no_profiles(model: PretrainedModel) -> str:
    """Return a sentence on why no whole profiles of next cells follow from what the network predicts; empty where they do."""
    objectives, layout = objectives_of(model.config), layout_of(model.config, model.encoder.layout)
    start = "Whole profiles of next cells are not predicted"
    if "next_value" not in objectives:
        return "" if layout.channel("value") is None else f"{start}: how strongly genes are expressed in them was not asked for."
    if getattr(objectives["next_value"], "likelihood", "") == "negative_binomial" and layout.has_numbers:
        return f"{start}: expected counts depend on a cell's depth, and that of the next cell is not known."
    if not layout.has_numbers and kind_of(model.config.tokenizer) != "binned":
        return f"{start}: ranks of genes in gene order have no usual values."
    return ""


def log_values(model: PretrainedModel, cells: TokenDataset, rows: np.ndarray | None = None) -> sp.csr_matrix:
    """Return the log-normalized values of cells, CSR (cells, features): what profiles are compared in.

    Ranked cells are prepared as values over medians, which is undone, and binned ones may lack the logarithm; the values of dense
    panels are taken as they are.

    Parameters
    ----------
    model
        Whose cells they are.
    cells
        The cells.
    rows
        Which of them; ``None`` for all.
    """
    values = (cells if rows is None else cells.take(rows)).values
    if kind_of(model.config.tokenizer) != "rank":
        return values if getattr(model.config.tokenizer, "log", True) else values.log1p()
    medians = model.state.per_feature.get("median")
    expressed = values if medians is None else sp.csr_matrix(values @ sp.diags_array(medians))
    if getattr(model.config.tokenizer, "values", "") == "all":
        return expressed
    return expressed.astype(np.float64).log1p().astype(np.float32)


def learn_rank_scale(model: PretrainedModel, train: TokenDataset) -> RankScale:
    """Learn from train cells what usually stands at each rank."""
    medians = model.state.per_feature.get("median")
    csr = train.values
    order = np.lexsort((-csr.data, np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))))
    ranks = np.arange(csr.nnz) - np.repeat(csr.indptr[:-1], np.diff(csr.indptr))
    ones = np.ones(csr.shape[1])
    return fit_rank_scale(csr.data[order], ranks, csr.shape[0], ones if medians is None else medians)


def write_rank_scale(folder: Path, scale: RankScale, feature_ids: tuple[str, ...]) -> None:
    """Write ``rank_scale.parquet`` (by rank the usual value over the median, and the share of cells) and ``rank_lines.parquet``."""
    write_parquet(folder / RANK_SCALE, pd.DataFrame({"value": scale.values, "share": scale.shares}))
    write_parquet(folder / RANK_LINES, pd.DataFrame({"feature_id": feature_ids, "offset": scale.offset, "slope": scale.slope}))


def read_rank_scale(folder: Path, model: PretrainedModel) -> RankScale | None:
    """Read what :func:`write_rank_scale` wrote; ``None`` where there is nothing."""
    if not (folder / RANK_SCALE).is_file() or not (folder / RANK_LINES).is_file():
        return None
    table, lines = pd.read_parquet(folder / RANK_SCALE), pd.read_parquet(folder / RANK_LINES)
    medians = model.state.per_feature.get("median", np.ones(len(model.state.feature_ids)))
    found = {name: lines[name].to_numpy() for name in ("offset", "slope")}
    return RankScale(table["value"].to_numpy(), table["share"].to_numpy(), medians, **found)


def learn_bin_scale(model: PretrainedModel, train: TokenDataset) -> BinScale:
    """Learn from train cells what each bin of each gene is worth."""
    value, shape = train.layout.channel("value"), train.prepared.shape
    assert value is not None  # noqa: S101

    def blocks() -> Iterator[tuple[sp.csr_matrix, sp.csr_matrix]]:
        for start in range(0, len(train), _CELLS_AT_ONCE):
            rows = np.arange(start, min(start + _CELLS_AT_ONCE, len(train)))
            yield log_values(model, train, rows), _bins(train, rows)

    return fit_bin_scale(blocks(), shape[1], value.size - FIRST_CATEGORY)


def _bins(cells: TokenDataset, rows: np.ndarray) -> sp.csr_matrix:
    """Return the bin of each gene that has a token, CSR (rows, features)."""
    tokens, identity, value = cells.tokens(rows), cells.layout.channel("identity"), cells.layout.channel("value")
    assert identity is not None  # noqa: S101
    assert value is not None  # noqa: S101
    features = tokens.channels[identity.name] - NUM_SPECIALS
    is_feature = features >= 0
    samples = np.repeat(np.arange(len(rows)), np.diff(tokens.offsets))[is_feature]
    entries = tokens.channels[value.name][is_feature] - FIRST_CATEGORY, (samples, features[is_feature])
    return sp.csr_matrix(entries, shape=(len(rows), cells.prepared.shape[1]))


def write_bin_scale(folder: Path, scale: BinScale, feature_ids: tuple[str, ...]) -> None:
    """Write ``bin_scale.parquet``: of each gene the mean log value in each bin."""
    columns = {f"bin_{place}": scale.means[:, place] for place in range(scale.means.shape[1])}
    write_parquet(folder / BIN_SCALE, pd.DataFrame({"feature_id": feature_ids, **columns}))


def scale_files(model: PretrainedModel) -> tuple[str, ...]:
    """Return the names of the files that a run needs to predict whole next cells."""
    if expects(model) == "ranks":
        return RANK_SCALE, RANK_LINES
    return () if model.encoder.layout.has_numbers else (BIN_SCALE,)


def read_scale(folder: Path, model: PretrainedModel) -> RankScale | BinScale | None:
    """Read what brings predictions to log values, as it was written into the run folder; ``None`` where there is nothing."""
    if expects(model) == "ranks":
        return read_rank_scale(folder, model)
    if not (folder / BIN_SCALE).is_file():
        return None
    return BinScale(pd.read_parquet(folder / BIN_SCALE).drop(columns="feature_id").to_numpy(np.float64))


@dataclass(frozen=True)
class RankedNext:
    """What is expected of next cells whose genes are ranked.

    Parameters
    ----------
    profiles
        Expected log values, float32 (cells, features).
    presence
        Expected number of ranks at which each gene stands, at most 1, float32 (cells, features). It is the probability that a gene
        is among the ranks as far as no gene stands at two of them; ranks are predicted each on its own, so that the sum can be
        above 1, and is then cut.
    ranks
        Mean rank of each gene, from 0, given that it is among those asked for, float32 (cells, features).
    """

    profiles: np.ndarray
    presence: np.ndarray
    ranks: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[RankedNext]) -> RankedNext:
        """Return the cells of several parts below each other."""
        profiles, presence, ranks = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("profiles", "presence", "ranks")
        )
        return cls(profiles, presence, ranks)

    def take(self, rows: np.ndarray) -> RankedNext:
        """Return some of the cells."""
        return RankedNext(self.profiles[rows], self.presence[rows], self.ranks[rows])


@dataclass(frozen=True)
class NextCells:
    """A network that is asked for whole next cells.

    Parameters
    ----------
    model
        With an objective over next cells.
    cells
        Current cells, as tokens.
    scale
        What usually stands at each rank, or what each bin is worth; needed where genes are ranked or binned.
    """

    model: PretrainedModel
    cells: TokenDataset
    scale: RankScale | BinScale | None = None

    @property
    def num_ranks(self) -> int:
        """Number of ranks that are asked for: those that at least one in a hundred train cells has, within half the budget."""
        assert isinstance(self.scale, RankScale)  # noqa: S101
        most = (layout_of(self.model.config, self.cells.layout).max_tokens - 2) // 2
        return min(int((self.scale.shares >= _LEAST_SHARE).sum()), most)

    def profiles(self, rows: np.ndarray) -> np.ndarray:
        """Return the expected log values of the next cells, float32 (rows, features)."""
        if expects(self.model) == "values":
            return np.concatenate([self._no_profiles, *(values for _, values in self._values(rows))])
        found = (self._of_probabilities(probabilities).profiles for _, probabilities in self._probabilities(rows))
        return np.concatenate([self._no_profiles, *found])

    def ranked(self, rows: np.ndarray) -> RankedNext:
        """Return all that is expected of the next cells where genes are ranked, in one pass."""
        nothing = RankedNext(self._no_profiles, self._no_profiles, self._no_profiles)
        found = (self._of_probabilities(probabilities) for _, probabilities in self._probabilities(rows))
        return RankedNext.joined([nothing, *found])

    def _of_probabilities(self, probabilities: np.ndarray) -> RankedNext:
        """Return what follows from the probability of each gene at each rank (cells, ranks, features)."""
        assert isinstance(self.scale, RankScale)  # noqa: S101
        num_cells, num_ranks = probabilities.shape[:2]
        slots, cells = np.tile(np.arange(num_ranks), num_cells), np.repeat(np.arange(num_cells), num_ranks)
        weighed = probabilities * self.scale.shares[:num_ranks, None].astype(np.float32)
        sums = weighed.sum(axis=1)
        places = np.einsum("r,crf->cf", np.arange(num_ranks, dtype=np.float32), weighed)
        return RankedNext(
            profiles=self.scale.profiles(probabilities.reshape(len(slots), -1), cells, slots, num_cells),
            presence=np.minimum(sums, 1.0),
            ranks=places / np.maximum(sums, np.finfo(np.float32).tiny),
        )

    @property
    def _no_profiles(self) -> np.ndarray:
        return np.zeros((0, len(self.model.state.feature_ids)), dtype=np.float32)

    def _probabilities(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the rows, and the probability of each gene at each rank, float32 (rows, ranks, features)."""
        for own, outputs in self._answers(rows, "next_cell", self.num_ranks):
            yield own, outputs.softmax(dim=1).numpy().reshape(len(own), self.num_ranks, -1)

    def _values(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the rows, and the expected value of each gene, float32 (rows, features)."""
        objective, num_features = objectives_of(self.model.config)["next_value"], len(self.model.state.feature_ids)
        for own, outputs in self._answers(rows, "next_value", num_features):
            if isinstance(self.scale, BinScale):
                yield own, self.scale.profiles(outputs.softmax(dim=1).numpy().reshape(len(own), num_features, -1))
            else:
                values = objective.expected(outputs, statistics_of(self.model.state, every_sample=True))  # type: ignore[attr-defined]
                yield own, values.numpy()

    def _answers(self, rows: np.ndarray, kind: str, num_asked: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield some of the rows, and the head's outputs (rows x asked, outputs) at all tokens of their next cells."""
        training = self.model.config.training
        network = self.model.network
        at_once = max(1, min(_TOKENS_AT_ONCE // (2 * num_asked), _OUTPUTS_AT_ONCE // (num_asked * network.specs[kind].outputs)))
        with computing(network, precision=training.precision, attention=training.attention) as device:
            for start in range(0, len(rows), at_once):
                own = rows[start : start + at_once]
                batch, places = self._asking(own, num_asked)
                yield own, network.at_places(batch.to(device), kind, places.to(device)).float().cpu()

    def _asking(self, rows: np.ndarray, num_asked: int) -> tuple[Batch, torch.Tensor]:
        """Return a batch in which everything of the next cells is hidden, and the places of what is asked for."""
        layout = layout_of(self.model.config, self.cells.layout)
        following = asking_tokens(layout, len(rows), num_asked)
        tokens, context = pair_tokens(self.cells.tokens(rows), following, layout)
        segment, identity = layout.channel("segment"), layout.channel("identity")
        assert segment is not None  # noqa: S101
        assert identity is not None  # noqa: S101
        is_next = tokens.channels[segment.name] == FIRST_CATEGORY
        places = np.flatnonzero(is_next & (tokens.channels[identity.name] != SEPARATOR_ID))
        pattern = PATTERNS[self.model.config.successors.attention]
        batch = replace(Batch.from_tokens(tokens, rows), context_lengths=tuple(context.tolist()), pattern=pattern)
        return batch, torch.from_numpy(places)
