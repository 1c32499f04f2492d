"""Samples: one matrix of values with its sample table and its feature table, as every reader returns it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.calls import Calls
from genoken.core.stored_rows import StoredRows

if TYPE_CHECKING:
    from genoken.core.scale import Scale

ValueKind = Literal["counts", "normalized", "log", "real", "scaled", "dosage", "unknown"]


@dataclass(frozen=True)
class Samples:
    """Values of samples by features, sparse, with the tables that describe both.

    Parameters
    ----------
    values
        CSR matrix, float32, of shape (samples, features); no stored zeros, column indices sorted within each row. Genotypes are
        :class:`~genoken.core.calls.Calls`, as all readers return them, or such a matrix. Where a pretraining run's values do not
        fit into memory, they are :class:`~genoken.core.stored_rows.StoredRows`, to be read by :meth:`blocks` or :meth:`in_memory`.
    table
        One row per sample, indexed by sample id (AnnData's ``obs``).
    features
        One row per feature, indexed by feature id (AnnData's ``var``).
    value_kind
        What the values are: ``counts``, ``normalized`` (rows scaled to one total, not logged), ``log`` (log1p), ``real`` (a dense
        panel of measurements, such as log2 intensities or z-scores of L1000, in which 0 does not mean "not expressed"; only
        readers of panels say so), ``scaled`` (z-scores), ``dosage`` (copies of each variant's counted allele; in a matrix NaN where
        the call is missing, see :mod:`genoken.core.genotypes`), or ``unknown``.
    origin
        Where the values came from, for messages: a path and a matrix name such as ``cells.h5ad:raw``.
    notes
        Sentences for the user, without a full stop: what was left out while reading.
    totals
        Total of each sample over all features of its file, before the logarithm, float64 of shape (samples,); ``None``: those of
        ``values``, which then hold all features of the file.
    scale
        To what total all samples were normalized of which these are a block; ``None``: what these themselves show.
    first_strand
        Of phased genotypes, copies of the counted allele on the first strand, (samples, features) of 0 and 1, missing where
        ``values`` are and where it is not known on which strand a single copy is, in the form of these; the second strand has
        ``values`` minus these. ``None`` where the phase is not known.
    """

    values: sp.csr_matrix
    table: pd.DataFrame
    features: pd.DataFrame
    value_kind: ValueKind
    origin: str
    notes: tuple[str, ...] = ()
    totals: np.ndarray | None = None
    scale: Scale | None = None
    first_strand: Calls | sp.csr_matrix | None = None

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.table), len(self.features)):
            raise ValueError(f"values {self.values.shape} do not match {len(self.table)} samples and {len(self.features)} features")
        if self.totals is not None and self.totals.shape != (len(self.table),):
            raise ValueError(f"totals {self.totals.shape} do not match {len(self.table)} samples")
        if self.first_strand is not None and self.first_strand.shape != self.values.shape:
            raise ValueError(f"strands {self.first_strand.shape} do not match values {self.values.shape}")

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return self.values.shape[0]

    @property
    def num_features(self) -> int:
        """Number of features."""
        return self.values.shape[1]

    def take(self, rows: np.ndarray) -> Samples:
        """Return the samples of these rows (integer positions or a boolean mask), in that order."""
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        totals = None if self.totals is None else self.totals[rows]
        strand = None if self.first_strand is None else self.first_strand[rows]
        return replace(self, values=self.values[rows], table=self.table.iloc[rows], totals=totals, scale=None, first_strand=strand)

    def in_memory(self) -> Samples:
        """Return the samples with their values in memory."""
        return replace(self, values=self.values.read()) if isinstance(self.values, StoredRows) else self

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples in order, with a CSR matrix of their values: block by block from disk or of calls, else all at once."""
        if not isinstance(self.values, StoredRows | Calls):
            yield self
            return
        start = 0
        for rows in self.values.blocks():
            stop = start + rows.shape[0]
            totals = None if self.totals is None else self.totals[start:stop]
            strand = None if self.first_strand is None else self.first_strand[start:stop]
            yield replace(self, values=rows.read(), table=self.table.iloc[start:stop], totals=totals, first_strand=strand)
            start = stop
