"""Find the features of a vocabulary in another file's feature table, with an account of what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.vocabulary.genes import Identifiers, identify, normalize

SYMBOL_COLUMNS = (
    "gene_symbol",
    "gene_symbols",
    "symbol",
    "symbols",
    "feature_name",
    "gene_name",
    "gene_names",
    "gene_short_name",
    "hgnc_symbol",
    "pr_gene_symbol",
)
"""Names, lower case, under which feature tables keep the readable gene name."""
MARGIN = 0.01
"""A later way of matching must find this much more than an earlier one to be preferred."""
_ABSENT = frozenset({"", "nan", "none", "na", "<na>"})


@dataclass(frozen=True)
class Alignment:
    """Where each feature of a vocabulary is in another file.

    Parameters
    ----------
    columns
        int64 of shape (features of the vocabulary,): column in the file, -1 where missing.
    coverage
        Share of the vocabulary that was found.
    matched_by
        What was compared, for example ``index`` or ``column 'ensembl_id'``.
    missing
        Vocabulary ids that were not found, or were left out because they are ambiguous.
    line
        All of this as one line.
    """

    columns: np.ndarray
    coverage: float
    matched_by: str
    missing: tuple[str, ...]
    line: str


@dataclass(frozen=True)
class _Attempt:
    """One way of matching: its columns, and how many features were left out because they are ambiguous."""

    matched_by: str
    columns: np.ndarray
    num_ambiguous: int

    @property
    def coverage(self) -> float:
        return float(np.mean(self.columns >= 0))


def align(
    feature_ids: Sequence[str],
    features: pd.DataFrame,
    *,
    minimum_coverage: float,
    where: str,
    symbols: Sequence[str] = (),
    reference: str = "the model",
    noun: str = "gene",
) -> Alignment:
    """Find the features of a vocabulary in a feature table.

    Compared are, in this order: the ids with the table's index; both without Ensembl versions; the ids with every column of strings
    (such as ``ensembl_id``, ``gene_ids``, ``gene_symbol``); the vocabulary's symbols, when given, with the index and these columns.
    The way that finds most is taken, an earlier one when a later one finds less than 1 percentage point more. Only when none
    reaches ``minimum_coverage`` are the same comparisons tried without regard to upper and lower case. A key that occurs more than
    once on either side is ambiguous; such features are left out, never guessed, and counted in the line.

    Parameters
    ----------
    feature_ids
        The vocabulary, in order.
    features
        Feature table of the other file, indexed by feature id.
    minimum_coverage
        Smallest share of the vocabulary, from 0 to 1, that must be found.
    where
        The other file, for messages.
    symbols
        Readable name of each vocabulary feature; empty when unknown.
    reference
        Whose vocabulary it is, for messages.
    noun
        What a feature is, for messages.

    Returns
    -------
    Alignment
        Columns, coverage and what was lost.

    Raises
    ------
    DataError
        When nothing, or less than ``minimum_coverage``, is in common.
    """
    if not len(feature_ids):
        raise DataError("the vocabulary is empty", where=where)
    best = _best(_attempts(feature_ids, symbols, features, fold_case=False))
    if best.coverage < max(minimum_coverage, 1 / len(feature_ids)):
        folded = _best(_attempts(feature_ids, symbols, features, fold_case=True))
        best = folded if folded.coverage > best.coverage + MARGIN else best
    missing = tuple(str(name) for name, column in zip(feature_ids, best.columns, strict=True) if column < 0)
    if best.coverage == 0:
        raise _nothing_in_common(feature_ids, features, best, where, reference, noun)
    line = _line(len(feature_ids), best, missing, noun)
    if best.coverage < minimum_coverage:
        raise DataError(
            f"too few {noun}s in common: {line}; {minimum_coverage:.0%} are needed; the file has {_examples(features.index)}",
            where=where,
            remedy=f"use a file with the {noun}s of {reference}, or accept less with --min-coverage",
        )
    return Alignment(columns=best.columns, coverage=best.coverage, matched_by=best.matched_by, missing=missing, line=line)


def _best(attempts: Iterator[_Attempt]) -> _Attempt:
    best = next(attempts)
    for attempt in attempts:
        if attempt.coverage > best.coverage + MARGIN or (best.coverage == 0 < attempt.coverage):
            best = attempt
    return best


def _attempts(feature_ids: Sequence[str], symbols: Sequence[str], features: pd.DataFrame, *, fold_case: bool) -> Iterator[_Attempt]:
    suffix = ", ignoring case" if fold_case else ""
    fold: Callable[[list[str]], list[str]] = (lambda keys: [key.lower() for key in keys]) if fold_case else (lambda keys: keys)
    wanted = [str(name) for name in feature_ids]
    index = [str(name) for name in features.index]
    yield _match(fold(wanted), fold(index), f"index{suffix}")
    yield _match(fold(normalize(wanted)), fold(normalize(index)), f"index without versions{suffix}")
    columns = {str(name): _strings(features.iloc[:, place]) for place, name in enumerate(features.columns)}
    columns = {name: keys for name, keys in columns.items() if keys}
    for name, keys in columns.items():
        yield _match(fold(normalize(wanted)), fold(normalize(keys)), f"column '{name}'{suffix}")
    if len(symbols):
        named = [str(name) for name in symbols]
        for name, keys in {"index": index, **{f"column '{name}'": keys for name, keys in columns.items()}}.items():
            yield _match(fold(named), fold(keys), f"symbols in the {name}{suffix}")


def _strings(column: pd.Series) -> list[str]:
    """Return a column's values as strings when it holds strings, else an empty list."""
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    if not (pd.api.types.is_object_dtype(values.dtype) or pd.api.types.is_string_dtype(values.dtype)):
        return []
    return column.astype(object).where(column.notna(), "").astype(str).tolist()


def _match(wanted: Sequence[str], keys: Sequence[str], matched_by: str) -> _Attempt:
    """Look every wanted key up; keys that occur twice on either side are left out and counted."""
    available = pd.Index(keys)
    once = ~available.duplicated(keep=False) & ~available.str.lower().isin(_ABSENT) if len(available) else np.zeros(0, dtype=bool)
    places = np.flatnonzero(once)
    asked = pd.Index(wanted)
    found = available[places].get_indexer(asked)
    columns = np.full(len(asked), -1, dtype=np.int64)
    columns[found >= 0] = places[found[found >= 0]]
    repeated = asked.duplicated(keep=False)
    ambiguous = asked.isin(available[~once]) & ~asked.str.lower().isin(_ABSENT) | (repeated & (columns >= 0))
    columns[repeated] = -1
    return _Attempt(matched_by, columns, int(ambiguous.sum()))


def _line(count: int, attempt: _Attempt, missing: Sequence[str], noun: str) -> str:
    found = count - len(missing)
    text = f"{found:,} of {count:,} {noun}s found ({attempt.coverage:.1%}), matched by {attempt.matched_by}"
    if missing:
        text += f"; missing: {', '.join(missing[:3])}" + (f" and {len(missing) - 3:,} more" if len(missing) > 3 else "")
    if attempt.num_ambiguous:
        text += f"; {attempt.num_ambiguous:,} of these left out because their name occurs more than once"
    return text


def _nothing_in_common(
    feature_ids: Sequence[str], features: pd.DataFrame, best: _Attempt, where: str, reference: str, noun: str
) -> DataError:
    if noun == "variant":
        return DataError(
            f"no variant in common with {reference}: it knows {_examples(feature_ids)}, the file has {_examples(features.index)}",
            where=where,
            remedy="name variants alike in both files, by rs numbers or by place and alleles",
        )
    ours, theirs = identify(feature_ids), identify(features.index)
    message = (
        f"no {noun} in common with {reference}: it knows {_form(ours)} ({_examples(feature_ids)}), "
        f"the file has {_form(theirs)} ({_examples(features.index)})"
    )
    if best.num_ambiguous:
        message += f"; {best.num_ambiguous:,} names occur more than once and cannot be told apart"
    if ours.type not in (theirs.type, "unknown"):
        remedy = f"add a column with {_form(ours)} to the feature table (adata.var)"
    elif ours.species != theirs.species and "unknown" not in (ours.species, theirs.species):
        remedy = f"{reference} is of {ours.species}, the file of {theirs.species}: add a column with the {ours.species} orthologs"
    else:
        remedy = "are these the right files?" if reference == "the first file" else "are these the right file and the right run?"
    return DataError(message, where=where, remedy=remedy)


def _form(identifiers: Identifiers) -> str:
    species = "" if identifiers.species == "unknown" else f"{identifiers.species} "
    words = {"ensembl": "Ensembl ids", "symbol": "gene symbols", "entrez": "Entrez ids", "unknown": "ids of unknown type"}
    return species + words[identifiers.type]


def _examples(ids: Sequence[str] | pd.Index) -> str:
    shown = [str(name) for name in ids[:3]]
    return ", ".join(shown) + (", …" if len(ids) > 3 else "") if shown else "no feature"


def symbols_of(features: pd.DataFrame) -> list[str]:
    """Return the readable name of every feature.

    It is the value of the first column with a usual name (``gene_symbol``, ``feature_name``, …) that is filled for at least half of
    the features, or the feature's id where that value is empty or there is no such column.

    Parameters
    ----------
    features
        Feature table, indexed by feature id.

    Returns
    -------
    list of str
        One name per feature; names may repeat.
    """
    ids = [str(name) for name in features.index]
    by_name = {str(name).lower(): place for place, name in reversed(list(enumerate(features.columns)))}
    for usual in SYMBOL_COLUMNS:
        names = _strings(features.iloc[:, by_name[usual]]) if usual in by_name else []
        filled = [name.strip().lower() not in _ABSENT for name in names]
        if names and sum(filled) >= len(names) / 2:
            return [name if known else identifier for name, known, identifier in zip(names, filled, ids, strict=True)]
    return ids
