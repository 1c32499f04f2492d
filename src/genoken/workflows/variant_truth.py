"""The variants that are known to act, where a trait was simulated, and how well each ranking of variants finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genoken.core.errors import DataError
from genoken.data.genotypes.imputation import standardized
from genoken.evaluation.association.recovery import recovery
from genoken.synthetic_traits import BACKGROUND
from genoken.workflows.variant_associations import Cohort

RANKINGS = {
    "ensemble": "ensemble",
    "glm": "glm_minus_log10_p",
    "glm_without_components": "glm_minus_log10_p_without_components",
    "pip": "pip",
    "permuted": "importance_permuted",
}
"""Rankings of variants beside the methods of attribution, and their columns of ``variants.tsv``."""


def read_truth(path: Path) -> tuple[str, ...]:
    """Return the ids of the causal variants in a table such as ``genoken simulate`` writes.

    Rows whose ``role`` is ``background``, small effects everywhere, are left out.

    Raises
    ------
    DataError
        When it cannot be read, has no column ``variant_id``, or names no variant.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise DataError("the file does not exist", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise DataError("the file is not a table of text", where=str(path), remedy="give NAME.truth.tsv") from error
    if "variant_id" not in table:
        raise DataError("there is no column 'variant_id'", where=str(path), remedy="give NAME.truth.tsv of genoken simulate")
    rows = table["role"] != BACKGROUND if "role" in table else np.ones(len(table), dtype=bool)
    causal = tuple(dict.fromkeys(table.loc[rows, "variant_id"]))
    if not causal:
        raise DataError("no causal variant is named", where=str(path))
    return causal


def recovered(table: pd.DataFrame, cohort: Cohort, causal: tuple[str, ...]) -> dict[str, Any]:
    """Return how well each ranking of a table of variants finds the causal ones.

    Parameters
    ----------
    table
        Rows of ``variants.tsv``, in the order of the cohort's variants.
    cohort
        Samples, for linkage.
    causal
        Ids of causal variants; those that the run does not know are counted.

    Returns
    -------
    dict
        ``causal`` (ids), ``absent`` (how many the run does not know), ``chance`` (average precision of a random ranking) and
        ``rankings``, a list of ``{"ranking"}`` and what :func:`genoken.evaluation.association.recovery.recovery` returns.

    Raises
    ------
    DataError
        When the run knows none of them.
    """
    is_causal = table["id"].isin(causal).to_numpy()
    if not is_causal.any():
        raise DataError("the run knows none of the causal variants", where=f"for example {causal[0]}", remedy="name its own truth")

    def linkage(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        square: np.ndarray = (standardized(cohort.dense[:, rows]).T @ standardized(cohort.dense[:, columns])) ** 2
        return square

    return {
        "causal": table.loc[is_causal, "id"].tolist(),
        "absent": len(causal) - int(is_causal.sum()),
        "chance": float(is_causal.mean()),
        "rankings": [
            {"ranking": name, **recovery(_scores(table[column]), is_causal, linkage)} for name, column in _columns(table).items()
        ],
    }


def _columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the column of each ranking that the table has: importance, then regressions, fine-mapping and permuted labels."""
    prefix = "importance_"
    methods = [name.removeprefix(prefix) for name in table if name.startswith(prefix) and name != RANKINGS["permuted"]]
    known = {"ensemble": RANKINGS["ensemble"]} | {name: prefix + name for name in methods} | RANKINGS
    return {name: column for name, column in known.items() if column in table}


def _scores(column: pd.Series) -> np.ndarray:
    """Return a ranking's scores; variants without any, as those outside of all loci, come last."""
    values = column.to_numpy(dtype=np.float64)
    return np.nan_to_num(values, nan=float(np.nanmin(values, initial=0.0)) - 1.0)
