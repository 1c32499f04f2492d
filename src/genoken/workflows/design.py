"""What a training run rests on: samples with a target, settings with what the data decided, and the split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genoken.core.components import component_to_dict, kind_of
from genoken.core.config import RunConfig, component_from_dict
from genoken.core.errors import ConfigError
from genoken.core.samples import Samples
from genoken.data.splits.inherited import PART_COLUMN
from genoken.data.train_share import draw_train_share
from genoken.training.processes import is_first_process
from genoken.workflows.assemble import settle_kinds, task_of_objective
from genoken.workflows.background import refuse_telling_covariates
from genoken.workflows.encoder import locate
from genoken.workflows.grouping import refuse_straddling_duplicates, region_notes
from genoken.workflows.inputs import Study, build_study
from genoken.workflows.seen import parts_in_pretraining
from genoken.workflows.show import Show
from genoken.workflows.source import Source
from genoken.workflows.start import PretrainedStart


@dataclass(frozen=True)
class Job:
    """A training run that is being made.

    Parameters
    ----------
    config
        Settings, with what the data decided.
    source
        What was read.
    study
        Samples with a target.
    folds
        ``train``, ``val``, ``test`` or ``unused``, of shape (folds, samples).
    folder
        The run folder.
    start
        The pretrained network that it starts from; ``None`` for none.
    show
        Where sentences and progress go.
    batch_choice
        What a batch size that was left to the machine rests on; ``None`` where it was given.
    """

    config: RunConfig
    source: Source
    study: Study
    folds: np.ndarray
    folder: Path
    start: PretrainedStart | None
    show: Show
    batch_choice: Mapping[str, Any] | None = None


def design(source: Source, config: RunConfig, start: PretrainedStart | None, folder: Path, show: Show) -> Job:
    """Take the target from the samples and divide them.

    With a pretrained network the samples get its vocabulary and, as the column ``pretraining_part`` of their table, the part that
    each had in pretraining. Only the first of several processes says anything.

    Parameters
    ----------
    source, config, start, folder, show
        As in :class:`Job`, with what the user left to the data still open.

    Raises
    ------
    DataError
        When the samples cannot be used or divided.
    ConfigError
        When the split that is asked for tests samples that were pretrained on.
    """
    samples = source.samples
    notes: tuple[str, ...] = ()
    if start is not None:
        samples, notes = _known_to(start, samples, config)
        config = _with_group(start, samples, config)
    settings, seed = task_of_objective(config), config.training.seed
    study = build_study(samples, settings, seed=seed, guess_group=True, keep_features=start is not None)
    study = replace(study, notes=(*study.notes, *notes, *region_notes(study.samples, config.data)))
    config = settle_kinds(replace(config, data=replace(config.data, group=study.group)), study)
    config.tokenizer.refuse(study.samples)
    refuse_telling_covariates(config, study)
    config = _inherit_split(config, study)
    folds = config.split.assign(study.named_labels(), study.groups, study.samples.table, config.training.seed)
    _refuse_pretrained_tests(config, study, folds)
    refuse_straddling_duplicates(study, folds)
    words = with_train_share(folds, study, config)
    return Job(config, source, study, words, folder, start, show if is_first_process() else Show(quiet=True))


def _known_to(start: PretrainedStart, samples: Samples, config: RunConfig) -> tuple[Samples, tuple[str, ...]]:
    """Return samples as the pretrained network takes them, and what should be said about that."""
    found, line = start.restrict(samples, config.data.min_coverage)
    state = start.model.state
    # The hash of a person is over all variants of the vocabulary, missing ones included.
    columns = locate(state, found, start.model.symbols).columns if found.value_kind == "dosage" else None
    parts = parts_in_pretraining(start.folder, found, columns, state)
    found = replace(found, table=found.table.assign(**{PART_COLUMN: parts}))
    return found, (f"{start.folder}: {line}", *start.model.tokenizer.notes(found, state))


def _with_group(start: PretrainedStart, samples: Samples, config: RunConfig) -> RunConfig:
    """Return the configuration with the group column of pretraining, where none is named and the samples have it."""
    group = start.model.config.data.group
    if config.data.group or group == config.data.label or group not in samples.table:
        return config
    return replace(config, data=replace(config.data, group=group))


def _inherit_split(config: RunConfig, study: Study) -> RunConfig:
    """Return the configuration with the pretraining's split, where no other is asked for and it knows any of the samples."""
    table = study.samples.table
    is_asked_for = kind_of(config.split) != "auto" or getattr(config.split, "folds", False)
    if is_asked_for or PART_COLUMN not in table or not (table[PART_COLUMN] != "").any():
        return config
    content = {name: value for name, value in component_to_dict(config.split).items() if name != "folds"}
    return replace(config, split=component_from_dict("splits", content | {"kind": "inherited"}))


def _refuse_pretrained_tests(config: RunConfig, study: Study, folds: np.ndarray) -> None:
    if PART_COLUMN not in study.samples.table:
        return
    learned = study.samples.table[PART_COLUMN].isin(["train", "val"]).to_numpy()
    tested = (folds == "test").any(axis=0)
    count = int((learned & tested).sum())
    if count:
        raise ConfigError(
            f"{count:,} of {int(tested.sum()):,} test samples were pretrained on, so this would be no test",
            where=f"split.kind: {kind_of(config.split)}",
            remedy="leave --split and --folds out, or use --split inherited; or pretrain without these samples",
        )


def with_train_share(folds: np.ndarray, study: Study, config: RunConfig) -> np.ndarray:
    """Return the words of a split with ``unused`` for train samples beyond ``data.train_share``."""
    if config.data.train_share >= 1:
        return folds
    reduced = folds.astype("<U6")
    for words in reduced:
        train = np.flatnonzero(words == "train")
        words[np.setdiff1d(train, train_share_of(train, study, config))] = "unused"
    return reduced


def train_share_of(rows: np.ndarray, study: Study, config: RunConfig) -> np.ndarray:
    """Return the share of some train rows that ``data.train_share`` allows, of each class."""
    strata = study.labels if study.classes else np.zeros(len(study.labels), dtype=np.int64)
    return draw_train_share(rows, strata, study.samples.table.index, share=config.data.train_share, seed=config.training.seed)
