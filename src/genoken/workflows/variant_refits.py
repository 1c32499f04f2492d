"""Networks fitted anew beside a run's own: with other seeds, and on permuted labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from genoken.core.config import RunConfig
from genoken.core.errors import ConfigError
from genoken.core.random import Key, generator, seed_for
from genoken.workflows.fold import Course, fit_as_long
from genoken.workflows.inputs import Study
from genoken.workflows.store import FittedModel

_LARGEST_SEED = 2**31


def refit(config: RunConfig, study: Study, words: np.ndarray, course: Course, *key: Key) -> FittedModel:
    """Return the network fitted on one split with another seed and for the course that the run's own took; no file of it is kept.

    Validation chooses nothing. It would stop a network at once that is fitted on permuted labels, and one that has learned nothing
    at all is no measure of what another makes of chance.

    Parameters
    ----------
    config, study, words, course
        As for :func:`genoken.workflows.fold.fit_as_long`.
    key
        Which refit this is; the seed of its weights and batches follows from it and from the run's own.
    """
    own_seed = seed_for(config.training.seed, "refit", *key) % _LARGEST_SEED
    changed = replace(config, training=replace(config.training, seed=own_seed, logger="none"))
    with TemporaryDirectory(prefix="genoken-refit-") as folder:
        return fit_as_long(changed, study, words, Path(folder), course)


def permuted(study: Study, words: np.ndarray, *, strata: str, seed: int, draw: int) -> Study:
    """Return the study with its labels permuted within each part of a split and, where a column is named, within its values.

    Within parts, so that train, validation and test keep their classes; within strata, so that what a label owes to population or
    family alone stays.

    Parameters
    ----------
    study, words
        Samples with labels, and the word of each in the split.
    strata
        Column of the samples; empty for none.
    seed, draw
        Which permutation.

    Raises
    ------
    ConfigError
        When there is no such column.
    """
    if strata and strata not in study.samples.table:
        raise ConfigError(f"there is no column '{strata}' to permute labels within", remedy="name a column of the samples")
    within = study.samples.table[strata].astype(str).to_numpy() if strata else np.full(len(words), "")
    labels = study.labels.copy()
    for part in np.unique(words):
        for stratum in np.unique(within):
            own = np.flatnonzero((words == part) & (within == stratum))
            order = generator(seed, "permuted_labels", draw, str(part), str(stratum)).permutation(len(own))
            labels[own] = study.labels[own[order]]
    return replace(study, labels=labels)
