"""An explanation of variants in small tables on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from genoken.reporting.wording import ranking
from genoken.workflows.show import Show

MOST_SHOWN = 10
"""Variants that are printed."""


def show_leads(table: pd.DataFrame, show: Show) -> None:
    """Write the variants that lead their clumps, the most important first.

    Parameters
    ----------
    table
        Content of ``variants.tsv``.
    show
        Where to write.
    """
    leads = table[table["clump_lead"] == table["id"]].sort_values("rank").head(MOST_SHOWN)
    rows = [
        (row.id, f"{row.chrom}:{row.pos:,}", f"{row.ensemble:.3f}", f"{row.stability:.0%}", f"{row.glm_p:.2g}", f"{row.pip:.2f}")
        for row in leads.itertuples()
    ]
    show.table("Leading variants", ("variant", "place", "mean rank", "stability", "GLM p", "PIP"), rows)


def show_recovery(found: dict[str, Any], show: Show) -> None:
    """Write how well each ranking of variants finds those that are known to act.

    Parameters
    ----------
    found
        What :func:`genoken.workflows.variant_truth.recovered` returned.
    show
        Where to write.
    """
    rows = [
        (ranking(row["ranking"]), f"{row['average_precision']:.2f}", f"{row['recall_at_10']:.0%}", f"{row['linkage_recall']:.0%}")
        for row in found["rankings"]
    ]
    title = f"How well rankings find the {len(found['causal'])} causal variants (average precision by chance {found['chance']:.3f})"
    show.table(title, ("ranking", "average precision", "among the first 10", "the same within linkage"), rows)
    if found["absent"]:
        show.line(f"{found['absent']} more causal variants are not among the run's variants.")


def show_files(folder: Path, show: Show) -> None:
    """Write where the list is."""
    show.line(f"Wrote {folder / 'explanations' / 'variants.tsv'}, variants.bed beside it, and the report.")
