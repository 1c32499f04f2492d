"""What tokenizers of genotypes share: which variants are learned from, in which order, and which of their alleles is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.contracts import TokenizerState
from genoken.core.errors import DataError
from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, OTHER, PHASE_NOT_USED, POSITION, Population, other_strand
from genoken.core.samples import Samples
from genoken.vocabulary.variant_quality import filter_variants

SAME, FLIPPED, ABSENT = 0, 1, 2
"""How a vocabulary's variant stands in a file: it counts the same allele, it counts the other one, or it is not there."""


class QualityRules(Protocol):
    """What settings of a tokenizer ask of a variant in the train split."""

    @property
    def min_call_rate(self) -> float:
        """Smallest share of the samples in which it is called."""

    @property
    def min_frequency(self) -> float:
        """Smallest frequency of the rarer allele."""

    @property
    def min_hardy_weinberg(self) -> float:
        """Smallest p of the exact test of Hardy-Weinberg proportions."""

    @property
    def biallelic(self) -> bool:
        """Whether variants that share their position with another one are left out."""


@dataclass(frozen=True)
class CallMoments:
    """Moments of each variant's dosage over the samples in which it is called.

    Parameters
    ----------
    call_rate
        Share of the samples, shape (variants,).
    mean
        Mean dosage, 0 where nothing is called; half of it is the frequency of the counted allele.
    squares
        Sum of the squared differences from the mean.
    """

    call_rate: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @property
    def frequency(self) -> np.ndarray:
        """Frequency of the counted allele."""
        return self.mean / 2

    @property
    def minor_frequency(self) -> np.ndarray:
        """Frequency of the rarer of the two alleles."""
        return np.minimum(self.frequency, 1 - self.frequency)


def call_moments(values: Calls | sp.csr_matrix) -> CallMoments:
    """Return the moments of dosages (samples, variants), in a matrix NaN where a call is missing."""
    calls = Calls.of(values)
    counts = calls.counts().astype(np.float64)
    called = counts[:3].sum(axis=0)
    mean = np.divide(counts[1] + 2 * counts[2], called, out=np.zeros(calls.num_columns), where=called > 0)
    squares = counts[1] + 4 * counts[2] - called * mean**2
    return CallMoments(called / max(calls.shape[0], 1), mean, np.maximum(squares, 0.0))


def variants_to_keep(train: Samples, rules: QualityRules, *, max_variants: int = 0) -> tuple[np.ndarray, list[list[Any]]]:
    """Return the columns of the variants that are learned from, in the order of the genome, and what each rule left out.

    Parameters
    ----------
    train
        The train split.
    rules
        What is asked of a variant; those that do not vary never stay.
    max_variants
        Most variants; of more, evenly spaced ones along the genome are taken. 0 for no limit.

    Returns
    -------
    tuple
        int64 (variants,), and ``[rule, threshold, variants]`` for each rule and for those kept, for the state's
        :data:`~genoken.core.genotypes.QUALITY`.

    Raises
    ------
    DataError
        When none is left.
    """
    found = filter_variants(
        Calls.of(train.values).counts().T,
        train.features,
        min_call_rate=rules.min_call_rate,
        min_frequency=rules.min_frequency,
        min_hardy_weinberg=rules.min_hardy_weinberg,
        keep_shared_positions=not rules.biallelic,
    )
    table = found.table.to_numpy(dtype=object).tolist()
    if not found.kept.any():
        failed = ", ".join(f"{count:,} fail '{rule}'" for rule, _, count in table[:-1] if count)
        raise DataError(
            f"none of {train.num_features:,} variants is left in the train split: {failed}",
            where=train.origin,
            remedy="ask for less with tokenizer.min_frequency, .min_call_rate, .min_hardy_weinberg or .biallelic, or look at the "
            "file with genoken check",
        )
    columns = genome_order(train.features)
    columns = columns[found.kept[columns]]
    if max_variants and len(columns) > max_variants:
        spaced = columns[np.linspace(0, len(columns) - 1, max_variants).round().astype(np.int64)]
        table[-1:] = [["evenly spaced", f"at most {max_variants:,}", len(columns) - len(spaced)], ["kept", "", len(spaced)]]
        columns = spaced
    return columns, table


def genome_order(features: pd.DataFrame) -> np.ndarray:
    """Return the columns by chromosome, as these first appear in the file, then by position, ties as in the file."""
    codes, _ = pd.factorize(features[CHROMOSOME])
    return np.lexsort((features[POSITION].to_numpy(dtype=np.int64), codes))


def refuse_other_values(samples: Samples, kind: str) -> None:
    """Refuse samples that are no genotypes.

    Raises
    ------
    DataError
        When the values are no dosages, or the feature table lacks what makes a variant.
    """
    if samples.value_kind != "dosage":
        raise DataError(
            f"the values are {samples.value_kind}, and the {kind} tokenizer needs genotypes",
            where=samples.origin,
            remedy="use tokenizer.kind: continuous for expression, or name a PLINK or VCF file",
        )
    absent = [name for name in (CHROMOSOME, POSITION, COUNTED, OTHER) if name not in samples.features]
    if absent:
        raise DataError(f"the variants have no column '{absent[0]}'", where=samples.origin)


def variant_state(train: Samples, columns: np.ndarray, moments: CallMoments, *, center: bool) -> dict[str, Any]:
    """Return ``per_feature`` and ``facts`` of a state.

    Parameters
    ----------
    train
        The train split.
    columns
        Those of the kept variants, in the vocabulary's order.
    moments
        Of all columns.
    center
        Whether tokens hold the dosage minus its train mean.
    """
    features = train.features.iloc[columns]
    codes, _ = pd.factorize(features[CHROMOSOME].astype(str))
    mean = moments.mean[columns]
    deviation = np.sqrt(moments.squares[columns] / train.num_samples)  # missing calls count as the mean
    token_mean = np.zeros_like(mean) if center else mean
    per_feature = {
        "frequency": mean / 2,
        "train_mean": token_mean,
        "train_deviation": deviation,
        "expressed_mean": token_mean,
        "expressed_deviation": deviation,
        "position_bp": features[POSITION].to_numpy(dtype=np.float64),
        "chromosome": codes.astype(np.float64),
    }
    return {"per_feature": per_feature, "facts": variant_facts(features) | {"train_samples": train.num_samples}}


def variant_facts(features: pd.DataFrame) -> dict[str, Any]:
    """Return what a state keeps of its variants, in their order: alleles, names of the chromosomes, build."""
    builds = sorted(set(features[BUILD].astype(str))) if BUILD in features else [""]
    return {
        "counted_allele": features[COUNTED].astype(str).tolist(),
        "other_allele": features[OTHER].astype(str).tolist(),
        "chromosomes": [str(name) for name in pd.unique(features[CHROMOSOME].astype(str))],
        "build": builds[0] if len(builds) == 1 else "",
    }


def orientation_of(features: pd.DataFrame, columns: np.ndarray, facts: Mapping[str, Any]) -> np.ndarray:
    """Return int8 (variants,) of ``SAME``, ``FLIPPED`` or ``ABSENT``; a variant of other alleles counts as absent.

    Alleles that only fit when they are read on the other strand do fit. A file that has such is not to be trusted with variants
    whose alleles read the same on both strands (A/T, C/G): these then count as absent.

    Parameters
    ----------
    features
        Feature table of the file.
    columns
        Where in it each variant of the vocabulary is, -1 for nowhere.
    facts
        Of the vocabulary's state.
    """
    counted, other = _alleles(features, columns)
    own_counted, own_other = _texts(facts["counted_allele"]), _texts(facts["other_allele"])
    found = np.full(len(columns), ABSENT, dtype=np.int8)
    is_there = columns >= 0
    found[is_there & (counted == own_counted) & (other == own_other)] = SAME
    found[is_there & (counted == own_other) & (other == own_counted)] = FLIPPED
    is_open = is_there & (found == ABSENT)
    if is_open.any():
        turned, turned_other = _other_strands(counted), _other_strands(other)
        found[is_open & (turned == own_counted) & (turned_other == own_other)] = SAME
        found[is_open & (turned == own_other) & (turned_other == own_counted)] = FLIPPED
        if (found[is_open] != ABSENT).any():
            found[is_there & (turned == other)] = ABSENT
    return found


def _alleles(features: pd.DataFrame, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the counted and the other allele of each variant of a vocabulary in a file; of one that it lacks, any."""
    place = np.maximum(columns, 0)
    counted, other = (_texts(features[name].astype(str).to_numpy()[place]) for name in (COUNTED, OTHER))
    return counted, other


def _other_strands(alleles: np.ndarray) -> np.ndarray:
    known = {allele: other_strand(allele) for allele in set(alleles)}
    return _texts([known[allele] for allele in alleles])


def _texts(values: Sequence[str]) -> np.ndarray:
    return np.asarray(values, dtype=object)


def unphased_error(samples: Samples, what: str, remedy: str) -> DataError:
    """Return the refusal of samples without a phase, with the reason that the reader gave where their file has one.

    Parameters
    ----------
    samples
        Genotypes.
    what
        What needs the phase, as a sentence without an end.
    remedy
        What to do.
    """
    why = next((note[note.index(PHASE_NOT_USED) :] for note in samples.notes if PHASE_NOT_USED in note), "these are not phased")
    return DataError(f"{what}, and {why}", where=samples.origin, remedy=remedy)


def oriented_calls(samples: Samples, columns: np.ndarray, facts: Mapping[str, Any]) -> Calls:
    """Return genotypes (samples, variants) that count the alleles of a state's facts; absent variants are missing."""
    return _oriented(samples.values, samples, columns, facts, most=2)


def oriented(samples: Samples, columns: np.ndarray, facts: Mapping[str, Any], *, phased: bool) -> sp.csr_matrix:
    """Return what :func:`oriented_calls` does as a matrix, NaN where a call is missing.

    With ``phased`` a single copy on the second strand is -1, and missing where the strand is not known.
    """
    strand = None
    if phased:
        assert samples.first_strand is not None  # noqa: S101
        strand = _oriented(samples.first_strand, samples, columns, facts, most=1)
    return oriented_calls(samples, columns, facts).read(strand)


def _oriented(
    values: Calls | sp.csr_matrix, samples: Samples, columns: np.ndarray, facts: Mapping[str, Any], *, most: int
) -> Calls:
    orientation = orientation_of(samples.features, columns, facts)
    present = np.where(orientation == ABSENT, -1, columns)
    return Calls.of(values).columns(present, orientation == FLIPPED, most=most)


def orientation_notes(samples: Samples, state: TokenizerState) -> tuple[str, ...]:
    """Return sentences on how many variants of the samples count the other allele, and how many cannot be used."""
    columns = samples.features.index.astype(str).get_indexer(list(state.sought()[0]))
    orientation = orientation_of(samples.features, columns, state.facts)
    counted, _ = _alleles(samples.features, columns)
    known = (counted == _texts(state.facts["counted_allele"])) | (counted == _texts(state.facts["other_allele"]))
    turned = int(((orientation != ABSENT) & ~known).sum())
    flipped = int((orientation == FLIPPED).sum())
    foreign = int(((orientation == ABSENT) & (columns >= 0)).sum())
    notes = []
    if flipped:
        notes.append(f"{flipped:,} variants count the other allele than those that the model was trained on; they were flipped")
    if turned:
        notes.append(f"{turned:,} variants have their alleles on the other strand; they were read from there")
    if foreign:
        what = "have other alleles than the model's, or ones that the strands leave open"
        notes.append(f"{foreign:,} variants {what}; they count as missing")
    return tuple(notes)


def imputed(prepared: Calls | sp.csr_matrix, state: TokenizerState) -> sp.csr_matrix:
    """Return dosages (samples, vocabulary) without a sign for the strand, missing calls at twice the train frequency."""
    mean = (2 * state.per_feature["frequency"]).astype(np.float32)
    values = prepared.read() if isinstance(prepared, Calls) else prepared
    data = np.where(np.isnan(values.data), mean[values.indices], np.abs(values.data))
    result = sp.csr_matrix((data, values.indices, values.indptr), shape=values.shape)
    result.has_sorted_indices = result.has_canonical_format = True
    return result


def population(state: TokenizerState, *, phased: bool) -> Population:
    """Return how often each variant has 0, 1 and 2 copies of its counted allele, from its train frequency and variance.

    The shares have the train mean exactly, and the train variance as far as shares between 0 and 1 can; missing calls, which count
    as the mean, make that smaller. With ``phased`` a single copy is 1 on the first strand and -1 on the second.
    """
    mean = 2 * state.per_feature["frequency"]
    two = np.clip((state.per_feature["train_deviation"] ** 2 + mean**2 - mean) / 2, np.maximum(mean - 1, 0), mean / 2)
    one = mean - 2 * two
    if phased:
        return Population((0.0, 1.0, -1.0, 2.0), np.stack([1 - one - two, one / 2, one / 2, two], axis=1))
    return Population((0.0, 1.0, 2.0), np.stack([1 - one - two, one, two], axis=1))
