"""Predict the cells that come next: their likely genes, their expression, and what rises and falls from the current cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.components import kind_of
from genoken.core.errors import ConfigError, RunError
from genoken.core.files import atomic_path
from genoken.core.matrix import to_csr
from genoken.data.dataset import TokenDataset
from genoken.workflows.next_cell_predictions import (
    NextCells,
    RankedNext,
    expects,
    log_values,
    read_scale,
    scale_files,
    why_no_profiles,
)
from genoken.workflows.predict import OUTPUT_SUFFIXES, align_samples, checked_output, write_table
from genoken.workflows.pretrained import PretrainedModel
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.run import Run, as_any_run
from genoken.workflows.show import Show
from genoken.workflows.source import read_source

if TYPE_CHECKING:
    from anndata import AnnData

MEANS = (
    "Predictions are means over the cells that may come next and are smoother than any of them; the change of a gene is taken "
    "against the values of one noisy cell, so average it over cells before reading it."
)
"""What must be known of every prediction."""
ROLLOUT = (
    "Each step after the first starts from such a mean instead of a cell, so that rollouts drift toward averages; the run's report "
    "says what one step is worth, and nothing of several."
)
"""What must be known besides where steps follow each other."""
UNS_KEY = "genoken_next_cell"
"""Key of ``uns`` with the number of steps, the caveat and what the run's report says of one step."""
_CELLS_AT_ONCE = 512


@dataclass(frozen=True)
class NextCellPrediction:
    """The predicted next cells of some samples.

    Parameters
    ----------
    table
        The genes that matter in each sample, one per row: ``sample_id``; ``list``, which is ``likely`` (the most probable genes, of
        equal ones those of the first ranks; where genes are ranked), ``rising`` or ``falling`` (the largest changes); ``place`` in
        that list, from 1; ``feature_id``, ``symbol``; where genes are ranked, the ``probability`` that the next cell has the gene
        among the ranks that are asked for, and its mean ``rank`` there, from 0; the log values ``current`` and ``predicted``, and
        ``change``, their difference.
    features
        The model's genes: ``symbol``, indexed by id.
    samples
        Sample table of the input.
    current, predicted
        Log values of the samples, CSR, and those expected of their next cells, float32, both (samples, features).
    ranked
        Probabilities and mean ranks, (samples, features); ``None`` where the run predicts values.
    steps
        Steps that were taken, each from the cells that the one before predicted.
    caveat
        What predictions are not, in a sentence or two.
    worth
        What the run's report says of one step, empty where it says nothing.
    """

    table: pd.DataFrame
    features: pd.DataFrame
    samples: pd.DataFrame
    current: sp.csr_matrix
    predicted: np.ndarray
    ranked: RankedNext | None
    steps: int
    caveat: str
    worth: str

    def to_anndata(self) -> AnnData:
        """Return the predicted log values as ``X`` of samples by the model's genes.

        ``layers`` hold the ``current`` log values and, where genes are ranked, ``probability`` and mean ``rank``; ``obs`` is that
        of the input; ``uns["genoken_next_cell"]`` says how many steps were taken, and what the predictions are worth.
        """
        from anndata import AnnData

        layers: dict[str, Any] = {"current": self.current}
        if self.ranked is not None:
            layers |= {"probability": self.ranked.presence, "rank": self.ranked.ranks}
        about = {"steps": self.steps, "caveat": self.caveat, "worth": self.worth}
        return AnnData(self.predicted, obs=self.samples.copy(), var=self.features.copy(), layers=layers, uns={UNS_KEY: about})


def predict_next_cell(
    run: Run | PretrainedRun | str | Path,
    data: str | Path | AnnData,
    output: str | Path | None = None,
    *,
    num_predictions: int = 10,
    steps: int = 1,
    min_coverage: float | None = None,
    show: Show | None = None,
) -> NextCellPrediction:
    """Predict which genes the cell that comes next expresses, and how strongly, from current cells alone.

    Predictions are means over possible next cells. With several ``steps``, the expression that was predicted is fed back as the
    next current cell: with as many genes as the cell expressed, the highest ones, and with its total. Each step then starts from a
    mean instead of a cell, so that rollouts drift toward averages; the run's report says what one step is worth.

    Parameters
    ----------
    run
        A run of pretraining with successors, or its folder.
    data
        Path of a file or folder, or an AnnData object: the current cells; their genes are found by id.
    output
        ``.h5ad``: what :meth:`NextCellPrediction.to_anndata` returns; ``.csv``, ``.tsv``, ``.parquet``: its table.
    num_predictions
        Genes in each list of a cell.
    steps
        Steps to take.
    min_coverage
        Smallest share of the model's genes, from 0 to 1, that the file must hold; by default the run's ``data.min_coverage``.
    show
        Where progress goes; by default nowhere.

    Raises
    ------
    GenokenError
        When the run predicts no next cells, or run, file or output cannot be used.
    """
    show = show or Show(quiet=True)
    for name, number in (("num-predictions", num_predictions), ("steps", steps)):
        if number < 1:
            raise ConfigError(f"{number} is too few", where=f"--{name}", remedy="it must be 1 or more")
    path = checked_output(output, OUTPUT_SUFFIXES)
    run = _predicting(as_any_run(run))
    samples = read_source(data, run.config.data.source).samples
    aligned = align_samples(run.model, samples, min_coverage, show)
    parts = []
    with show.bar("Predicting next cells", total=len(aligned.dataset)) as bar:
        for rows in _blocks(len(aligned.dataset)):
            parts.append(_rolled_out(run, aligned.dataset.take(rows), steps))
            bar.to(int(rows[-1]) + 1)
    found = _together(run, samples.table, log_values(run.model, aligned.dataset), parts, steps, num_predictions)
    for sentence in (found.worth, found.caveat):
        if sentence:
            show.line(sentence)
    if path is not None:
        _write(path, found)
        show.line(f"Wrote {path}.")
    return found


def _predicting(run: Run | PretrainedRun) -> PretrainedRun:
    """Return the run if it predicts whole next cells, and has all that this needs."""
    if isinstance(run, Run) or not run.config.successors.key:
        raise ConfigError(
            "the run predicts no next cells",
            where=str(run.folder),
            remedy="make one that does: genoken pretrain cells.h5ad --preset next_cell_small --successors KEY",
        )
    if not expects(run.model):
        raise ConfigError(
            f"the run predicts no next cells. {why_no_profiles(run.model).rstrip('.')}",
            where=str(run.folder),
            remedy="pretrain with --preset next_cell_small or next_value_small",
        )
    absent = [name for name in scale_files(run.model) if not (run.folder / name).is_file()]
    if absent:
        raise RunError(f"the run has no {absent[0]}", where=str(run.folder), remedy="let genoken pretrain finish it")
    return run


def _blocks(num_cells: int) -> Iterator[np.ndarray]:
    for start in range(0, num_cells, _CELLS_AT_ONCE):
        yield np.arange(start, min(start + _CELLS_AT_ONCE, num_cells))


def _rolled_out(run: PretrainedRun, cells: TokenDataset, steps: int) -> RankedNext | np.ndarray:
    """Return what is expected of these cells after so many steps: ranks with profiles, or profiles alone."""
    scale, current = read_scale(run.folder, run.model), cells
    rows = np.arange(len(cells))
    for step in range(steps):
        asked = NextCells(run.model, current, scale)
        found = asked.ranked(rows) if expects(run.model) == "ranks" else asked.profiles(rows)
        if step + 1 < steps:
            profiles = found.profiles if isinstance(found, RankedNext) else found
            current = replace(cells, prepared=as_current(run.model, profiles, cells), counts=None)
    return found


def as_current(model: PretrainedModel, profiles: np.ndarray, cells: TokenDataset) -> sp.csr_matrix:
    """Return expected profiles as prepared values of current cells, CSR (cells, features).

    Of tokens of expressed genes, as many are kept as the cell had, the highest ones (in a rank encoding, those of the first ranks),
    and their values are scaled to its total: how many genes a cell expresses, and how much of its total the vocabulary holds, are
    not predicted. Values of dense panels are taken as they are.

    Parameters
    ----------
    model
        Whose cells they are.
    profiles
        Expected log values, (cells, features).
    cells
        The current cells that they were predicted from.
    """
    tokenizer: Any = model.config.tokenizer
    is_rank = kind_of(tokenizer) == "rank"
    medians = model.state.per_feature.get("median", np.ones(profiles.shape[1])) if is_rank else 1.0
    if getattr(tokenizer, "values", "") == "all" or model.state.facts.get("value_kind") == "real":
        return to_csr(profiles / medians, "predicted values")
    values = np.expm1(np.maximum(profiles, 0).astype(np.float64)) / medians
    if getattr(tokenizer, "tokens", "") != "all":
        order = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
        values[order >= np.diff(cells.values.indptr)[:, None]] = 0.0
    if is_rank:  # ranks are the same whatever the total
        return to_csr(values, "predicted values")
    totals = np.asarray(log_values(model, cells).expm1().sum(axis=1)).reshape(-1, 1)
    sums = values.sum(axis=1, keepdims=True)
    values *= totals / np.where(sums > 0, sums, 1.0)
    return to_csr(np.log1p(values) if getattr(tokenizer, "log", True) else values, "predicted values")


def _together(
    run: PretrainedRun,
    samples: pd.DataFrame,
    current: sp.csr_matrix,
    parts: list[RankedNext | np.ndarray],
    steps: int,
    num_predictions: int,
) -> NextCellPrediction:
    ranked = RankedNext.joined([part for part in parts if isinstance(part, RankedNext)]) if expects(run.model) == "ranks" else None
    empty = np.zeros((0, current.shape[1]), dtype=np.float32)
    predicted = (
        np.concatenate([empty, *(part for part in parts if isinstance(part, np.ndarray))]) if ranked is None else ranked.profiles
    )
    features = pd.DataFrame({"symbol": list(run.model.symbols)}, index=pd.Index(run.model.state.feature_ids, name="feature_id"))
    tables = [
        _lists(
            samples.index[rows], features, current[rows].toarray(), predicted[rows], ranked and ranked.take(rows), num_predictions
        )
        for rows in _blocks(len(samples))
    ]
    profiles = (run.metrics.get("next_cell") or {}).get("profiles") or {}
    return NextCellPrediction(
        table=pd.concat(tables, ignore_index=True),
        features=features,
        samples=samples,
        current=current,
        predicted=predicted,
        ranked=ranked,
        steps=steps,
        caveat=f"{MEANS} {ROLLOUT}" if steps > 1 else MEANS,
        worth=str(profiles.get("verdict", "")),
    )


def _lists(
    ids: pd.Index, features: pd.DataFrame, current: np.ndarray, predicted: np.ndarray, ranked: RankedNext | None, length: int
) -> pd.DataFrame:
    """Return the lists of some cells below each other, cell by cell."""
    change = predicted - current
    orders = {} if ranked is None else {"likely": np.lexsort((ranked.ranks, -ranked.presence), axis=1)}
    orders |= {"rising": np.argsort(-change, axis=1, kind="stable"), "falling": np.argsort(change, axis=1, kind="stable")}
    chosen = {name: order[:, :length] for name, order in orders.items()}
    genes = np.stack(list(chosen.values()), axis=1)  # (cells, lists, length)
    cells = np.broadcast_to(np.arange(len(ids))[:, None, None], genes.shape).ravel()
    names = np.broadcast_to(np.array(list(chosen), dtype=object)[:, None], genes.shape).ravel()
    places = np.broadcast_to(np.arange(1, genes.shape[2] + 1), genes.shape).ravel()
    own = cells, genes.ravel()
    columns: dict[str, Any] = {"sample_id": ids.astype(str)[cells], "list": names, "place": places}
    columns |= {"feature_id": features.index.to_numpy()[own[1]], "symbol": features["symbol"].to_numpy()[own[1]]}
    if ranked is not None:
        columns |= {"probability": ranked.presence[own], "rank": ranked.ranks[own]}
    return pd.DataFrame(columns | {"current": current[own], "predicted": predicted[own], "change": change[own]})


def _write(path: Path, found: NextCellPrediction) -> None:
    if path.suffix != ".h5ad":
        write_table(path, found.table.set_index("sample_id"))
        return
    with atomic_path(path) as temporary:
        found.to_anndata().write_h5ad(temporary)
