"""How much of a vocabulary a file holds: variants of the same name and other alleles are not the model's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.contracts import TokenizerState
from genoken.core.errors import DataError
from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.coverage import find_vocabulary

STATE = TokenizerState(
    ("rs1", "rs2", "rs3", "rs4"), facts={"counted_allele": ["A", "A", "C", "G"], "other_allele": ["G", "G", "T", "T"]}
)


def people(alleles: dict[str, str]) -> Samples:
    """Two people; ``alleles`` are two letters per variant, the counted one first."""
    features = pd.DataFrame(
        {
            "chromosome": "1",
            "position_bp": np.arange(len(alleles)),
            "counted_allele": [pair[0] for pair in alleles.values()],
            "other_allele": [pair[1] for pair in alleles.values()],
        },
        index=list(alleles),
    )
    calls = sparse_dosages(np.ones((2, len(alleles)), dtype=np.int8))
    return Samples(calls, pd.DataFrame(index=["p0", "p1"]), features, "dosage", "new.bed:calls")


def test_variants_of_the_same_alleles_are_found_in_any_orientation():
    found = find_vocabulary(people({"rs2": "GA", "rs1": "AG", "rs4": "AC", "rs3": "CT"}), STATE, (), min_coverage=1.0)
    np.testing.assert_array_equal(found.columns, [1, 0, 3, 2])
    assert found.line == "4 of 4 variants found (100.0%), matched by index"


def test_a_variant_of_other_alleles_is_not_found_and_is_counted():
    found = find_vocabulary(people({"rs1": "AC", "rs2": "AG", "rs3": "CT"}), STATE, (), min_coverage=0.5)
    np.testing.assert_array_equal(found.columns, [-1, 1, 2, -1])
    assert (found.coverage, found.missing) == (0.5, ("rs1", "rs4"))
    assert found.line == (
        "2 of 4 variants found (50.0%), matched by index and alleles; 1 more have other alleles, or ones that the strands leave "
        "open, such as rs1 with A/C for A/G"
    )


@pytest.mark.parametrize(("alleles", "minimum", "count"), [("AC", 0.5, 0), ("AC", 0.0, 0), ("AG", 0.75, 2)])
def test_too_few_variants_of_the_same_alleles_are_refused(alleles, minimum, count):
    others = people({"rs1": alleles, "rs2": alleles, "rs3": "CA", "rs4": "GA"})
    with pytest.raises(DataError) as caught:
        find_vocabulary(others, STATE, (), min_coverage=minimum)
    line = str(caught.value)
    assert line.startswith(f"new.bed:calls: too few variants have the alleles of the model: {count} of 4 variants found")
    assert f"{minimum:.0%} are needed" in line
    assert "\n" not in line
