"""What a list of feature identifiers is: Ensembl ids, gene symbols, Entrez numbers; of which species; with versions or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

IdentifierType = Literal["ensembl", "symbol", "entrez", "unknown", "variant"]

ENSEMBL_SPECIES: dict[str, str] = {
    "ENS": "human",
    "ENSMUS": "mouse",
    "ENSRNO": "rat",
    "ENSSSC": "pig",
    "ENSDAR": "zebrafish",
    "ENSBTA": "cow",
    "ENSGAL": "chicken",
    "ENSMMU": "rhesus macaque",
    "ENSMFA": "crab-eating macaque",
    "ENSCJA": "marmoset",
    "ENSPTR": "chimpanzee",
    "ENSCAF": "dog",
    "ENSFCA": "cat",
    "ENSOCU": "rabbit",
    "ENSOAR": "sheep",
    "ENSECA": "horse",
    "ENSXET": "frog",
    "WBGene": "worm",
    "FBgn": "fly",
}
"""Prefix of a gene's id in Ensembl to the species (Ensembl takes over WormBase's and FlyBase's ids as they are)."""

LATIN_NAMES: dict[str, str] = {
    "homo sapiens": "human",
    "mus musculus": "mouse",
    "rattus norvegicus": "rat",
    "sus scrofa": "pig",
    "danio rerio": "zebrafish",
    "bos taurus": "cow",
    "gallus gallus": "chicken",
    "macaca mulatta": "rhesus macaque",
    "macaca fascicularis": "crab-eating macaque",
    "callithrix jacchus": "marmoset",
    "pan troglodytes": "chimpanzee",
    "caenorhabditis elegans": "worm",
    "drosophila melanogaster": "fly",
}
"""Latin name, lower case, to the word used here."""

MIN_SHARE = 0.8
"""Share of the ids that must have one form for the whole list to be called by it."""
_ENSEMBL = re.compile(r"(ENS[A-Z]{0,4}?)[GTP]\d{11}(?:\.(\d+))?(_PAR_Y)?|(WBGene)\d{8}|(FBgn)\d{7}")
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9._/@:()'\[\]\-]{0,39}")
_MEANINGLESS = re.compile(r"(gene|feature|var|probe|g|f|x|v)[ _.-]?\d+|[ACGT]{10,}([-._].*)?", re.IGNORECASE)
_WORM = re.compile(r"[a-z]{3,4}-\d+(\.\d+)?|[A-Z]\w*\d+\.\d+[a-z]?|21ur-\d+")
_ENTREZ = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Identifiers:
    """What a list of feature ids is.

    Parameters
    ----------
    type
        ``ensembl`` (also WormBase and FlyBase ids, which Ensembl uses), ``symbol``, ``entrez`` or ``unknown``; of genotypes
        ``variant``.
    species
        Common name, as ``human`` or ``pig``; certain for Ensembl ids, a guess from capitals and mitochondrial names for symbols;
        ``unknown`` otherwise. Capital symbols are called human, although pig, cow and others share them.
    versions
        Whether ids end in an Ensembl version such as ``.14``.
    duplicates
        Number of ids that repeat an earlier one.
    """

    type: IdentifierType
    species: str
    versions: bool
    duplicates: int


def identify(ids: Iterable[str]) -> Identifiers:
    """Say what a list of feature ids is: the form that at least 80 % of them have.

    Parameters
    ----------
    ids
        Feature ids; empty ones are not looked at, except as duplicates.

    Returns
    -------
    Identifiers
        Type, species, versions and duplicates.
    """
    listed = [str(identifier) for identifier in ids]
    duplicates = len(listed) - len(set(listed))
    named = [identifier for identifier in listed if identifier.strip()]
    if not named:
        return Identifiers("unknown", "unknown", versions=False, duplicates=duplicates)
    matches = [match for match in map(_ENSEMBL.fullmatch, named) if match]
    if len(matches) >= MIN_SHARE * len(named):
        versions = sum(match.group(2) is not None for match in matches) > len(matches) / 2
        return Identifiers("ensembl", _ensembl_species(matches), versions=versions, duplicates=duplicates)
    if _share(_ENTREZ, named) >= MIN_SHARE:
        return Identifiers("entrez", "unknown", versions=False, duplicates=duplicates)
    if _share(_SYMBOL, named) >= MIN_SHARE and _share(_MEANINGLESS, named) < 0.5:
        return Identifiers("symbol", _symbol_species(named), versions=False, duplicates=duplicates)
    return Identifiers("unknown", "unknown", versions=False, duplicates=duplicates)


def _share(pattern: re.Pattern[str], ids: Sequence[str]) -> float:
    return sum(pattern.fullmatch(identifier) is not None for identifier in ids) / len(ids)


def _ensembl_species(matches: Sequence[re.Match[str]]) -> str:
    """Return the species of the prefixes, joined by ``and`` when several have at least a tenth of the ids each."""
    counts: dict[str, int] = {}
    for match in matches:
        prefix = match.group(1) or match.group(4) or match.group(5)
        species = ENSEMBL_SPECIES.get(prefix, "unknown")
        counts[species] = counts.get(species, 0) + 1
    common = [species for species, count in sorted(counts.items(), key=lambda item: -item[1]) if count >= 0.1 * len(matches)]
    return " and ".join(common)


def _symbol_species(ids: Sequence[str]) -> str:
    if any(identifier.startswith("MT-") for identifier in ids) and _capitals(ids) > 0.7:
        return "human"
    if any(identifier.startswith("Mt-") for identifier in ids) or any(re.fullmatch(r"RGD\d{5,}", identifier) for identifier in ids):
        return "rat"
    if _share(_WORM, ids) > 0.5:
        return "worm"
    if _share(re.compile(r"CG\d{4,5}|CR\d{5}"), ids) > 0.05:
        return "fly"
    if _capitals(ids) > 0.8:
        return "human"
    lower = sum(identifier == identifier.lower() for identifier in ids) / len(ids)
    if lower > 0.6:
        return "zebrafish"
    title = _share(re.compile(r"[A-Z][a-z0-9.\-]+|\d\w*Rik|mt-\w+|Gm\d+|[A-Z]{2}\d{6}"), ids)
    return "mouse" if title > 0.6 else "unknown"


def _capitals(ids: Sequence[str]) -> float:
    """Return the share of symbols in capitals; the ``orf`` of C1orf112 does not count as lower case."""
    return sum(identifier.replace("orf", "") == identifier.upper().replace("ORF", "") for identifier in ids) / len(ids)


def normalize(ids: Iterable[str]) -> list[str]:
    """Return the ids with Ensembl versions removed: ``ENSG00000141510.18`` becomes ``ENSG00000141510``.

    Only Ensembl ids change: the dot in the symbol ``AC012345.1`` stays. ``ENSG00000182378.14_PAR_Y`` becomes
    ``ENSG00000182378_PAR_Y``: it is the copy on chromosome Y, a feature of its own.
    """
    return [_without_version(str(identifier)) for identifier in ids]


def _without_version(identifier: str) -> str:
    match = _ENSEMBL.fullmatch(identifier)
    if match is None or match.group(2) is None:
        return identifier
    return identifier[: match.start(2) - 1] + (match.group(3) or "")
