"""What the input doctor says about the values, the feature ids and repeated samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.samples import Samples
from genoken.data._check_finding import Finding, Level, counted, listed
from genoken.data.row_hashes import sample_hashes
from genoken.vocabulary.genes import LATIN_NAMES, Identifiers, identify

FEW_FEATURES = 1000
_KINDS = {
    "counts": "counts",
    "normalized": "normalized values, not logarithms",
    "log": "log-normalized values",
    "real": "real values of a dense panel",
    "scaled": "scaled values (z-scores)",
    "unknown": "values of unknown kind",
}


def value_findings(samples: Samples, matrices: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return what the used matrix holds, how sparse it is, and its empty samples and constant features."""
    values = samples.values
    used = next((matrix for matrix in matrices if matrix["used"]), None)
    evidence = str(used["evidence"]) if used else ""
    name = str(used["name"]) if used else samples.origin
    level: Level = "ok" if samples.value_kind in ("counts", "log", "normalized", "real") else "warning"
    findings = [
        Finding(level, f"{name} holds {_KINDS[samples.value_kind]}", evidence, "" if level == "ok" else "use counts if you can")
    ]
    if values.nnz and samples.value_kind == "unknown" and float(values.data.min()) < 0:
        detail = f"{counted(int(np.count_nonzero(values.data < 0)), 'value')} below 0"
        findings.append(Finding("warning", "Negative values", detail, "counts and their logarithms are never negative: use those"))
    density = values.nnz / (values.shape[0] * values.shape[1])
    per_sample = np.diff(values.indptr)
    sign = "other than" if samples.value_kind == "real" else "above"
    findings.append(
        Finding(
            "ok",
            f"{1 - density:.0%} of the values are 0",
            f"a sample has {int(np.median(per_sample)):,} features {sign} 0 (median)",
        )
    )
    findings += _empty_samples(samples, per_sample)
    findings += _constant_features(samples)
    if samples.value_kind == "counts" and samples.num_features < FEW_FEATURES:
        detail = "normalizing by a sample's total uses these features alone, not the whole library"
        findings.append(
            Finding("warning", f"Only {counted(samples.num_features, 'feature')}", detail, "use all genes if you have them")
        )
    return findings


def _empty_samples(samples: Samples, per_sample: np.ndarray) -> list[Finding]:
    empty = np.flatnonzero(per_sample == 0)
    if not len(empty):
        return [Finding("ok", "No empty samples", "every sample has a value above 0")]
    names = (
        listed([str(samples.table.index[row]) for row in empty[:6]], 3)
        if len(empty) <= 6
        else listed([str(name) for name in samples.table.index[empty]], 3)
    )
    level: Level = "error" if len(empty) == samples.num_samples else "warning"
    return [
        Finding(
            level, counted(len(empty), "empty sample"), f"all values are 0 in {names}", "they are left out, or refused by --strict"
        )
    ]


def _constant_features(samples: Samples) -> list[Finding]:
    values = samples.values
    stored = np.bincount(values.indices, minlength=values.shape[1])
    low = np.full(values.shape[1], np.inf)
    high = np.full(values.shape[1], -np.inf)
    np.minimum.at(low, values.indices, values.data)
    np.maximum.at(high, values.indices, values.data)
    constant = int(np.count_nonzero((stored == 0) | ((stored == values.shape[0]) & (low == high))))
    if not constant:
        return []
    names = [str(name) for name in samples.features.index[(stored == 0)]]
    detail = f"nothing can be learned from them{', for example ' + listed(names[:3]) if names else ''}"
    return [Finding("ok", f"{constant:,} of {counted(samples.num_features, 'feature')} are constant", detail)]


def duplicate_findings(samples: Samples, labels: pd.Series | None, groups: pd.Series | None) -> list[Finding]:
    """Return whether samples repeat each other exactly, and whether copies differ in label or group."""
    filled = np.flatnonzero(np.diff(samples.values.indptr) > 0)
    hashes = sample_hashes(samples)[filled]
    _, first, which, counts = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    num_copies = int((counts - 1).sum())
    if not num_copies:
        return [Finding("ok", "No repeated samples", "no two samples have the same values")]
    copies = np.flatnonzero(counts[which] > 1)
    names = samples.table.index[filled]
    repeated = copies[first[which[copies]] != copies]
    example = f"{names[repeated[0]]} equals {names[first[which[repeated[0]]]]}"
    detail = f"{counted(num_copies, 'sample')} repeat another one exactly, for example {example}"
    for column, what in ((labels, "label"), (groups, "group")):
        if column is not None:
            codes = pd.factorize(column.iloc[filled[copies]])[0]
            differing = pd.Series(codes).groupby(which[copies]).nunique()
            if (differing > 1).any():
                detail += f"; {counted(int((differing > 1).sum()), 'set')} of copies differ in {what}"
    return [Finding("warning", "Repeated samples", detail, "keep one of each: copies in train and test make the test too easy")]


def identifier_findings(samples: Samples) -> tuple[Identifiers, list[Finding]]:
    """Return what the feature ids are, with the species from the sample table where it is given there."""
    found = identify(samples.features.index)
    named = named_species(samples.table)
    findings = []
    if named and found.type == "ensembl" and found.species not in ("unknown", named):
        detail = f"the ids are of {found.species}, the sample table says {named}"
        findings.append(Finding("warning", "Two species", detail, "check which genome the reads were counted on"))
    elif named:
        found = Identifiers(found.type, named, versions=found.versions, duplicates=found.duplicates)
    words = {"ensembl": "Ensembl ids", "symbol": "gene symbols", "entrez": "Entrez ids", "unknown": "ids of unknown type"}
    title = f"Features have {words[found.type]}" + ("" if found.species == "unknown" else f", {found.species}")
    examples = f"for example {listed([str(name) for name in samples.features.index[:3]])}"
    detail = examples + ("; with versions, which are not compared" if found.versions else "")
    if found.type == "symbol" and found.species == "human" and not named:
        detail += "; other species write symbols in capitals too"
    level: Level = "ok" if found.type != "unknown" else "warning"
    findings.append(
        Finding(level, title, detail, "" if level == "ok" else "other files will need the very same ids to be used with the model")
    )
    if found.duplicates:
        detail = f"{found.duplicates:,} of {counted(samples.num_features, 'feature name')} repeat an earlier one"
        findings.append(
            Finding("error", "Repeated feature names", detail, "add up their columns or rename them: adata.var_names_make_unique()")
        )
    if found.type == "unknown" and identify(samples.table.index).type == "ensembl":
        findings.append(
            Finding("error", "The matrix looks transposed", "the samples are named like genes", "transpose it: adata.T")
        )
    return found, findings


def named_species(table: pd.DataFrame) -> str:
    """Return the species that an ``organism`` or ``species`` column gives for all samples, or nothing."""
    for name in table:
        if str(name).lower() in ("organism", "species"):
            values = table[name].dropna().astype(str).unique()
            if len(values) == 1 and values[0].strip():
                return LATIN_NAMES.get(values[0].strip().lower(), values[0].strip())
    return ""


def memory_mb(samples: Samples) -> float:
    """Return the memory for the values, the prepared copy that training works on, and the tables, in MB (10^6 bytes)."""
    values = samples.values
    arrays = (values.packed,) if isinstance(values, Calls) else (values.data, values.indices, values.indptr)
    matrix = sum(array.nbytes for array in arrays)
    tables = samples.table.memory_usage(deep=True).sum() + samples.features.memory_usage(deep=True).sum()
    return float(2 * matrix + tables) / 1e6
