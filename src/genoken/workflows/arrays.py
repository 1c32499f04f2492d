"""Genotypes, labels and tables in memory as the input of one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genoken.core.errors import ConfigError, DataError
from genoken.workflows.genotypes import LABEL, genotypes

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Arrays:
    """What :func:`genoken.train` is given in arrays; ``None`` for what is not given.

    Parameters
    ----------
    genotypes
        Copies of each variant's counted allele, (samples, variants).
    labels
        One label per sample.
    variants
        Table of the variants, see :func:`genoken.genotypes`.
    samples
        Table of the samples, or their ids.
    covariates
        Table of covariates, or numbers (samples, covariates).
    """

    genotypes: np.ndarray | None
    labels: Sequence[object] | np.ndarray | None
    variants: pd.DataFrame | None
    samples: pd.DataFrame | Sequence[str] | None
    covariates: pd.DataFrame | np.ndarray | None

    def refuse_contradictions(self, others: Mapping[str, object], label: str) -> None:
        """Refuse genotypes beside other inputs, arrays without genotypes, and a label that is named and given.

        Raises
        ------
        ConfigError
            Naming the two that contradict each other.
        """
        if self.genotypes is None:
            alone = [name for name in ("labels", "variants", "samples", "covariates") if getattr(self, name) is not None]
            if alone:
                remedy = "give the genotypes as an array too, or name columns of the data with label and data.covariates"
                raise ConfigError(f"{alone[0]} are given without genotypes", where="train", remedy=remedy)
            return
        given = [name for name, value in others.items() if value is not None]
        if given:
            raise ConfigError(f"genotypes and {given[0]} are both given", where="train", remedy="leave one of them out")
        if self.labels is not None and label not in ("", LABEL):
            what = f"labels are given, and label names the column '{label}'"
            raise ConfigError(what, where="train", remedy="leave one of them out")

    def covariate_names(self) -> tuple[str, ...]:
        """Return the columns of the covariates: the table's names, or numbered ones."""
        if self.covariates is None:
            return ()
        return tuple(str(name) for name in self._covariates())

    def cohort(self) -> AnnData | None:
        """Return genotypes with their tables; ``None`` without genotypes.

        Raises
        ------
        DataError
            When shapes do not fit to each other, or a covariate has the name of another column.
        """
        if self.genotypes is None:
            return None
        return genotypes(self.genotypes, self._table(len(self.genotypes)), labels=self.labels, variants=self.variants)

    def _table(self, num_samples: int) -> pd.DataFrame | None:
        table = self.samples
        if table is not None and not isinstance(table, pd.DataFrame):
            table = pd.DataFrame(index=[str(name) for name in table])
        if self.covariates is None:
            return table
        found = self._covariates()
        if len(found) != num_samples:
            what = f"covariates have {len(found):,} samples, and the genotypes have {num_samples:,}"
            raise DataError(what, where="train")
        if table is None:
            table = pd.DataFrame(index=[f"sample_{row}" for row in range(num_samples)])
        twice = [name for name in found if name in table or name == LABEL]
        if twice:
            raise DataError(f"the covariate '{twice[0]}' has the name of another column", where="train", remedy="rename it")
        if len(table) != num_samples:  # genoken.genotypes says so
            return table
        return pd.concat([table, found.set_axis(table.index)], axis=1)

    def _covariates(self) -> pd.DataFrame:
        """Return the covariates as a table; rows are those of the genotypes, whatever its index."""
        given = self.covariates
        if isinstance(given, pd.DataFrame):
            return given.rename(columns=str)
        numbers = np.asarray(given)
        if numbers.ndim == 1:
            numbers = numbers[:, None]
        if numbers.ndim != 2:
            what = f"covariates are a matrix of samples by covariates, not of {numbers.ndim} dimensions"
            raise DataError(what, where="train")
        return pd.DataFrame(numbers, columns=[f"covariate_{place}" for place in range(1, numbers.shape[1] + 1)])
