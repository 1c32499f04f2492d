"""Regions are told from genomes, and from variants whose place is not known."""

from __future__ import annotations

import pandas as pd
import pytest

from genoken.data.genotypes.region import one_region


@pytest.mark.parametrize(
    ("chromosomes", "positions", "expected"),
    [
        (["15"] * 3, [28_100_000, 28_600_000, 28_200_000], "chromosome 15 from 28.10 to 28.60 Mb"),
        (["15"] * 2, [1_000_000, 21_000_000], "chromosome 15 from 1.00 to 21.00 Mb"),
        (["15"] * 2, [1_000_000, 21_000_001], ""),
        (["15", "16"], [1_000_000, 1_000_001], ""),
        (["", ""], [1_000_000, 1_000_001], ""),
        (["0", "0"], [1_000_000, 1_000_001], ""),
        (["15", "15"], [0, 1_000_000], ""),
    ],
)
def test_a_region_is_twenty_megabases_of_one_chromosome_at_most(chromosomes, positions, expected):
    assert one_region(pd.DataFrame({"chromosome": chromosomes, "position_bp": positions})) == expected
