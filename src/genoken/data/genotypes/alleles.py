"""Joining two tables of variants: which of them are the same, and whether both count the same allele on the same strand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, MISSING, OTHER, POSITION, other_strand

ORIENTATIONS: dict[str, str] = {
    "same": "both tables count the same allele",
    "flipped": "the tables count opposite alleles: copies in the second are taken from 2",
    "complement": "the second table is on the other strand and counts the same allele",
    "complement_flipped": "the second table is on the other strand and counts the opposite allele: its copies are taken from 2",
    "ambiguous": "dropped, because the alleles (A/T or C/G, or one not given) don't tell which of them is counted on which strand",
    "mismatched": "dropped, because the alleles are others on either strand",
    "elsewhere": "dropped, because one id stands at two places of the same build",
}
"""Every orientation of a shared variant, with the sentence that explains it."""
_USABLE = ("same", "flipped", "complement", "complement_flipped")
_UNKNOWN = ("", "0", ".", "N")


@dataclass(frozen=True)
class VariantJoin:
    """The variants that two tables share and that can be used together.

    Parameters
    ----------
    first, second
        int64 (shared,): their rows in either table, in the order of the first.
    flipped
        bool (shared,): whether copies in the second are to be taken from 2; see :func:`oriented`.
    report
        One row per entry of :data:`ORIENTATIONS`, in that order: ``orientation``, ``variants``, ``sentence``.
    only_first, only_second
        How many variants the other table lacks.
    """

    first: np.ndarray
    second: np.ndarray
    flipped: np.ndarray
    report: pd.DataFrame
    only_first: int
    only_second: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What became of the variants, as sentences without a full stop; orientations that don't occur are left out."""
        found = [f"{row.variants:,} variants: {row.sentence}" for row in self.report.itertuples() if row.variants]
        for count, which in ((self.only_first, "first"), (self.only_second, "second")):
            if count:
                found.append(f"{count:,} variants: left out, because only the {which} table has them")
        return tuple(found)


def join_variants(first: pd.DataFrame, second: pd.DataFrame) -> VariantJoin:
    """Match two feature tables of genotypes and orient the alleles of the second as in the first.

    Variants are matched by id, whatever their positions, so that tables of two builds can be joined; an id made of chromosome
    and position then says nothing. Where both tables have the same build, and say so, variants without an id of their own in
    one of them (empty, ``.``, or made of chromosome and position) are matched by chromosome, position and alleles, on either
    strand. Alleles of several bases are read backwards on the other strand. An allele that is not given (``0`` in PLINK files)
    may be any; the variant is used where only one reading fits.

    Parameters
    ----------
    first, second
        Feature tables, see :mod:`genoken.core.genotypes`.

    Raises
    ------
    DataError
        When one table mixes builds, or nothing can be used together.

    Notes
    -----
    Strands of A/T and C/G variants could often be guessed from frequencies. They are dropped: nothing would show a wrong guess.
    """
    builds = _build(first, "first"), _build(second, "second")
    known = all(builds)
    same_build = known and builds[0] == builds[1]
    rows, others = _matched(first, second, same_build=same_build, other_build=known and not same_build)
    orientation = _orientations(first.iloc[rows], second.iloc[others], same_build)
    usable = np.isin(orientation, _USABLE)
    if not usable.any():
        raise DataError(
            f"of {len(first):,} and {len(second):,} variants, {len(rows):,} are shared and none can be used",
            remedy="join tables with the same variant ids, or of the same build, and with their alleles",
        )
    counts = pd.Series(orientation, dtype=object).value_counts()
    report = pd.DataFrame(
        [(name, int(counts.get(name, 0)), sentence) for name, sentence in ORIENTATIONS.items()],
        columns=["orientation", "variants", "sentence"],
    )
    flipped = np.isin(orientation[usable], ("flipped", "complement_flipped"))
    return VariantJoin(rows[usable], others[usable], flipped, report, len(first) - len(rows), len(second) - len(rows))


def oriented(dense: np.ndarray, columns: np.ndarray, flipped: np.ndarray, *, most: int = 2) -> np.ndarray:
    """Return these variants with the copies of the flipped ones taken from ``most``; missing calls stay.

    Parameters
    ----------
    dense
        int8 (samples, variants) of copies and ``MISSING``.
    columns
        int64 (shared,): which variants, for example :attr:`VariantJoin.second`.
    flipped
        bool (shared,).
    most
        Copies that there can be: 2, or 1 on a single strand.
    """
    found = dense[:, columns]
    turn = flipped[None, :] & (found != MISSING)
    return np.where(turn, most - found, found).astype(np.int8)


def _build(features: pd.DataFrame, which: str) -> str:
    found = sorted({str(build) for build in features[BUILD].unique()}) if BUILD in features else []
    if len(found) > 1:
        names = " and ".join(f"'{build}'" for build in found[:3])
        raise DataError(f"the {which} table mixes the builds {names}", remedy="lift its positions to one build first")
    return found[0] if found else ""


def _matched(first: pd.DataFrame, second: pd.DataFrame, *, same_build: bool, other_build: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the variants that both tables have, in the order of the first."""
    by_id = second.index.get_indexer(first.index)
    if other_build:
        by_id[_without_id(first)] = -1
    if same_build:
        taken = np.zeros(len(second), dtype=bool)
        taken[by_id[by_id >= 0]] = True
        by_place = _by_place(first, second, by_id < 0, ~taken)
        by_id = np.where(by_id >= 0, by_id, by_place)
    rows = np.flatnonzero(by_id >= 0)
    return rows, by_id[rows]


def _by_place(first: pd.DataFrame, second: pd.DataFrame, open_first: np.ndarray, open_second: np.ndarray) -> np.ndarray:
    """Return for each row of the first table the row of the second at its place with its alleles, or -1; repeated places get -1."""
    keys, other_keys = _place_keys(first), _place_keys(second)
    usable = pd.Series(np.flatnonzero(open_second), index=other_keys[open_second])
    usable = usable[~usable.index.duplicated(keep=False)]
    found = usable.reindex(keys).fillna(-1).to_numpy(dtype=np.int64)
    found[~open_first | keys.duplicated(keep=False)] = -1
    named_first, named_second = ~_without_id(first), ~_without_id(second)
    found[(found >= 0) & named_first & named_second[found]] = -1
    return found


def _without_id(features: pd.DataFrame) -> np.ndarray:
    """Return which variants have no id of their own: empty, a dot, or their place written out."""
    ids = features.index.astype(str)
    places = features[CHROMOSOME].astype(str) + ":" + features[POSITION].astype(str)
    made = [name.removeprefix("chr").startswith(place) for name, place in zip(ids, places, strict=True)]
    return np.array(made, dtype=bool) | ids.str.startswith(".") | (ids == "")


def _place_keys(features: pd.DataFrame) -> pd.Index:
    """Return chromosome, position and alleles as text that is the same for either strand and either order of the alleles."""
    pairs = features[COUNTED].astype(str) + "/" + features[OTHER].astype(str)
    known = {pair: _strand_free(pair) for pair in pairs.unique()}
    return pd.Index(features[CHROMOSOME].astype(str) + ":" + features[POSITION].astype(str) + ":" + pairs.map(known))


def _strand_free(pair: str) -> str:
    alleles = sorted(pair.split("/"))
    return min("/".join(alleles), "/".join(sorted(other_strand(allele) for allele in alleles)))


def _orientations(first: pd.DataFrame, second: pd.DataFrame, same_build: bool) -> np.ndarray:
    """Return a name of :data:`ORIENTATIONS` for each row; both tables hold the shared variants in one order."""
    counted, other = first[COUNTED].to_numpy(dtype=str), first[OTHER].to_numpy(dtype=str)
    theirs, their_other = second[COUNTED].to_numpy(dtype=str), second[OTHER].to_numpy(dtype=str)
    turned, turned_other = _other_strands(theirs), _other_strands(their_other)
    same = _fits(counted, theirs) & _fits(other, their_other)
    flipped = _fits(counted, their_other) & _fits(other, theirs)
    complement = _fits(counted, turned) & _fits(other, turned_other)
    complement_flipped = _fits(counted, turned_other) & _fits(other, turned)
    unclear = (same | complement) & (flipped | complement_flipped)
    cases = [unclear, same, flipped, complement, complement_flipped]
    names = ["ambiguous", "same", "flipped", "complement", "complement_flipped"]
    if same_build:
        apart = (first[CHROMOSOME].to_numpy(dtype=str) != second[CHROMOSOME].to_numpy(dtype=str)) | (
            first[POSITION].to_numpy() != second[POSITION].to_numpy()
        )
        cases, names = [apart, *cases], ["elsewhere", *names]
    return np.select(cases, names, default="mismatched")


def _other_strands(alleles: np.ndarray) -> np.ndarray:
    kinds, codes = np.unique(alleles, return_inverse=True)
    return np.array([other_strand(kind) for kind in kinds], dtype=str)[codes] if len(kinds) else alleles


def _fits(alleles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return where two alleles are equal, or one of them is not given."""
    return (alleles == others) | np.isin(alleles, _UNKNOWN) | np.isin(others, _UNKNOWN)
