"""Groups that must not straddle a split: a column of the sample table, or relatives among genotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genoken.core.config import DataSettings, RunConfig
from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.data._check_columns import classes_of
from genoken.data.check import guess_group_column, require_column
from genoken.data.genotypes.copies import identical_pairs
from genoken.data.genotypes.region import REMEDY, one_region
from genoken.data.genotypes.relatedness import kinship_groups
from genoken.data.genotypes.relatives import duplicates, relatives

if TYPE_CHECKING:
    from genoken.workflows.inputs import Study

KINSHIP = "kinship"
"""Name of the groups of relatives, unless the sample table has a column of this name."""
POPULATION = "population"
"""Column of genotypes within whose values scores are given, unless another is named."""
_LARGEST_SHARE = 0.5
"""Share of the samples in one group of relatives beyond which a split by relatives is none."""


def find_groups(samples: Samples, settings: DataSettings, *, guess: bool) -> tuple[str, np.ndarray | None, list[str]]:
    """Return name and values of the groups, and what should be said about them.

    Parameters
    ----------
    samples
        What is to be divided.
    settings
        Names of group and label, kinship of relatives.
    guess
        Whether groups are looked for when none are named: relatives among genotypes, else a column with a usual name.

    Returns
    -------
    tuple
        Name, empty for no groups; group of each sample, or ``None``; sentences without a full stop.

    Raises
    ------
    DataError
        When the column is missing or lacks values, or relatives that were asked for cannot be told.
    """
    is_genotypes = samples.value_kind == "dosage"
    if settings.group == KINSHIP and is_genotypes and KINSHIP not in samples.table:
        found, said = _relatives(samples, settings.kinship)
        if found is None and (copies := _copies(samples)) is not None:
            return KINSHIP, copies, [_only_copies(said)]
        if found is None:
            raise DataError(
                f"samples cannot be grouped by kinship: {said}", where=samples.origin, remedy="name a column with --group"
            )
        return KINSHIP, found, [said]
    if settings.group:
        return settings.group, _column(samples, settings.group), []
    if not guess:
        return "", None, []
    notes, said = [], ""
    if is_genotypes:
        found, said = _relatives(samples, settings.kinship)
        if found is not None:
            return KINSHIP, found, [said]
        notes.append(f"samples are not grouped by kinship: {said}")
    group = guess_group_column(samples.table.drop(columns=settings.label)) or ""
    if not group and is_genotypes and (copies := _copies(samples)) is not None:
        return KINSHIP, copies, [_only_copies(said)]
    if not group:
        return "", None, notes
    notes.append(f"'{group}' is taken for the column of groups, by its name (--group names another)")
    return group, _column(samples, group), notes


def _column(samples: Samples, group: str) -> np.ndarray:
    column = require_column(samples.table, group, samples.origin)
    missing = int(column.isna().sum())
    if missing:
        raise DataError(
            f"{missing:,} samples have no value in the group column '{group}'",
            where=samples.origin,
            remedy="fill it in or remove them",
        )
    return column.astype(str).to_numpy()


def _relatives(samples: Samples, min_kinship: float) -> tuple[np.ndarray | None, str]:
    """Return the group of each sample and a sentence on them, or ``None`` and why there are none."""
    found = relatives(samples, min_kinship)
    if found is None:
        return None, f"{samples.num_features:,} variants are too few to tell relatives from strangers"
    groups, threshold = found
    _, sizes = np.unique(groups, return_counts=True)
    largest, total = int(sizes.max(initial=0)), len(groups)
    if total > 1 and largest > _LARGEST_SHARE * total:
        return None, f"{largest:,} of {total:,} samples are of one group of relatives (kinship from {threshold:.3g} on)"
    in_families = int(sizes[sizes > 1].sum())
    return groups, (
        f"relatives stay together: {in_families:,} of {total:,} samples have some (kinship from {threshold:.3g} on), which makes "
        f"{len(sizes):,} groups"
    )


def region_notes(samples: Samples, settings: DataSettings) -> tuple[str, ...]:
    """Return what to say, without a full stop, of principal components that are those of one region."""
    region = one_region(samples.features) if samples.value_kind == "dosage" and settings.principal_components else ""
    if not region:
        return ()
    return (
        f"all variants are on {region}: their principal components are no ancestry, and what they explain, causal effects too, "
        f"is not asked of the network; {REMEDY}--principal-components 0",
    )


def people_twice(samples: Samples) -> pd.DataFrame | None:
    """Return the pairs of samples that are one person, by kinship or, of few variants, by equal genotypes.

    Returns
    -------
    pandas.DataFrame or None
        ``first`` and ``second``: rows. ``None`` where samples have equal genotypes that may be those of different people.
    """
    found = duplicates(samples)
    return identical_pairs(samples) if found is None else found


def _copies(samples: Samples) -> np.ndarray | None:
    """Return the group of each sample where few variants tell copies of a person, but no relatives; ``None`` without copies."""
    pairs = identical_pairs(samples) if duplicates(samples) is None else None
    if pairs is None or pairs.empty:
        return None
    return kinship_groups(pairs, [str(name) for name in samples.table.index])


def _only_copies(said: str) -> str:
    return f"{said}; samples that have the same genotypes stay together"


def strata_of(config: RunConfig, study: Study, rows: np.ndarray) -> tuple[str, np.ndarray] | None:
    """Return name and values, for these rows, of the column within whose values scores are given too; ``None`` for none.

    Raises
    ------
    DataError
        When the column that is named is missing.
    """
    samples, name = study.samples, config.data.strata
    if not name and samples.value_kind == "dosage" and POPULATION in samples.table and study.label != POPULATION:
        name = POPULATION
    if not name:
        return None
    values = classes_of(require_column(samples.table, name, samples.origin).iloc[rows])
    return name, values.fillna("").to_numpy(dtype=str)


def refuse_straddling_duplicates(study: Study, folds: np.ndarray) -> None:
    """Refuse a split of genotypes that tests a person whom it also learns from, as far as that can be told.

    Raises
    ------
    DataError
        Naming one pair.
    """
    samples = study.samples
    pairs = people_twice(samples) if _may_straddle(study, folds) else None
    if pairs is None:
        return
    straddling = pairs[[_is_apart(folds[:, first], folds[:, second]) for first, second in _rows(pairs)]]
    if len(straddling):
        first, second = (str(samples.table.index[row]) for row in _rows(straddling)[0])
        what = "1 pair of samples is" if len(straddling) == 1 else f"{len(straddling):,} pairs of samples are"
        raise DataError(
            f"{what} one person in train and in test (by their genotypes), for example '{first}' and '{second}'",
            where="split",
            remedy="leave one of each pair out, or use --group kinship",
        )


def untold_copies(study: Study, folds: np.ndarray) -> str:
    """Return why it cannot be told whether a person is in train and in test, as a sentence; empty where it can."""
    if not _may_straddle(study, folds) or people_twice(study.samples) is not None:
        return ""
    return (
        f"Samples have the same genotypes, or nearly, at all {study.samples.num_features:,} variants: one person who is there "
        "twice, or different people who share them by chance or by their haplotypes in a short region."
    )


def _may_straddle(study: Study, folds: np.ndarray) -> bool:
    """Return whether genotypes of one person may be in train and in test: not where relatives are kept together."""
    return study.samples.value_kind == "dosage" and (study.group != KINSHIP or _straddles(study.groups, folds))


def _rows(pairs: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True))


def _is_apart(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether in any fold one sample is tested and the other is learned from or chosen by."""
    learned = ("train", "val")
    return bool(((one == "test") & np.isin(other, learned) | (other == "test") & np.isin(one, learned)).any())


def _straddles(groups: np.ndarray | None, folds: np.ndarray) -> bool:
    if groups is None:
        return True
    return any(bool(set(groups[words == "test"]) & set(groups[np.isin(words, ("train", "val"))])) for words in folds)
