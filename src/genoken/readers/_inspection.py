"""What a reader found: samples, what each matrix holds, and what would stop a training on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from genoken.core.errors import DataError
from genoken.core.matrix import MatrixState
from genoken.core.samples import Samples


@dataclass(frozen=True)
class MatrixInfo:
    """One matrix of a file or an AnnData object.

    Parameters
    ----------
    name
        ``X``, ``raw`` or ``layers/NAME``; ``calls`` in files of genotypes.
    state
        What its values are.
    used
        Whether it is the one that is read.
    """

    name: str
    state: MatrixState
    used: bool

    def summary(self) -> dict[str, Any]:
        """Return the entry of ``check.json``: name, kind, evidence, density, used."""
        return {
            "name": self.name,
            "kind": self.state.kind,
            "evidence": self.state.evidence,
            "density": self.state.density,
            "used": self.used,
        }


@dataclass(frozen=True)
class Inspection:
    """What was read, and what would stop a training on it.

    Parameters
    ----------
    samples
        The samples; where there are problems, mended just enough to be looked at further (values that are not finite are 0).
    matrices
        All matrices of the file or object.
    problems
        What :func:`~genoken.readers._anndata.samples_from_anndata` refuses, most fundamental first.
    """

    samples: Samples
    matrices: tuple[MatrixInfo, ...]
    problems: tuple[DataError, ...]

    def usable(self) -> Samples:
        """Return the samples.

        Raises
        ------
        DataError
            The first of the problems, if there are any.
        """
        if self.problems:
            raise self.problems[0]
        return self.samples


def repeated(names: pd.Index, noun: str) -> str:
    """Return which names occur more than once, as the words of an error."""
    repeated: Sequence[str] = list(names[names.duplicated()].unique())
    verb = "occurs" if len(repeated) == 1 else "occur"
    shown = ", ".join(repeated[:3]) + (", …" if len(repeated) > 3 else "")
    return f"{len(repeated):,} {noun}{'' if len(repeated) == 1 else 's'} {verb} more than once ({shown})"
