"""Pairs of cells and the ones that come next, and the controls that tell whether a network learned time from them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genoken.core.config import PretrainConfig
from genoken.core.errors import ConfigError
from genoken.core.layout import Layout
from genoken.data.check import require_column
from genoken.data.dataset import TokenDataset
from genoken.data.pairs import CellPairs, pair_cells
from genoken.data.successors import Successors
from genoken.models.successor_path import SuccessorPath
from genoken.models.token_network import TokenNetwork
from genoken.training.masked import MaskedTask, measured
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import PretrainedModel, objectives_of
from genoken.workflows.pretraining_fit import task_of, train_prepared
from genoken.workflows.pretraining_parts import Division
from genoken.workflows.show import Show
from genoken.workflows.successor_files import read_successors
from genoken.workflows.successor_start import successor_start

if TYPE_CHECKING:
    from anndata import AnnData

USUAL_TYPES = "cell_type"
"""Column of cell types that is taken where none is named."""
SAMPLES_PER_PASS = 64
_FOLDER = "controls"
_TITLES = {"reversed": "Control: time turned around", "shuffled": "Control: successors shuffled"}

Measured = dict[str, dict[str, np.ndarray]]
"""Objective to measure to array (targets,)."""


@dataclass(frozen=True)
class Controls:
    """What a network of next cells is held against.

    Parameters
    ----------
    start
        The network before training.
    measured
        Name of other successors to what the same network, trained on these, measures at the targets of the true ones.
    unchecked
        Sentence for the report where no direction was checked.
    """

    start: TokenNetwork
    measured: Mapping[str, Measured]
    unchecked: str = "Whether the direction of time was learned was not checked."


def with_successors(division: Division, config: PretrainConfig, data: Sequence[Path] | AnnData, show: Show) -> Division:
    """Return the division with who comes next among its samples.

    Parameters
    ----------
    division
        The samples in parts.
    config
        Says where successors are, and which columns hold time and types.
    data
        The files that were read, or the object.
    show
        Where warnings go.

    Raises
    ------
    DataError
        When a column is not there, or the successors cannot be used.
    """
    samples, settings = division.source.samples, config.successors
    for column in (settings.types, settings.time):
        if column:
            require_column(samples.table, column, samples.origin)
    found = read_successors(samples, data, settings)
    for warning in found.warnings:
        show.warning(warning)
    samples = replace(samples, notes=(*samples.notes, *found.notes))
    return replace(division, source=replace(division.source, samples=samples), successors=found.successors)


def successors_in_parts(division: Division, config: PretrainConfig) -> Successors | None:
    """Return who comes next within the same part, of each cell the first one alone where that is the draw; ``None`` for nobody."""
    if division.successors is None:
        return None
    within = division.successors.within(division.words)
    return within.first() if config.successors.draw == "first" else within


def types_of(config: PretrainConfig, table: pd.DataFrame) -> np.ndarray | None:
    """Return the type of each cell as text, from the column that the settings name or the usual one; ``None`` without any."""
    column = type_column(config, table)
    return table[column].astype(str).to_numpy() if column else None


def type_column(config: PretrainConfig, table: pd.DataFrame) -> str:
    """Return the name of the column of cell types, empty without any."""
    return config.successors.types or (USUAL_TYPES if USUAL_TYPES in table else "")


def pairs_for(model: PretrainedModel, cells: TokenDataset, successors: Successors, *, where: str) -> CellPairs:
    """Return the pairs that a network learns from; next cells have every feature where their values are asked for.

    Parameters
    ----------
    model
        With its configuration.
    cells
        All cells.
    successors
        Who comes next, without edges between parts.
    where
        Where they came from, for messages.

    Raises
    ------
    ConfigError
        When what is asked for is told by other means.
    """
    config = model.config
    _refuse_told_answers(config, cells.layout)
    return pair_cells(
        cells,
        successors,
        config.successors,
        seed=config.training.seed,
        max_tokens=getattr(config.tokenizer, "max_tokens", 0),
        every_feature="next_value" in objectives_of(config) and cells.layout.channel("value") is not None,
        where=where,
    )


def _refuse_told_answers(config: PretrainConfig, cells: Layout) -> None:
    """Refuse questions about next cells whose answers follow from where tokens stand, or whose genes are all there anyway."""
    objectives = objectives_of(config)
    if getattr(objectives.get("next_value"), "absent_swap", 0):
        raise ConfigError(
            "'objective.absent_swap' asks for genes that a cell lacks, and next cells hold every gene whose value is asked for",
            remedy="leave it out: genes that are not expressed are asked for anyway",
        )
    if "next_cell" not in objectives or cells.channel("value") is None:
        return
    remedy = "use tokens in the order of ranks (tokenizer.kind: rank), or ask for values (--objective next_value)"
    if cells.emits_every_feature or "next_value" in objectives:
        raise ConfigError("'next_cell' asks which genes a next cell has, and here it has all of them, in one order", remedy=remedy)
    position = config.model.embedding.position
    if position != "none":
        raise ConfigError(
            "'next_cell' asks which gene stands at a place, and these tokens stand in the order of genes, which positions tell "
            f"(model.embedding.position: {position})",
            remedy=f"{remedy}, or use model.embedding.position: none",
        )


def trained_on_controls(
    prepared: Prepared, start: TokenNetwork, division: Division, task: MaskedTask, *, folder: Path, show: Show
) -> Controls:
    """Train the same network on other successors, and measure each at the targets of the test part's true ones.

    Parameters
    ----------
    prepared
        The items of the run.
    start
        The network as it was before training.
    division
        The samples with their parts and true successors.
    task
        The objectives with their masks.
    folder
        The run folder; each control has its checkpoints in a folder ``controls/NAME``.
    show
        Where progress goes.
    """
    config, samples = prepared.model.config, division.source.samples
    within = successors_in_parts(division, config)
    if prepared.pairs is None or within is None:
        return Controls(start, {})
    test, found = prepared.whole.take(prepared.scored["test"]), dict[str, Measured]()
    for name in config.successors.controls:
        others = within.reversed() if name == "reversed" else within.shuffled(_strata(config, division), config.training.seed)
        model = replace(prepared.model, network=_start_on(others, prepared, start))
        pairs = pairs_for(model, prepared.dataset, others, where=samples.origin)
        other = replace(prepared, model=model, pairs=pairs)
        own_task, train = task_of(other, where=samples.origin)
        train_prepared(other, own_task, train, folder=folder / _FOLDER / name, show=show, title=_TITLES[name])
        found[name] = measured(
            model.network,
            task,
            test,
            batch_size=SAMPLES_PER_PASS,
            precision=config.training.precision,
            attention=config.training.attention,
        )
    return Controls(start, found)


def _start_on(successors: Successors, prepared: Prepared, start: TokenNetwork) -> TokenNetwork:
    """Return a copy of the start whose linear path, if any, is fitted on these successors: it must not know the true ones."""
    network = copy.deepcopy(start)
    regression = successor_start(prepared.model.config, prepared.dataset, prepared.rows, successors)
    if regression is not None:
        network.linear_path = SuccessorPath(prepared.whole.layout, regression)
    return network


def _strata(config: PretrainConfig, division: Division) -> np.ndarray:
    """Return the part and the type of each cell, within which successors are shuffled."""
    types = types_of(config, division.source.samples.table)
    parts = division.words.astype(str)
    return parts if types is None else np.char.add(np.char.add(parts, " "), types.astype(str))
