"""Haploblock tokens: clusters typed by hand, new and missing haplotypes, flips, files, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.contracts import TokenizerState
from genoken.core.errors import ConfigError, DataError
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY, NO_CATEGORY
from genoken.core.samples import Samples
from genoken.tokenizers.haploblock import HaploblockTokenizer
from genoken.workflows.encoder import fit_tokenizer, locate, names_of
from genoken.workflows.store import read_tokenizer, write_tokenizer

TRAIN = [
    ("000 01", "000 01"),
    ("000 10", "110 01"),
    ("110 10", "000 01"),
    ("011 10", "110 01"),
]
"""Strands of four people over two blocks. First: 000 four times, 110 three times, 011 once; second: 01 five, 10 three times."""
SETTINGS = {"min_count": 2, "min_frequency": 0.0, "block_variants": 3, "categories": "shared"}


def samples_of(first: np.ndarray, second: np.ndarray, is_missing: np.ndarray, **columns) -> Samples:
    """Return phased genotypes of 0 and 1 on each strand."""
    count = first.shape[1]
    features = pd.DataFrame(
        {
            "chromosome": ["7"] * count,
            "position_bp": np.arange(count) * 10 + 1,
            "counted_allele": ["A"] * count,
            "other_allele": ["G"] * count,
            "build": ["GRCh37"] * count,
        }
        | columns,
        index=[f"rs{index}" for index in range(count)],
    )
    dosages = first.astype(np.int8) + second
    values, strand = (sparse_dosages(np.where(is_missing, MISSING, found).astype(np.int8)) for found in (dosages, first))
    table = pd.DataFrame(index=[f"p{index}" for index in range(len(first))])
    return Samples(values, table, features, "dosage", "typed", first_strand=strand)


def people(strands: list[tuple[str, str]], **columns) -> Samples:
    """Return phased genotypes of strands given as text, a dot on the first one for a missing call."""
    letters = np.array([[list(text.replace(" ", "")) for text in pair] for pair in strands])
    return samples_of(*(letters[:, strand] == "1" for strand in (0, 1)), letters[:, 0] == ".", **columns)


def fitted(samples: Samples, **settings) -> tuple[HaploblockTokenizer, TokenizerState]:
    tokenizer = HaploblockTokenizer(**(SETTINGS | settings))
    return tokenizer, fit_tokenizer(tokenizer, samples)


def prepared_by(tokenizer, state, samples) -> sp.csr_matrix:
    return tokenizer.prepare(samples, samples.features.index.get_indexer(list(state.sought()[0])), state)


def clusters(tokenizer, state, samples) -> list[list[int]]:
    """Return the clusters of each sample's tokens, counted from 0, -1 where hidden; without CLS."""
    tokens = tokenizer.encode(prepared_by(tokenizer, state, samples), np.arange(samples.num_samples), state)
    entries = tokens.channels["haplotype"].reshape(samples.num_samples, -1)
    assert (entries[:, 0] == NO_CATEGORY).all()
    return np.where(entries == MASK_CATEGORY, -1, entries - FIRST_CATEGORY)[:, 1:].tolist()


def test_clusters_are_the_haplotypes_that_strands_share_the_most_frequent_first():
    tokenizer, state = fitted(people(TRAIN), categories="per_block")
    assert state.facts["haplotypes"] == [["000", "110"], ["01", "10"]]
    assert state.feature_ids == ("7:1-21", "7:31-41")
    assert state.sought() == (("rs0", "rs1", "rs2", "rs3", "rs4"), ())
    assert {name: values.tolist() for name, values in state.per_feature.items()} == {
        "chromosome": [0, 0],
        "start_bp": [1, 31],
        "end_bp": [21, 41],
        "num_variants": [3, 2],
        "num_clusters": [2, 2],
    }
    tokens = tokenizer.encode(prepared_by(tokenizer, state, people(TRAIN)), np.array([3, 0]), state)
    assert tokens.channels["feature"].tolist() == [0, 3, 3, 4, 4] * 2
    # 011 has two other alleles than 000 and than 110: the former is more frequent
    assert tokens.channels["haplotype"].tolist() == [0, 2, 3, 5, 4, 0, 2, 2, 4, 4]
    assert tokens.offsets.tolist() == [0, 5, 10]
    layout = tokenizer.layout(state)
    assert [channel.size for channel in layout.channels] == [5, 6]
    assert (layout.max_tokens, layout.num_features, layout.emits_every_feature, layout.has_numbers) == (5, 2, False, False)


def test_blocks_can_share_the_vectors_of_their_clusters():
    tokenizer, state = fitted(people(TRAIN), max_clusters=3)
    assert clusters(tokenizer, state, people(TRAIN)) == [[0, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0]]
    assert [channel.size for channel in tokenizer.layout(state).channels] == [5, 5]


def test_at_most_so_many_haplotypes_are_clusters_and_the_rest_joins_them():
    samples = people([("00", "00"), ("00", "01"), ("01", "10"), ("10", "11"), ("11", "01")])
    tokenizer, state = fitted(samples, max_clusters=2)
    assert state.facts["haplotypes"] == [["00", "01"]]  # of each three strands, of 10 and 11 two
    assert clusters(tokenizer, state, samples) == [[0, 0], [0, 1], [1, 0], [0, 1], [1, 1]]
    assert state.facts["shares"] == [[0.5, 0.5]]


def test_a_tie_goes_to_the_more_frequent_cluster():
    tokenizer, state = fitted(people(TRAIN), block_variants=5, min_count=1, max_clusters=2)
    assert state.facts["haplotypes"] == [["00001", "11001"]]
    new = people([("10001", "01101"), ("01010", "11111")])
    assert clusters(tokenizer, state, new) == [[0, 0], [0, 1]]


def test_missing_calls_do_not_count_and_a_strand_without_calls_is_hidden():
    tokenizer, state = fitted(people(TRAIN))
    new = people([(".11 1.", ".10 0."), ("... ..", "... .."), ("1.. 01", "0.. 11"), ("... 10", "... 01")])
    assert clusters(tokenizer, state, new) == [[1, 1, 1, 0], [-1, -1, -1, -1], [1, 0, 0, 0], [-1, -1, 1, 0]]


def test_strands_with_missing_calls_make_no_cluster():
    _, state = fitted(people([*TRAIN, ("01. 01", "01. 01"), ("01. 01", "01. 01")]))
    assert state.facts["haplotypes"][0] == ["000", "110"]


TWO_BLOCKS = [("00 00", "00 00"), ("00 01", "11 10"), ("11 11", "11 11"), ("11 10", "00 01")]
"""First block: 00 and 11 four times each; second: all four haplotypes twice."""


def test_variants_in_no_block_are_counted(tmp_path):
    (tmp_path / "one.bed").write_text("7\t0\t20\n")
    _, state = fitted(people(TWO_BLOCKS), blocks=str(tmp_path / "one.bed"))
    assert (state.sought()[0], state.facts["variants_in_no_block"]) == (("rs0", "rs1"), 2)
    _, state = fitted(people(TWO_BLOCKS), block_variants=2)
    assert state.facts["variants_in_no_block"] == 0


def test_blocks_without_two_clusters_are_left_out():
    tokenizer, state = fitted(people(TWO_BLOCKS), block_variants=2, min_count=3)
    assert (state.feature_ids, state.facts["blocks_left_out"]) == (("7:1-11",), 1)
    assert state.sought()[0] == ("rs0", "rs1")
    assert clusters(tokenizer, state, people(TWO_BLOCKS)) == [[0, 0], [0, 1], [1, 1], [1, 0]]
    with pytest.raises(DataError, match="none of 2 blocks has two haplotypes that 5 train strands share"):
        fitted(people(TWO_BLOCKS), block_variants=2, min_count=5)


def test_variants_without_place_in_a_block_are_not_looked_for(tmp_path):
    (tmp_path / "two.bed").write_text("chr7\t0\t11\nchr7\t30\t41\n")
    _, state = fitted(people(TRAIN), blocks=str(tmp_path / "two.bed"))
    assert state.feature_ids == ("7:1-11", "7:31-41")
    assert state.sought()[0] == ("rs0", "rs1", "rs3", "rs4")
    assert state.facts["haplotypes"] == [["00", "11"], ["01", "10"]]


def test_long_blocks_agree_with_counting_letters():
    rng = np.random.default_rng(0)
    founders = rng.random((4, 150)) < 0.5
    copies = founders[rng.integers(0, 4, (2, 60))]
    samples = samples_of(*copies, np.zeros((60, 150), dtype=bool))
    tokenizer, state = fitted(samples, block_variants=150, min_count=5)
    known = np.array([[letter == "1" for letter in text] for text in state.facts["haplotypes"][0]])
    columns = samples.features.index.get_indexer(state.sought()[0])
    assert len(columns) > 64
    counts = [(copies[:, :, columns] == founder).all(axis=2).sum() for founder in known]
    assert len(known) == 4
    assert counts == sorted(counts, reverse=True)
    new, is_missing = copies ^ (rng.random(copies.shape) < 0.3), rng.random((60, 150)) < 0.2
    expected = [
        [((strand[row, columns] ^ known) & ~is_missing[row, columns]).sum(axis=1).argmin() for strand in new] for row in range(60)
    ]  # argmin takes the first
    assert clusters(tokenizer, state, samples_of(*new, is_missing)) == expected


@pytest.fixture(scope="module")
def of_nine() -> tuple[HaploblockTokenizer, TokenizerState]:
    """A tokenizer fitted on nine people with three haplotypes."""
    haplotypes = ("000111", "110001", "101010")
    return fitted(people([(first, second) for first in haplotypes for second in haplotypes]))


@settings(max_examples=20, deadline=None)
@given(
    strands=hnp.arrays(bool, (2, 8, 6)),
    is_missing=hnp.arrays(bool, (8, 6), elements=st.sampled_from([False, False, False, True])),
    variants=st.sets(st.integers(0, 5)),
)
def test_tokens_do_not_depend_on_counted_alleles_and_exchanged_strands_exchange_them(of_nine, strands, is_missing, variants):
    tokenizer, state = of_nine
    own = samples_of(*strands, is_missing)
    expected = clusters(tokenizer, state, own)
    flips = np.isin(np.arange(6), sorted(variants))
    alleles = {"counted_allele": np.where(flips, "G", "A"), "other_allele": np.where(flips, "A", "G")}
    other = samples_of(*(strands ^ flips), is_missing, **alleles)
    assert clusters(tokenizer, state, other) == expected
    assert len(tokenizer.notes(other, state)) == bool(variants)
    exchanged = clusters(tokenizer, state, samples_of(*strands[::-1], is_missing))
    assert exchanged == [[row[place ^ 1] for place in range(4)] for row in expected]


def test_variants_that_are_absent_or_have_other_alleles_count_as_missing():
    tokenizer, state = fitted(people(TRAIN))
    other = people([("111 10", "000 01")], other_allele=["G", "T", "G", "G", "G"])
    prepared = tokenizer.prepare(other, np.array([0, 1, -1, -1, -1]), state)
    tokens = tokenizer.encode(prepared, np.array([0]), state)
    assert tokens.channels["haplotype"].tolist() == [NO_CATEGORY, 3, 2, MASK_CATEGORY, MASK_CATEGORY]
    assert tokenizer.notes(other, state) == (
        "1 variants have other alleles than the model's, or ones that the strands leave open; they count as missing",
    )


def test_plain_values_are_copies_of_each_cluster():
    tokenizer, state = fitted(people(TRAIN))
    prepared = prepared_by(tokenizer, state, people([*TRAIN, ("... 01", "... 01")]))
    assert state.facts["shares"] == [[5 / 8, 3 / 8], [5 / 8, 3 / 8]]
    expected = [[2, 0, 2, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1.25, 0.75, 2, 0]]
    np.testing.assert_array_equal(tokenizer.plain_values(prepared, state).toarray(), expected)
    np.testing.assert_array_equal(tokenizer.feature_values(prepared, state).toarray(), np.array(expected)[:, [0, 2]])
    assert tokenizer.plain_values(prepared[:0], state).shape == (0, 4)


def test_plain_values_of_many_samples_are_those_of_each():
    samples = people(TRAIN * 150)
    tokenizer, state = fitted(samples, min_count=151)
    found = tokenizer.plain_values(prepared_by(tokenizer, state, samples), state)
    np.testing.assert_array_equal(found.toarray(), [[2, 0, 2, 0], *[[1, 1, 1, 1]] * 3] * 150)


def test_what_was_learned_survives_the_run_folder(tmp_path):
    samples = people(TRAIN)
    tokenizer, state = fitted(samples)
    write_tokenizer(tmp_path, tokenizer, state, state.feature_ids)
    again, _ = read_tokenizer(tmp_path, tokenizer)
    assert again.facts == dict(state.facts)
    assert clusters(tokenizer, again, samples) == clusters(tokenizer, state, samples)
    plain = [tokenizer.plain_values(prepared_by(tokenizer, known, samples), known).toarray() for known in (state, again)]
    np.testing.assert_array_equal(*plain)


def test_variants_are_found_in_files_and_blocks_are_not():
    samples = people(TRAIN)
    _, state = fitted(samples)
    found = locate(state, samples, symbols=state.feature_ids)
    assert found.columns.tolist() == [0, 1, 2, 3, 4]
    assert names_of(state, samples.features, found.columns) == ("7:1-21", "7:31-41")


def test_blocks_of_two_chromosomes_stand_in_the_order_of_the_file():
    shuffled = people(TWO_BLOCKS, chromosome=["10", "9", "9", "10"], position_bp=[50, 80, 70, 20])
    _, state = fitted(shuffled, block_variants=2)
    assert state.feature_ids == ("10:20-50", "9:70-80")
    assert state.sought()[0] == ("rs3", "rs0", "rs2", "rs1")
    assert state.per_feature["chromosome"].tolist() == [0, 1]
    assert state.facts["chromosomes"] == ["10", "9"]


def test_what_cannot_be_blocks_is_refused():
    samples = people(TRAIN)
    with pytest.raises(DataError, match="haploblocks need phased genotypes"):
        fitted(replace(samples, first_strand=None))
    with pytest.raises(DataError, match="needs genotypes"):
        fitted(replace(samples, value_kind="counts"))
    with pytest.raises(DataError, match="no column 'block'"):
        HaploblockTokenizer().fit(samples)
    with pytest.raises(DataError, match="do not stand together"):
        HaploblockTokenizer().fit(replace(samples, features=samples.features.assign(block=[0, 1, 0, 1, 1])))
    with pytest.raises(ConfigError, match="no way to make blocks"):
        HaploblockTokenizer(blocks="linkge")
    with pytest.raises(ConfigError, match="need each other"):
        HaploblockTokenizer(blocks="recombination")


def test_a_state_that_learned_nothing_has_a_layout():
    bare = TokenizerState(feature_ids=("first", "second"))
    sizes = {kind: [c.size for c in HaploblockTokenizer(categories=kind).layout(bare).channels] for kind in ("per_block", "shared")}
    assert sizes == {"per_block": [5, 66], "shared": [5, 34]}
