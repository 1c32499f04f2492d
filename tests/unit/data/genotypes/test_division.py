"""Dividing the variants of a train split into blocks, by each of the ways, typed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import BlockRequest, sparse_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.division import with_blocks

POSITIONS = [100, 200, 300, 400, 1000, 1100, 50]
KEPT = np.array([0, 1, 2, 3, 5, 6])
"""All but the variant at 1000; the last one is on another chromosome."""


@pytest.fixture(scope="module")
def train() -> Samples:
    """Twelve people, in whom the first two and the next three variants of a chromosome are copies of each other."""
    first, second = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2]), np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 1, 1])
    dense = np.stack([first, first, second, second, first, second, first], axis=1).astype(np.int8)
    features = pd.DataFrame({"chromosome": ["1"] * 6 + ["2"], "position_bp": POSITIONS, "counted_allele": "A", "other_allele": "G"})
    features.index = [f"rs{index}" for index in range(7)]
    return Samples(sparse_dosages(dense), pd.DataFrame(index=[f"p{i}" for i in range(12)]), features, "dosage", "typed")


def blocks(train: Samples, method, **settings) -> list[int]:
    found = with_blocks(train, BlockRequest(KEPT, method, **settings))
    assert list(found.columns) == [*train.features.columns, "block"]
    return found["block"].tolist()


def test_windows_count_the_wanted_variants_alone(train):
    assert blocks(train, "variants", size=2) == [0, 0, 1, 1, -1, 2, 3]
    assert blocks(train, "variants", size=5) == [0, 0, 0, 0, -1, 0, 1]
    assert blocks(train, "bp", size=200) == [0, 0, 1, 1, -1, 2, 3]


def test_cuts_leave_the_least_linkage(train):
    assert blocks(train, "linkage", size=4) == [0, 0, 1, 1, -1, 1, 2]


def test_blocks_lie_between_peaks_of_recombination(train, tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("chr pos cM\n1 1 0\n1 340 0.0001\n1 360 0.1\n1 1500 0.1001\n")
    assert blocks(train, "recombination", path=str(path)) == [0, 0, 0, 1, -1, 1, -1]


def test_variants_outside_the_map_are_in_the_outer_blocks_of_their_chromosome(train, tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("chr pos cM\n1 250 0\n1 340 0.0001\n1 360 0.1\n1 500 0.1001\n3 1 0\n3 9 1\n")
    assert blocks(train, "recombination", path=str(path)) == [0, 0, 0, 1, -1, 1, -1]  # the map knows nothing of chromosome 2


def test_blocks_are_those_of_a_table(train, tmp_path):
    (tmp_path / "some.tsv").write_text("chromosome\tstart_bp\tend_bp\n2\t1\t60\n1\t150\t300\n")
    assert blocks(train, "file", path=str(tmp_path / "some.tsv")) == [-1, 1, 1, -1, -1, -1, 0]
    (tmp_path / "plink.blocks.det").write_text("  CHR  BP1  BP2  KB  NSNPS  SNPS\n  1  300  1100  0.8  3  rs2|rs3|rs5\n")
    assert blocks(train, "file", path=str(tmp_path / "plink.blocks.det")) == [-1, -1, 0, 0, -1, 0, -1]


def test_numbers_of_chromosomes_are_read_as_those_of_the_variants(train, tmp_path):
    (tmp_path / "some.tsv").write_text("chromosome\tstart_bp\tend_bp\nchr23\t1\t60\n1\t150\t300\n")
    ours = train.features["chromosome"].replace("2", "X")
    human = replace(train, features=train.features.assign(chromosome=ours))
    assert blocks(human, "file", path=str(tmp_path / "some.tsv")) == [-1, 1, 1, -1, -1, -1, 0]
    sheep = replace(train, features=train.features.assign(chromosome=ours.replace({"1": "26", "X": "23"})))
    assert blocks(sheep, "file", path=str(tmp_path / "some.tsv")) == [-1, -1, -1, -1, -1, -1, 0]


def test_a_table_of_other_places_is_refused(train, tmp_path):
    (tmp_path / "far.bed").write_text("chr3\t0\t1000\n")
    with pytest.raises(DataError, match="no interval holds any of the 6 variants"):
        blocks(train, "file", path=str(tmp_path / "far.bed"))
    with pytest.raises(DataError, match=r"missing\.bed"):
        blocks(train, "file", path=str(tmp_path / "missing.bed"))
