"""From an AnnData object to Samples: which of its matrices holds usable values, and whether names are unique."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.errors import DataError, suggestion
from genoken.core.matrix import LOG_MAXIMUM, MatrixState, describe_matrix, find_non_finite, non_finite_error, to_csr
from genoken.core.samples import Samples, ValueKind
from genoken.readers._genotypes import STRAND_LAYER, Genotypes, calls_of, inspect_genotypes, is_genotype_table
from genoken.readers._inspection import Inspection, MatrixInfo, repeated

if TYPE_CHECKING:
    from anndata import AnnData

COUNT_LAYERS = ("counts", "raw_counts")
"""Layers that are looked into for counts, lower case."""
USABLE: tuple[ValueKind, ...] = ("counts", "log", "normalized", "real")
"""Kinds of values that ``auto`` accepts."""
PANEL_DENSITY = 0.9
"""Share of values that are not 0 from which a panel counts as dense."""


def samples_from_anndata(adata: AnnData, source: str = "auto", origin: str = "AnnData") -> Samples:
    """Take samples out of an AnnData object.

    With ``auto`` the values are, in this order: X if it is counts; a layer named ``counts`` or ``raw_counts`` that holds counts; X
    if it is log or normalized; raw (with its own features) if that is counts, log or normalized.

    Parameters
    ----------
    adata
        Any AnnData object, also a view or one that is backed by a file. It is not changed; the values may share its memory.
    source
        ``auto``, ``X``, ``raw`` or ``layers/NAME``.
    origin
        File name, for messages.

    Returns
    -------
    Samples
        With ``origin`` extended by the matrix, as ``cells.h5ad:raw``.

    Raises
    ------
    DataError
        When the source does not exist, ``auto`` finds no usable values, values are not finite, or names occur twice.
    """
    return inspect_anndata(adata, source, origin).usable()


def list_matrices(adata: AnnData, source: str = "auto") -> list[MatrixInfo]:
    """Describe X, raw and all layers, and mark the one that ``source`` leads to (none, when it leads nowhere)."""
    states = _states(adata, "AnnData")
    try:
        used = choose_matrix(states, source, "AnnData")
    except DataError:
        used = ""
    return [MatrixInfo(name, state, name == used) for name, state in states.items()]


def inspect_anndata(adata: AnnData, source: str = "auto", origin: str = "AnnData", *, panel: bool = False) -> Inspection:
    """Read like :func:`samples_from_anndata`, but collect the problems instead of stopping at the first.

    Parameters
    ----------
    adata, source, origin
        See :func:`samples_from_anndata`.
    panel
        Whether the object is a panel of measurements: matrices that are dense and hold no counts are then ``real``.

    Raises
    ------
    DataError
        When it is no AnnData object, or there is nothing to look at: no sample, no feature, no matrix at all, or a source that does
        not exist.
    """
    if not hasattr(adata, "obs") or not hasattr(adata, "layers"):
        raise DataError(f"{type(adata).__name__} is no AnnData object", where=origin, remedy="give one, or the path of a file")
    if not adata.n_obs:
        raise DataError("there are no samples in it", where=origin)
    if is_genotype_table(adata.var):
        return _inspect_genotypes(adata, source, origin)
    states = {name: _as_panel(state) if panel else state for name, state in _states(adata, origin).items()}
    if not states:
        raise DataError("it holds no matrix: X, raw and layers are all empty", where=origin)
    problems: list[DataError] = []
    try:
        used = choose_matrix(states, source, origin)
    except DataError as error:
        if source != "auto":
            raise
        problems.append(error)
        used = next(iter(states))
    where = f"{origin}:{used}"
    features = _table(adata.raw.var if used == "raw" else adata.var)
    if not len(features):
        raise DataError("there are no features in it", where=where)
    table = _table(adata.obs)
    problems += _duplicates(features.index, table.index, origin, in_raw=used == "raw")
    values = to_csr(_matrix(adata, used), where)
    found = find_non_finite(values)
    if found:
        problems.insert(0, non_finite_error(found, where))
        values = values.copy()
        values.data[~np.isfinite(values.data)] = 0
        values.eliminate_zeros()
    if states[used].kind in USABLE and states[used].kind != "real" and values.nnz and float(values.data.min()) < 0:
        problems.insert(0, _negative_error(values, states[used].kind, where))
    samples = Samples(values=values, table=table, features=features, value_kind=states[used].kind, origin=where)
    matrices = tuple(MatrixInfo(name, state, name == used) for name, state in states.items())
    return Inspection(samples=samples, matrices=matrices, problems=tuple(problems))


def _inspect_genotypes(adata: AnnData, source: str, origin: str) -> Inspection:
    """Read X as copies of each variant's counted allele, and the layer ``first_strand`` where there is one."""
    name = "X" if source == "auto" else source
    matrices = [matrix for matrix in ("X", *(f"layers/{layer}" for layer in adata.layers)) if matrix != "X" or adata.X is not None]
    if name not in matrices:
        raise DataError(f"no matrix '{source}'", where=origin, remedy=suggestion(source, matrices, "there are"))
    where = f"{origin}:{name}"
    features = _table(adata.var)
    if not len(features):
        raise DataError("there are no features in it", where=where)
    strand = adata.layers[STRAND_LAYER] if STRAND_LAYER in adata.layers and name == "X" else None
    found = Genotypes(
        calls=calls_of(_matrix(adata, name), where, most=2),
        variants=features,
        table=_table(adata.obs),
        first_strand=None if strand is None else calls_of(strand, f"{origin}:layers/{STRAND_LAYER}", most=1),
    )
    return inspect_genotypes(found, where, name)


def _as_panel(state: MatrixState) -> MatrixState:
    """Call dense values ``real`` that are no counts: log2 intensities and z-scores look like logarithms and scaled values.

    Small numbers with one total in every sample are quantile-normalized logarithms; large ones are normalized as any others.
    """
    is_normalized = state.kind == "normalized" and state.maximum >= LOG_MAXIMUM
    if state.kind == "counts" or is_normalized or state.density < PANEL_DENSITY:
        return state
    evidence = f"measurements from {state.minimum:.3g} to {state.maximum:.3g}, hardly any of them 0"
    return replace(state, kind="real", evidence=evidence)


def _negative_error(values: sp.csr_matrix, kind: ValueKind, where: str) -> DataError:
    """Return the error for negative values among those that looked like counts or logarithms in the rows that were looked at."""
    count = int(np.count_nonzero(values.data < 0))
    return DataError(
        f"{count:,} {'value is' if count == 1 else 'values are'} negative, though most of the matrix looks like {kind}",
        where=where,
        remedy="find out where they come from, or leave out the samples that hold them",
    )


def _states(adata: AnnData, origin: str) -> dict[str, MatrixState]:
    """Describe every matrix that holds real numbers."""
    names = ["X"] if adata.X is not None else []
    names += ["raw"] if adata.raw is not None and adata.raw.X is not None else []
    names += [f"layers/{name}" for name in adata.layers]
    return {name: describe_matrix(matrix, f"{origin}:{name}") for name in names if _holds_numbers(matrix := _matrix(adata, name))}


def _holds_numbers(matrix: Any) -> bool:
    dtype = getattr(matrix, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "buif" and len(matrix.shape) == 2


def _matrix(adata: AnnData, name: str) -> Any:
    if name == "X":
        return adata.X
    if name == "raw":
        return adata.raw.X
    return adata.layers[name.removeprefix("layers/")]


def _table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table whose index holds strings."""
    table = table.copy()
    table.index = table.index.astype(str)
    return table


def choose_matrix(states: Mapping[str, MatrixState], source: str, where: str) -> str:
    """Return the name of the matrix that holds the values to use; see :func:`samples_from_anndata` for the order.

    Parameters
    ----------
    states
        Name (``X``, ``raw``, ``layers/NAME``) to what its values are.
    source
        ``auto`` or one of these names.
    where
        File, for messages.

    Raises
    ------
    DataError
        When the named matrix does not exist, or ``auto`` finds none that is usable; the message says what every matrix holds.
    """
    if source != "auto":
        return _named_matrix(states, source, where)
    for name in ("X", *_count_layers(states)):
        if name in states and states[name].kind == "counts":
            return name
    for name in ("X", "raw"):
        if name in states and states[name].kind in USABLE:
            return name
    raise _nothing_usable(states, where)


def _count_layers(states: Mapping[str, MatrixState]) -> list[str]:
    return [name for usual in COUNT_LAYERS for name in states if name.lower() == f"layers/{usual}"]


def _named_matrix(states: Mapping[str, MatrixState], source: str, where: str) -> str:
    if source in states:
        return source
    known = list(states)
    if f"layers/{source}" in states:
        remedy = f"did you mean 'layers/{source}'?"
    else:
        remedy = suggestion(source, known, "there are") if known else "there is no matrix in it"
    what = f"no layer '{source.removeprefix('layers/')}'" if source.startswith("layers/") else f"no matrix '{source}'"
    raise DataError(what, where=where, remedy=remedy)


def _nothing_usable(states: Mapping[str, MatrixState], where: str) -> DataError:
    found = "; ".join(f"{name} is {state.kind} ({state.evidence})" for name, state in states.items())
    absent = [name for name in ("X", "raw") if name not in states]
    if absent:
        found += f"; there is no {' and no '.join(absent)}"
    others = [name for name, state in states.items() if state.kind in USABLE]
    if others:
        remedy = f"name the layer to use, for example --set data.source={others[0]}"
    else:
        remedy = "put the counts into adata.layers['counts'], or log-normalized values into adata.raw"
    return DataError(f"no counts, normalized or log values found: {found}", where=where, remedy=remedy)


def _duplicates(features: pd.Index, samples: pd.Index, origin: str, *, in_raw: bool) -> list[DataError]:
    problems = []
    if features.has_duplicates:
        place = "adata.raw.var_names" if in_raw else "adata.var_names"
        remedy = "add up their columns, or name them apart with adata.var_names_make_unique()"
        if in_raw:
            remedy += " before adata.raw is set"
        problems.append(DataError(repeated(features, "gene name"), where=f"{origin}: {place}", remedy=remedy))
    if samples.has_duplicates:
        remedy = "name them apart with adata.obs_names_make_unique(), after making sure that no sample is in the file twice"
        problems.append(DataError(repeated(samples, "sample name"), where=f"{origin}: adata.obs_names", remedy=remedy))
    return problems
