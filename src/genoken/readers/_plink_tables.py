"""PLINK's tables of samples and variants: .fam and .psam, .bim and .pvar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.core.genotypes import coded_chromosomes, plain_chromosome
from genoken.core.phenotypes import MISSING_WORDS, PhenotypeColumn, missing_notes, phenotype_column
from genoken.readers._inspection import repeated
from genoken.readers._opening import COPY_AGAIN, reason, refuse_by_first_bytes
from genoken.readers._panel import decoded

_FAM = ("FID", "IID", "PAT", "MAT", "SEX", "PHENO1")
_BIM = ("CHROM", "ID", "CM", "POS", "ALT", "REF")
_NAMES = {"FID": "family", "PAT": "father", "MAT": "mother", "SEX": "sex", "PHENO1": "phenotype"}
_SEXES = {"1": "male", "2": "female", "m": "male", "f": "female", "male": "male", "female": "female"}
Spelled = TypeVar("Spelled")
"""What a word of a table stands for."""


@dataclass(frozen=True)
class Variants:
    """The lines of a .bim or .pvar file.

    Parameters
    ----------
    names, chromosomes
        Ids and chromosomes of the variants.
    positions
        In base pairs, int64.
    references
        The allele that is not counted: column 6 of .bim, REF of .pvar.
    alternates
        Of each variant the counted alleles: column 5 of .bim, ALT of .pvar.
    centimorgans
        Genetic positions; ``None`` where all are 0 or there are none.
    meta
        Lines of .pvar that start with ``##``.
    notes
        Sentences, without a full stop, on what was read in another way than it is written.
    """

    names: list[str]
    chromosomes: list[str]
    positions: np.ndarray
    references: list[str]
    alternates: list[list[str]]
    centimorgans: np.ndarray | None
    meta: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def usable(self, where: Path) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return which variants to keep, bool (variants,), and sentences on the others.

        Left out are those at negative positions, as PLINK leaves them out, and those on chromosome 0, whose place is not known;
        where none has a place, all stay.

        Raises
        ------
        DataError
            When none is left.
        """
        is_placed = np.array([name != "0" for name in self.chromosomes], dtype=bool)
        is_negative = self.positions < 0
        keep = ~is_negative & (is_placed | ~is_placed.any())
        if not keep.any():
            raise DataError("no variant in it has a position that is not negative", where=str(where))
        counts = (
            (is_negative, "variants at negative positions are left out"),
            (~is_negative & ~keep, "variants without a place (chromosome 0) are left out"),
        )
        return keep, tuple(f"{said}: {int(found.sum()):,}" for found, said in counts if found.any())


@dataclass(frozen=True)
class _Table:
    columns: dict[str, list[str]]
    meta: tuple[str, ...]
    first_line: int


def read_sample_file(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a .fam or .psam file, separated by spaces or tabs.

    Sex is ``male``, ``female`` or missing. ``0`` means no family, no parent and an unknown sex. Phenotypes are read by
    :func:`genoken.core.phenotypes.phenotype_column`.

    Returns
    -------
    table : pandas.DataFrame
        Indexed by sample id: the individual's, or FAMILY_INDIVIDUAL where individuals of several families have the same.
    notes : tuple of str
        Says so, and which codes were read as missing phenotypes.

    Raises
    ------
    DataError
        When the file cannot be read, a line has too few or too many fields, or people repeat.
    """
    found = _read_table(path, _FAM, ("#FID", "#IID"))
    columns = found.columns
    if "IID" not in columns:
        raise DataError("the table of samples has no column IID", where=str(path))
    num_samples = len(columns["IID"])
    if not num_samples:
        raise DataError("there are no samples in it", where=str(path))
    table: dict[str, Any] = {name: np.full(num_samples, np.nan, dtype=object) for name in _NAMES.values()}
    phenotypes: dict[str, PhenotypeColumn] = {}
    for column, words in columns.items():
        if column in ("FID", "PAT", "MAT"):
            table[_NAMES[column]] = _texts(words, missing=MISSING_WORDS | {"0"})
        elif column == "SEX":
            table["sex"] = np.array([_SEXES.get(word.lower(), np.nan) for word in words], dtype=object)
        elif column not in ("IID", "SID"):
            phenotypes[_NAMES.get(column, column)] = phenotype_column(words, case_codes=True)
    table |= {name: column.values for name, column in phenotypes.items()}
    names, notes = _sample_names(columns, path)
    return pd.DataFrame(table, index=names), (*notes, *missing_notes(phenotypes))


def _texts(words: Sequence[str], missing: frozenset[str]) -> np.ndarray:
    return np.array([np.nan if word.lower() in missing else word for word in words], dtype=object)


def _sample_names(columns: dict[str, list[str]], path: Path) -> tuple[pd.Index, tuple[str, ...]]:
    names = pd.Index(columns["IID"], dtype=object)
    if not names.has_duplicates:
        return names, ()
    families = columns.get("FID", ["0"] * len(names))
    both = pd.Index([f"{family}_{name}" for family, name in zip(families, names, strict=True)], dtype=object)
    if both.has_duplicates:
        remedy = "name samples apart, after making sure that none is in the file twice"
        raise DataError(repeated(names, "sample id"), where=str(path), remedy=remedy)
    return both, ("samples of several families have the same id, so all are named FAMILY_INDIVIDUAL",)


def read_variant_file(path: Path, num_autosomes: int) -> Variants:
    """Read a .bim or .pvar file (.pvar.zst too), separated by spaces or tabs.

    The four numbers after the autosomes are X, Y, XY (the part that both share) and MT, unless there are higher ones.

    Parameters
    ----------
    path
        The file.
    num_autosomes
        How many chromosomes of the species are none of sex.

    Raises
    ------
    DataError
        When the file cannot be read, or a line has too few or too many fields or no position.
    """
    found = _read_table(path, _BIM, ("#CHROM",))
    columns = found.columns
    for name in ("CHROM", "POS", "ID", "REF", "ALT"):
        if name not in columns:
            raise DataError(f"the table of variants has no column {name}", where=str(path))
    if not columns["ID"]:
        raise DataError("there are no variants in it", where=str(path))
    positions = _numbers(columns["POS"], found.first_line, path).astype(np.int64)
    centimorgans = _numbers(columns["CM"], found.first_line, path) if "CM" in columns else None
    chromosomes, notes = _chromosomes(columns["CHROM"], num_autosomes)
    return Variants(
        names=columns["ID"],
        chromosomes=chromosomes,
        positions=positions,
        references=_spelled(columns["REF"], str.upper),
        alternates=_spelled(columns["ALT"], lambda word: word.upper().split(",")),
        centimorgans=centimorgans if centimorgans is not None and np.any(centimorgans != 0) else None,
        meta=found.meta,
        notes=notes,
    )


def _spelled(words: list[str], spelling: Callable[[str], Spelled]) -> list[Spelled]:
    """Return what each word becomes; the few different ones are looked at once, and equal ones are one object."""
    known = {word: spelling(word) for word in set(words)}
    return [known[word] for word in words]


def _numbers(words: list[str], first_line: int, path: Path) -> np.ndarray:
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        numbers = pd.to_numeric(pd.Series(words, dtype=object), errors="coerce")
    bad = int(np.flatnonzero(numbers.isna().to_numpy())[0])
    raise DataError(f"'{words[bad]}' is not a position", where=f"{path}, line {first_line + bad}", remedy="write the file again")


def _chromosomes(words: list[str], num_autosomes: int) -> tuple[list[str], tuple[str, ...]]:
    """Return plain names, those of numbers after the autosomes among them, and a sentence on these."""
    named = {word: plain_chromosome(word) for word in set(words)}
    codes = coded_chromosomes(num_autosomes)
    numbers = {int(name) for name in named.values() if name.isdecimal()}
    used = [code for code in codes if int(code) in numbers]
    genome = f"a genome of {num_autosomes:,} autosomes, which data.autosomes changes"
    if max(numbers, default=0) > num_autosomes + len(codes):
        said = f"chromosomes are numbered up to {max(numbers)}, beyond {genome}; none is taken for X, Y or MT"
        return [named[word] for word in words], (said,)
    named = {word: codes.get(name, name) for word, name in named.items()}
    said = f"chromosome {', '.join(used)} is read as {', '.join(codes[code] for code in used)}, that of {genome}"
    return [named[word] for word in words], (said,) if used else ()


def _read_table(path: Path, usual: Sequence[str], starts: tuple[str, ...]) -> _Table:
    """Read a table with a line of names that starts with one of ``starts``, or without one and with the usual columns."""
    with _opened(path) as handle:
        content = handle.read()
    return _read_at_once(content, usual, starts) or _read_lines(content, path, usual, starts)


def _read_at_once(content: bytes, usual: Sequence[str], starts: tuple[str, ...]) -> _Table | None:
    """Read a table that is as PLINK writes it, many times faster than line by line; ``None`` where something in it is not."""
    import pyarrow
    from pyarrow import csv

    start, meta, names = 0, list[str](), list(usual)
    while content.startswith(b"##", start) and content.find(b"\n", start) >= 0:
        stop = content.index(b"\n", start)
        meta.append(decoded(content[start:stop]))
        start = stop + 1
    head = decoded(content[start:].split(b"\n", 1)[0]) if content.startswith(b"#", start) else ""
    if head and "\t" in head and head.split("\t")[0] in starts:
        names, start = head.lstrip("#").split("\t"), start + len(head.encode()) + 1
    elif head or content.find(b" ", start) >= 0 or content.find(b"\t\t", start) >= 0:
        return None  # separated by anything white
    if b"\r" in content or len(set(names)) < len(names):
        return None
    try:
        found = csv.read_csv(
            pyarrow.py_buffer(content)[start:],
            read_options=csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string())),
        )
    except pyarrow.ArrowInvalid:  # what is wrong is said by who reads line by line
        return None
    columns = {name: found.column(name).to_numpy().tolist() for name in names}
    return _Table(columns, tuple(meta), content.count(b"\n", 0, start) + 1)


def _read_lines(content: bytes, path: Path, usual: Sequence[str], starts: tuple[str, ...]) -> _Table:
    """Read a table line by line, and refuse the first line that does not fit."""
    meta: list[str] = []
    names: list[str] = []
    rows: list[list[str]] = []
    separator: str | None = None
    first_line = 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = decoded(line).rstrip("\r")
        if text.startswith("##"):
            meta.append(text)
        elif not names and text.split(maxsplit=1)[:1] and text.split(maxsplit=1)[0] in starts:
            separator = "\t" if "\t" in text else None
            names = text.lstrip("#").split(separator)
        elif text.strip():
            names = names or list(usual)
            fields = text.split(separator)
            if len(fields) != len(names):
                what = f"the line has {len(fields):,} fields in place of {len(names):,}"
                raise DataError(what, where=f"{path}, line {number}", remedy="write the file again")
            first_line = first_line or number
            rows.append(fields)
    columns = zip(*rows, strict=True) if rows else [()] * len(names or usual)
    return _Table(dict(zip(names or usual, map(list, columns), strict=True)), tuple(meta), first_line)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    refuse_by_first_bytes(path, path.suffix)
    try:
        if path.suffix == ".zst":
            import pyarrow

            with pyarrow.input_stream(str(path), compression="zstd") as stream:
                yield stream
        else:
            with path.open("rb") as handle:
                yield handle
    except (OSError, EOFError) as error:
        raise DataError(f"the file is damaged or cut off ({reason(error)})", where=str(path), remedy=COPY_AGAIN) from error


def companion(path: Path, *endings: str) -> Path:
    """Return the file beside ``path`` that has one of these endings in place of its own.

    Raises
    ------
    DataError
        When there is none.
    """
    stem = path.name[: len(path.name) - len(path.suffix)]
    for ending in endings:
        if (path.parent / f"{stem}{ending}").is_file():
            return path.parent / f"{stem}{ending}"
    names = " or ".join(f"{stem}{ending}" for ending in endings)
    raise DataError(f"there is no {names} beside it", where=str(path), remedy="keep the files of a data set in one folder")
