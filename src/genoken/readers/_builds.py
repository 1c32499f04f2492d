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
    "NCBI36": r"ncbi36|hg18|b36",
    "GRCh37": r"grch37|hg19|b37|hs37|g1k_v37|assembly19",
    "GRCh38": r"grch38|hg38|b38|hs38|assembly38",
}
_NAMES = {build: re.compile(rf"(?<![a-z0-9])(?:{words})(?!\d)") for build, words in _WORDS.items()}
"""What names of references begin a word with; patches and decoys may follow, as in ``GRCh38.p14`` and ``hs37d5``."""
_REMEDY = "bring all positions to one build"
_CONTIG = re.compile(r"##contig=<(.*)>")
_FIELD = re.compile(r"(\w+)=([^,>]*)")


def build_of_header(lines: Sequence[str], where: str) -> str:
    """Return the build that header lines speak of: by the lengths of contigs, else by names of assemblies and of the reference.

    Of a path only the name of the file counts: folders are named by people.

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
    for build_of in (_of_length, _of_words):
        found: dict[str, str] = {}
        for line in lines:
            build = build_of(line)
            if build:
                found.setdefault(build, line[:80])
        if len(found) > 1:
            said = ", ".join(f"{build} ({line})" for build, line in sorted(found.items()))
            raise DataError(f"the header speaks of {len(found)} genome builds: {said}", where=where, remedy=_REMEDY)
        if found:
            return next(iter(found))
    return ""


def _fields(line: str) -> dict[str, str]:
    match = _CONTIG.match(line)
    return {name.lower(): value.strip('"') for name, value in _FIELD.findall(match.group(1))} if match else {}


def _of_length(line: str) -> str:
    fields = _fields(line)
    name, length = fields.get("id", "").removeprefix("chr"), fields.get("length", "")
    return next((build for build, lengths in _LENGTHS.items() if str(lengths.get(name)) == length), "")


def _of_words(line: str) -> str:
    is_named = line.startswith(("##reference=", "##assembly="))
    text = line.partition("=")[2] if is_named else _fields(line).get("assembly", "")
    name = re.split(r"[/\\]", text.strip().rstrip("/\\"))[-1].lower()
    return next((build for build, words in _NAMES.items() if words.search(name)), "")
