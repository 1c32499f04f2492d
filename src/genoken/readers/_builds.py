"""The human genome build that the header of a VCF or .pvar file speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genoken.core.errors import DataError

_LENGTHS = {
    "NCBI36": {"1": 247249719, "2": 242951149, "20": 62435964, "22": 49691432, "X": 154913754},
    "GRCh37": {"1": 249250621, "2": 243199373, "20": 63025520, "22": 51304566, "X": 155270560},
    "GRCh38": {"1": 248956422, "2": 242193529, "20": 64444167, "22": 50818468, "X": 156040895},
}
"""Lengths of chromosomes, by which a build is known; others of a build are looked up in none of these."""
_WORDS = {
    "NCBI36": ("ncbi36", "hg18", "b36"),
    "GRCh37": ("grch37", "hg19", "b37", "hs37", "g1k_v37"),
    "GRCh38": ("grch38", "hg38", "b38", "hs38"),
}
_REMEDY = "bring all positions to one build"
_CONTIG = re.compile(r"##contig=<(.*)>")
_FIELD = re.compile(r"(\w+)=([^,>]*)")


def build_of_header(lines: Sequence[str], where: str) -> str:
    """Return the build that header lines speak of, by the lengths of contigs, their assembly or the reference; else nothing.

    Parameters
    ----------
    lines
        Lines that start with ``##``.
    where
        The file, for messages.

    Raises
    ------
    DataError
        When they speak of several.
    """
    found: dict[str, str] = {}
    for line in lines:
        build = _of_contig(line) or _of_words(line)
        if build:
            found.setdefault(build, line[:80])
    if len(found) > 1:
        said = ", ".join(f"{build} ({line})" for build, line in sorted(found.items()))
        raise DataError(f"the header speaks of {len(found)} genome builds: {said}", where=where, remedy=_REMEDY)
    return next(iter(found), "")


def _of_contig(line: str) -> str:
    match = _CONTIG.match(line)
    if not match:
        return ""
    fields = {name.lower(): value.strip('"') for name, value in _FIELD.findall(match.group(1))}
    name, length = fields.get("id", "").removeprefix("chr"), fields.get("length", "")
    of_length = [build for build, lengths in _LENGTHS.items() if str(lengths.get(name)) == length]
    return of_length[0] if of_length else _named(fields.get("assembly", ""))


def _of_words(line: str) -> str:
    return _named(line.partition("=")[2]) if line.startswith(("##reference=", "##assembly=")) else ""


def _named(text: str) -> str:
    plain = text.lower()
    return next((build for build, words in _WORDS.items() if any(word in plain for word in words)), "")
