"""Variants as tables on the terminal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.workflows.show import Show
from genoken.workflows.variant_words import show_leads, show_recovery

VARIANTS = pd.DataFrame(
    {
        "id": ["rs1", "rs2", "rs3"],
        "chrom": "3",
        "pos": [1000, 2000, 3000],
        "rank": [2, 1, 3],
        "ensemble": [0.5, 0.9, 0.1],
        "stability": [0.5, 1.0, 0.0],
        "clump_lead": ["rs1", "rs2", "rs2"],
        "glm_p": [0.01, 1e-9, 0.2],
        "pip": [0.1, 0.8, np.nan],
    }
)


def test_leads_are_shown_the_first_first_and_without_their_clumps(capsys):
    show_leads(VARIANTS, Show())
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-2] == ["rs2", "3:2,000", "0.900", "100%", "1e-09", "0.80"]
    assert lines[-1][0] == "rs1"
    assert "rs3" not in str(lines)


def test_recovery_is_a_row_per_ranking(capsys):
    rows = [{"ranking": "pip", "average_precision": 0.5, "recall_at_10": 1.0, "linkage_recall": 0.5, "signal_fdr": 0.0}]
    show_recovery({"causal": ["a", "b"], "absent": 1, "chance": 0.01, "rankings": rows}, Show())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("How well rankings find the 2 causal variants (average precision by chance 0.010)")
    assert lines[2].split() == ["SuSiE", "(within", "the", "loci)", "0.50", "100%", "50%"]
    assert lines[3] == "1 more causal variants are not among the run's variants."
