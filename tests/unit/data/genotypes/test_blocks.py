"""Blocks: windows typed by hand, planted blocks recovered, the best cuts against every division."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.random import generator
from genoken.data.genotypes import blocks as module
from genoken.data.genotypes.blocks import block_of_variants, fixed_windows, linkage_cuts, recombination_blocks
from genoken.data.genotypes.linkage import linkage


def features(positions, chromosome="1", cm=None):
    table = pd.DataFrame({"chromosome": chromosome, "position_bp": positions})
    return table if cm is None else table.assign(position_cm=cm)


def spans(table):
    return [tuple(row) for row in table[["chromosome", "start_bp", "end_bp"]].values.tolist()]


TWO = pd.concat([features([5, 10, 30, 31, 90]), features([7, 8, 200], "2")], ignore_index=True)


def test_windows_are_typed_by_hand():
    assert spans(fixed_windows(TWO, variants=2)) == [("1", 5, 29), ("1", 30, 89), ("1", 90, 90), ("2", 7, 199), ("2", 200, 200)]
    assert spans(fixed_windows(TWO, bp=26)) == [("1", 5, 30), ("1", 31, 89), ("1", 90, 90), ("2", 7, 199), ("2", 200, 200)]
    genetic = fixed_windows(TWO.assign(position_cm=[1, 1.4, 1.6, 1.9, 2.1, 0, 0.1, 3]), cm=0.5)
    assert spans(genetic) == [("1", 5, 29), ("1", 30, 89), ("1", 90, 90), ("2", 7, 199), ("2", 200, 200)]
    assert set(genetic["method"]) == {"window"}
    assert json.loads(genetic["parameters"][0]) == {"cm": 0.5}


def test_variants_at_one_position_stay_together():
    assert spans(fixed_windows(features([1, 2, 2, 2, 3, 4]), variants=2)) == [("1", 1, 2), ("1", 3, 4)]


@pytest.mark.parametrize("sizes", [{}, {"bp": 1, "cm": 1.0}, {"variants": 0}])
def test_one_size_must_be_given(sizes):
    with pytest.raises(ValueError, match="one of variants, bp and cm"):
        fixed_windows(TWO, **sizes)


@pytest.mark.parametrize(
    ("table", "message"), [(TWO, "every variant"), (TWO.assign(position_cm=0.0), "does not rise along chromosome '1'")]
)
def test_centimorgans_must_be_there(table, message):
    with pytest.raises(DataError, match=message):
        fixed_windows(table, cm=1.0)


def least(r2, fewest, most):
    """Return the least linkage between blocks over every division, and its first variants."""
    size = len(r2)
    found = []
    for number in range(size):
        for inner in itertools.combinations(range(1, size), number):
            bounds = [0, *inner, size]
            sizes = np.diff(bounds)
            if sizes.min() >= fewest and sizes.max() <= most:
                block = np.repeat(np.arange(len(sizes)), sizes)
                found.append((round(r2[block[:, None] != block[None, :]].sum(), 9), (sizes**2).sum(), bounds[:-1]))
    return min(found)[2]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("fewest", "most"), [(1, 4), (2, 5), (3, 11)])
def test_cuts_are_the_best_of_all_divisions(seed, fewest, most):
    random = generator(seed, "linkage")
    r = np.triu(random.uniform(-1, 1, (11, 11)) * (random.random((11, 11)) < 0.5), k=1)
    found = linkage_cuts(features(range(11)), sp.csr_matrix(r), min_variants=fewest, max_variants=most)
    assert found["start_bp"].tolist() == least(r**2, fewest, most)
    plain = getattr(module._least_linkage, "py_func", module._least_linkage)
    squared = sp.csc_matrix(r**2)
    starts = plain(squared.indptr, squared.indices, squared.data, (r**2).sum(axis=1), np.ones(11, dtype=bool), fewest, most)
    assert starts.tolist() == found["start_bp"].tolist()


def test_planted_blocks_are_recovered():
    random = generator(2, "planted")
    sizes = [12, 7, 20, 9, 15, 8]
    columns = []
    for size in sizes:
        shared = random.normal(size=(300, 1))
        columns.append(np.digitize(shared + 0.4 * random.normal(size=(300, size)), [-0.5, 0.7]))
    dense = np.concatenate(columns, axis=1).astype(np.int8)
    table = pd.concat([features(10 * np.arange(39)), features(10 * np.arange(32), "2")], ignore_index=True)
    pairs = linkage(dense, table, window_variants=30, min_r2=0.1)
    found = linkage_cuts(table, pairs, min_variants=5, max_variants=25)
    assert block_of_variants(table, found).tolist() == np.repeat(np.arange(6), sizes).tolist()
    assert set(found["method"]) == {"linkage"}


def test_no_cut_between_variants_at_one_position():
    pairs = sp.csr_matrix((6, 6))
    assert spans(linkage_cuts(features(range(6)), pairs, min_variants=3, max_variants=4)) == [("1", 0, 2), ("1", 3, 5)]
    tied = linkage_cuts(features([0, 1, 1, 2, 3, 4]), pairs, min_variants=2, max_variants=4)
    assert spans(tied) == [("1", 0, 1), ("1", 2, 4)]


def test_sizes_that_do_not_divide_are_refused_and_a_short_chromosome_is_one_block():
    with pytest.raises(DataError, match="the 7 variants of chromosome '1' cannot be divided into blocks of 4 to 6"):
        linkage_cuts(features(range(7)), sp.csr_matrix((7, 7)), min_variants=4, max_variants=6)
    assert spans(linkage_cuts(features(range(3)), sp.csr_matrix((3, 3)), min_variants=4, max_variants=6)) == [("1", 0, 2)]


def test_peaks_of_recombination_are_typed_by_hand():
    # Rates in cM/Mb: 1, 20, 50, 1, 30, 1.
    positions = [1_000, 11_000, 21_000, 31_000, 41_000, 51_000, 61_000]
    genetic = np.cumsum([0, 0.01, 0.2, 0.5, 0.01, 0.3, 0.01])
    table = features(positions, "3", genetic)
    found = recombination_blocks(table)
    assert spans(found) == [("3", 1_000, 26_000), ("3", 26_001, 46_000), ("3", 46_001, 61_000)]
    assert spans(recombination_blocks(table, min_rate=40)) == [("3", 1_000, 26_000), ("3", 26_001, 61_000)]
    assert spans(recombination_blocks(table, min_bp=20_001)) == [("3", 1_000, 26_000), ("3", 26_001, 61_000)]
    assert spans(recombination_blocks(table, min_rate=60)) == [("3", 1_000, 61_000)]
    with pytest.raises(DataError, match="falls along a chromosome"):
        recombination_blocks(table.assign(position_cm=-genetic))


def test_variants_fall_into_blocks():
    table = pd.DataFrame({"chromosome": ["2", "1", "1"], "start_bp": [1, 50, 10], "end_bp": [9, 60, 20]}, index=[7, 8, 9])
    places = pd.DataFrame({"chromosome": ["1"] * 6 + ["2", "3"], "position_bp": [9, 10, 20, 21, 50, 61, 9, 5]})
    assert block_of_variants(places, table).tolist() == [-1, 2, 2, -1, 1, -1, 0, -1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [([("1", 5, 4)], "the block 1:5-4 ends before"), ([("1", 5, 9), ("1", 9, 12)], "the blocks 1:5-9 and 1:9-12 overlap")],
)
def test_impossible_intervals_are_refused(rows, message):
    with pytest.raises(DataError, match=message):
        block_of_variants(TWO, pd.DataFrame(rows, columns=["chromosome", "start_bp", "end_bp"]))
