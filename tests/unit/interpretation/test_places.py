from __future__ import annotations

import numpy as np

from genoken.core.contracts import MADE_OF, TokenizerState
from genoken.interpretation.places import BLOCK_COLUMNS, VARIANT_COLUMNS, places_of


def variants(ids: tuple[str, ...], frequency: list[float]) -> TokenizerState:
    codes = np.arange(len(ids)) % 2
    per_feature = {"frequency": np.array(frequency), "position_bp": 10.0 * np.arange(len(ids)), "chromosome": codes.astype(float)}
    facts = {"counted_allele": ["A"] * len(ids), "other_allele": ["CT"] * len(ids), "chromosomes": ["3", "MT"]}
    return TokenizerState(ids, per_feature, facts)


def test_variants_of_two_vocabularies_take_the_first_place_they_have():
    found = places_of([variants(("rs1", "rs2"), [0.1, 0.75]), variants(("rs2", "rs3"), [0.5, 0.5])])
    assert tuple(found.columns) == VARIANT_COLUMNS
    assert found.index.tolist() == ["rs1", "rs2", "rs3"]
    assert found.to_numpy().tolist() == [["3", 0, "A", "CT", 0.1], ["MT", 10, "A", "CT", 0.25], ["MT", 10, "A", "CT", 0.5]]


def test_blocks_have_both_ends():
    per_block = {
        "chromosome": np.array([0.0]),
        "start_bp": np.array([5.0]),
        "end_bp": np.array([9.0]),
        "num_variants": np.array([3.0]),
    }
    facts = {MADE_OF: ["a", "b", "c"], "counted_allele": ["A"] * 3, "chromosomes": ["7"]}
    found = places_of([TokenizerState(("7:5-9",), per_block, facts)])
    assert tuple(found.columns) == BLOCK_COLUMNS
    assert found.to_numpy().tolist() == [["7", 5, 9, 3]]


def test_genes_have_none():
    assert places_of([TokenizerState(("g",))]) is None
