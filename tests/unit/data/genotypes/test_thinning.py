"""Which variants stay when near ones tell the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.data.genotypes.thinning import autosomal, evenly_spaced, unlinked


def places(chromosomes, positions):
    return pd.DataFrame({"chromosome": list(chromosomes), "position_bp": np.asarray(positions, dtype=np.int64)})


def test_numbers_are_evenly_spaced():
    assert evenly_spaced(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert evenly_spaced(9, 3).tolist() == [0, 4, 8]


def test_of_a_pair_in_linkage_one_stays_and_constant_variants_go():
    one, other = [0, 1, 2, 0, 1, 2, 0, 0], [1, 0, 1, 0, 1, 1, 1, 0]  # r² 0.15
    dense = np.array([one, one, [0] * 8, other, [2] * 8, one], dtype=np.int8).T
    kept = unlinked(dense, places("111111", range(6)))
    assert kept.tolist() == [0, 3]
    assert unlinked(dense, places("111222", range(6))).tolist() == [0, 3, 5]  # chromosomes know nothing of each other


def test_autosomes_are_all_but_sex_chromosomes_mitochondria_and_unplaced():
    names = ["1", "0", "X", "22", "Y", "MT", "xy", "", "2L", "M"]
    assert autosomal(pd.DataFrame({"chromosome": names})).tolist() == [0, 3, 8]
    assert autosomal(pd.DataFrame({"chromosome": ["X", "", "0"]})).tolist() == [0, 1, 2]  # none: all


def test_variants_in_any_order_are_thinned_as_those_in_the_order_of_the_genome():
    one, other = [0, 1, 2, 0, 1, 2, 0, 0], [1, 0, 1, 0, 1, 1, 1, 0]
    dense = np.array([one, one, [0] * 8, other], dtype=np.int8).T
    assert unlinked(dense, places("1111", [5, 3, 9, 4])).tolist() == [1, 3]  # the first along the genome stays
    assert unlinked(dense, places("XYXX", [5, 3, 9, 4])).tolist() == [0, 1, 3]
    assert unlinked(dense, places("XXYX", [5, 3, 9, 4])).tolist() == [1, 3]  # a chromosome in two places
