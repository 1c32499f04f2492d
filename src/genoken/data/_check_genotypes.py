"""What the input doctor says about genotypes: missing calls, allele frequencies, alleles, people who are there twice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, OTHER
from genoken.core.samples import Samples
from genoken.data._check_finding import Finding, Level, counted, listed
from genoken.data.genotypes.region import REMEDY, one_region
from genoken.data.genotypes.relatedness import DUPLICATE
from genoken.data.genotypes.relatives import duplicates
from genoken.data.monomorphic import monomorphic
from genoken.vocabulary.genes import Identifiers

HIGH_MISSING = 0.1
"""Share of missing calls from which a sample or a variant is named."""
_FREQUENCIES = (0.01, 0.05, 0.2, 0.5)
_MOST_COMPARED_SAMPLES = 5000
_AMBIGUOUS = frozenset({("A", "T"), ("T", "A"), ("C", "G"), ("G", "C")})
_TABLE_COLUMNS = ("sex", "phenotype", "family")


@dataclass(frozen=True)
class _Counts:
    """Missing calls of each sample and variant, and of each variant the frequency of its counted allele (NaN: no call)."""

    missing_of_sample: np.ndarray
    missing_of_variant: np.ndarray
    frequency: np.ndarray

    @property
    def minor(self) -> np.ndarray:
        """Frequency of each variant's rarer allele."""
        return np.minimum(self.frequency, 1 - self.frequency)


def variant_identifiers(samples: Samples) -> tuple[Identifiers, list[Finding]]:
    """Return that the features are variants; nothing is to be said about their ids."""
    repeats = int(samples.features.index.duplicated().sum())
    return Identifiers("variant", "unknown", versions=False, duplicates=repeats), []


def genotype_findings(samples: Samples) -> list[Finding]:
    """Return what genotypes hold, what is missing, rare, ambiguous or there twice, and what the sample table says of people."""
    counts = _count(samples)
    return [
        _content(samples),
        *_missing_calls(samples, counts),
        *_frequencies(samples, counts),
        *_alleles(samples),
        *_same_people(samples),
        *_region(samples),
        *_columns(samples.table),
    ]


def _count(samples: Samples) -> _Counts:
    calls = Calls.of(samples.values)
    counts = calls.counts()
    with np.errstate(invalid="ignore"):
        frequency = (counts[1] + 2 * counts[2]) / (2 * counts[:3].sum(axis=0))
    return _Counts(calls.missing_of_samples(), counts[3], frequency)


def _content(samples: Samples) -> Finding:
    chromosomes = [name for name in dict.fromkeys(samples.features[CHROMOSOME]) if name]
    builds = sorted(set(samples.features[BUILD]) - {""})
    where = f"on {counted(len(chromosomes), 'chromosome')} ({listed(chromosomes)})" if chromosomes else "on no named chromosome"
    phase = "the phase is known" if samples.first_strand is not None else "the phase is not known"
    title = f"Genotypes of {counted(samples.num_samples, 'sample')} at {counted(samples.num_features, 'variant')} {where}"
    return Finding("ok", title, f"genome build {listed(builds) if builds else 'not known'}; {phase}")


def _missing_calls(samples: Samples, counts: _Counts) -> list[Finding]:
    size = max(samples.num_samples * samples.num_features, 1)
    findings = [
        Finding("ok", f"{counts.missing_of_sample.sum() / size:.2%} of the calls are missing", "over all samples and variants")
    ]
    empty = counts.missing_of_sample == samples.num_features
    if empty.any():
        level: Level = "error" if empty.all() else "warning"
        title = f"{counted(int(empty.sum()), 'sample')} without any call"
        findings.append(Finding(level, title, listed(list(samples.table.index[empty])), "left out, or refused by --strict"))
    uncalled = counts.missing_of_variant == samples.num_samples
    for share, skipped, names, noun in (
        (counts.missing_of_sample / samples.num_features, empty, samples.table.index, "sample"),
        (counts.missing_of_variant / samples.num_samples, uncalled, samples.features.index, "variant"),
    ):
        bad = np.flatnonzero((share > HIGH_MISSING) & ~skipped)
        if len(bad):
            worst = bad[np.argsort(-share[bad], kind="stable")][:3]
            detail = "the worst: " + listed([f"{names[place]} ({share[place]:.0%})" for place in worst])
            title = f"{counted(len(bad), noun)} with more than {HIGH_MISSING:.0%} of the calls missing"
            findings.append(Finding("warning", title, detail, f"consider leaving these {noun}s out"))
    return findings


def _frequencies(samples: Samples, counts: _Counts) -> list[Finding]:
    called = counts.missing_of_variant < samples.num_samples
    minor = counts.minor[called]
    useless = monomorphic(samples)
    is_same = useless[called]
    bounds = (0.0, *_FREQUENCIES)
    parts = []
    for low, high in pairwise(bounds):
        inside = ~is_same & (minor >= low) & ((minor < high) | (high == _FREQUENCIES[-1]))
        parts.append(f"{int(inside.sum()):,} {f'below {high:.0%}' if not low else f'from {low:.0%} to {high:.0%}'}")
    findings = [Finding("ok", "Frequencies of the rarer allele", "variants: " + ", ".join(parts))]
    num_useless = int(useless.sum())
    if num_useless:
        level: Level = "error" if num_useless == samples.num_features else "ok"
        what = counted(num_useless, "monomorphic variant")
        detail = "all samples have the same genotype, or no call: nothing can be learned from them"
        findings.append(Finding(level, what, detail, "they are left out of training"))
    return findings


def _alleles(samples: Samples) -> list[Finding]:
    pairs = list(zip(samples.features[COUNTED], samples.features[OTHER], strict=True))
    ambiguous = sum(pair in _AMBIGUOUS for pair in pairs)
    longer = sum(len(first) > 1 or len(second) > 1 for first, second in pairs)
    if not any(first or second for first, second in pairs):
        return [Finding("warning", "No alleles are named", "another file's calls cannot be told to count the same alleles")]
    detail = "with alleles A and T or C and G: another file's strand cannot be told from them"
    findings = [Finding("ok", f"{ambiguous:,} of {counted(len(pairs), 'variant')} are strand-ambiguous", detail)]
    if longer:
        title = f"{longer:,} {'variant is' if longer == 1 else 'variants are'} not of single bases"
        findings.append(Finding("ok", title, "insertions, deletions and others"))
    return findings


def _same_people(samples: Samples) -> list[Finding]:
    """Name samples that are one person typed twice, or identical twins, where the variants can tell."""
    if samples.num_samples < 2:
        return []
    if samples.num_samples > _MOST_COMPARED_SAMPLES:
        detail = f"{samples.num_samples:,} samples are more than the {_MOST_COMPARED_SAMPLES:,} that are compared here"
        return [Finding("ok", "Samples were not compared", detail)]
    pairs = duplicates(samples)
    if pairs is None:
        return [Finding("ok", "Samples were not compared", "too few variants without linkage to tell repeats from chance")]
    if not len(pairs):
        return [Finding("ok", "No repeated samples", f"no two samples have a kinship above {DUPLICATE}")]
    first, second = (str(samples.table.index[pairs[name].iloc[0]]) for name in ("first", "second"))
    detail = f"{counted(len(pairs), 'pair')} with a kinship above {DUPLICATE}, for example {first} and {second}"
    return [Finding("warning", "Repeated samples", detail, "keep one of each: copies in train and test make the test too easy")]


def _region(samples: Samples) -> list[Finding]:
    """Say that components are no ancestry where all variants are of one region."""
    region = one_region(samples.features)
    if not region:
        return []
    detail = f"{region}: principal components are those of the region, and take causal effects away from the network"
    return [Finding("warning", "All variants are of one region", detail, f"{REMEDY}--principal-components 0")]


def no_family_findings() -> list[Finding]:
    """Return that no column says who is related to whom."""
    detail = "a random split is too easy when relatives are on both sides"
    remedy = "if there are families, add that column (--phenotypes FILE) and name it with --group"
    return [Finding("warning", "No family column was found", detail, remedy)]


def _columns(table: pd.DataFrame) -> list[Finding]:
    found = []
    for name in _TABLE_COLUMNS:
        if name not in table or not table[name].notna().any():
            continue
        counts = table[name].value_counts().sort_index()
        shown = [f"{count:,} of {value:g}" if isinstance(value, float) else f"{count:,} {value}" for value, count in counts.items()]
        found.append(f"{name} ({listed(shown) if len(counts) <= 5 else f'{len(counts):,} values'})")
    if not found:
        return [Finding("ok", "No sex, phenotype or family", "add columns with --phenotypes FILE")]
    return [Finding("ok", "The sample table has " + ", ".join(name.split(" ")[0] for name in found), "; ".join(found))]
