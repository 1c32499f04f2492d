"""Genotype tokens: tables typed by hand, flips, missing calls, which variants stay, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.errors import DataError
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.tokenizers.genotype import GenotypeTokenizer
from genoken.workflows.store import read_tokenizer, write_tokenizer

M = MISSING
TRAIN = np.array([[0, 2, 0, 1], [1, 2, 0, M], [2, M, 0, 0], [0, 1, 0, 0]], dtype=np.int8)
"""Frequencies of the counted alleles: 3/8, 5/6, none, 1/6."""
FIRST = np.array([[0, 1, 0, 0], [1, 1, 0, M], [1, M, 0, 0], [0, 0, 0, 0]], dtype=np.int8)


def people(dense: np.ndarray, first: np.ndarray | None = None, **columns) -> Samples:
    count = dense.shape[1]
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
    strand = None if first is None else sparse_dosages(first)
    table = pd.DataFrame(index=[f"p{index}" for index in range(len(dense))])
    return Samples(sparse_dosages(dense), table, features, "dosage", "typed", first_strand=strand)


def flipped(samples: Samples, variants: list[int]) -> Samples:
    """Return the samples as a file holds them that counts the other allele of these variants."""
    dense = np.where(np.isnan(samples.values.toarray()), M, samples.values.toarray()).astype(np.int8)
    first = None
    if samples.first_strand is not None:
        first = np.where(np.isnan(samples.first_strand.toarray()), M, samples.first_strand.toarray()).astype(np.int8)
        first[:, variants] = np.where(first[:, variants] == M, M, 1 - first[:, variants])
    dense[:, variants] = np.where(dense[:, variants] == M, M, 2 - dense[:, variants])
    features = samples.features.copy()
    ids = features.index[variants]
    features.loc[ids, ["counted_allele", "other_allele"]] = features.loc[ids, ["other_allele", "counted_allele"]].to_numpy()
    strand = None if first is None else sparse_dosages(first)
    return replace(samples, values=sparse_dosages(dense), features=features, first_strand=strand)


def prepared_by(tokenizer, state, samples):
    columns = samples.features.index.get_indexer(list(state.feature_ids))
    return tokenizer.prepare(samples, columns, state)


def encoded(encoding: str, samples: Samples, train: Samples | None = None):
    tokenizer = GenotypeTokenizer(encoding=encoding)
    state = tokenizer.fit(train or samples)
    return tokenizer, state, tokenizer.encode(prepared_by(tokenizer, state, samples), np.arange(samples.num_samples), state)


def rows_of_table(tokenizer, state, tokens) -> np.ndarray:
    table = np.array(tokenizer.layout(state).channel("genotype").table)
    return table[tokens.channels["genotype"]].reshape(tokens.num_samples, -1, table.shape[1])


def test_dosages_are_copies_and_missing_calls_the_train_mean():
    _, state, tokens = encoded("dosage", people(TRAIN))
    assert state.feature_ids == ("rs0", "rs1", "rs3")
    np.testing.assert_allclose(state.per_feature["frequency"], [3 / 8, 5 / 6, 1 / 6])
    assert tokens.channels["feature"].tolist() == [0, 3, 4, 5] * 4
    expected = [0, 0, 2, 1, 0, 1, 2, 1 / 3, 0, 2, 5 / 3, 0, 0, 0, 1, 0]
    np.testing.assert_allclose(tokens.channels["value"], expected, rtol=1e-6)
    assert tokens.offsets.tolist() == [0, 4, 8, 12, 16]
    assert set(tokens.channels) == {"feature", "value"}
    assert tokens.num_truncated == 0


def test_additive_values_are_centered():
    _, state, tokens = encoded("additive", people(TRAIN))
    expected = [0, -0.75, 1 / 3, 2 / 3, 0, 0.25, 1 / 3, 0, 0, 1.25, 0, -1 / 3, 0, -0.75, -2 / 3, -1 / 3]
    np.testing.assert_allclose(tokens.channels["value"], expected, atol=1e-6)
    np.testing.assert_array_equal(state.per_feature["train_mean"], np.zeros(3))


@pytest.mark.parametrize("encoding", ["dosage", "additive", "one_hot"])
def test_moments_are_those_of_the_values(encoding):
    _, state, tokens = encoded(encoding, people(TRAIN))
    values = tokens.channels["value"].reshape(4, 4)[:, 1:]
    for name in ("train", "expressed"):
        np.testing.assert_allclose(state.per_feature[f"{name}_mean"], values.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(state.per_feature[f"{name}_deviation"], values.std(axis=0), rtol=1e-6)


def test_one_hot_has_a_flag_for_missing_calls():
    found = rows_of_table(*encoded("one_hot", people(TRAIN)))
    zero, one, two, missing, nothing = [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]
    expected = [[nothing, zero, two, one], [nothing, one, two, missing], [nothing, two, missing, zero], [nothing, zero, one, zero]]
    np.testing.assert_array_equal(found, expected)


def test_genotype8_is_the_table_of_the_source():
    found = rows_of_table(*encoded("genotype8", people(TRAIN)))
    nothing = [0] * 8
    rare = {0: [1, 0, 0, 0, 0, 0, 0, 0], 1: [0, 1, 0, 1, 0, 1, 1, 0], 2: [0, 0, 1, 1, 1, 0, 1, 0], M: [0] * 8}
    common = {genotype: [*numbers[:7], 1] for genotype, numbers in rare.items()}
    expected = [[nothing, rare[row[0]], common[row[1]], rare[row[3]]] for row in TRAIN.tolist()]
    np.testing.assert_array_equal(found, expected)


def test_the_last_of_the_eight_numbers_is_of_the_train_split():
    others = people(np.full((3, 4), 2, dtype=np.int8))  # frequency 1 in these samples, in the train split 3/8, 5/6, 1/6
    found = rows_of_table(*encoded("genotype8", others, train=people(TRAIN)))
    np.testing.assert_array_equal(found[:, 1:, 7], [[0, 1, 0]] * 3)


def test_haplotypes_hold_both_strands():
    found = rows_of_table(*encoded("haplotype", people(TRAIN, FIRST)))
    none, both, first, second, missing = [0, 1, 0, 1, 0], [1, 0, 1, 0, 0], [1, 0, 0, 1, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]
    expected = [[none, both, second], [first, both, missing], [both, missing, none], [none, second, none]]
    np.testing.assert_array_equal(found[:, 1:], expected)
    np.testing.assert_array_equal(found[:, 0], np.zeros((4, 5)))


def test_unphased_samples_have_no_haplotypes():
    with pytest.raises(DataError, match="needs phased genotypes"):
        GenotypeTokenizer(encoding="haplotype").fit(people(TRAIN))


def test_other_values_are_refused():
    with pytest.raises(DataError, match="needs genotypes"):
        GenotypeTokenizer().fit(replace(people(TRAIN), value_kind="counts"))
    with pytest.raises(DataError, match="no column 'counted_allele'"):
        GenotypeTokenizer().fit(replace(people(TRAIN), features=people(TRAIN).features.drop(columns="counted_allele")))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, ["rs0", "rs1", "rs3"]),
        ({"min_call_rate": 0.9}, ["rs0"]),
        ({"min_frequency": 0.2}, ["rs0"]),
        ({"max_variants": 2}, ["rs0", "rs3"]),
        ({"max_variants": 3}, ["rs0", "rs1", "rs3"]),
    ],
)
def test_which_variants_stay(settings, kept):
    assert list(GenotypeTokenizer(**settings).fit(people(TRAIN)).feature_ids) == kept


def test_what_each_rule_leaves_out_is_noted():
    dense = np.array([[0, 0, 1, 0]] * 20 + [[2, 2, 1, 1]] * 19 + [[2, 2, 1, M]], dtype=np.int8)
    settings = {"min_call_rate": 0.99, "min_hardy_weinberg": 1e-6, "biallelic": True}
    with pytest.raises(DataError, match=r"left in the train split: 1 fail 'call rate', 1 fail 'varies', 2 fail 'Hardy-Weinberg'"):
        GenotypeTokenizer(**settings).fit(people(dense))
    tokenizer = GenotypeTokenizer(**settings)
    state = tokenizer.fit(people(dense, chromosome=["X", "7", "7", "7"]))
    assert state.feature_ids == ("rs0",)
    assert [row[2] for row in state.facts["quality"]] == [0, 1, 1, 0, 1, 1]
    beside = people(dense, chromosome=["X", "7", "7", "7"], position_bp=[5, 8, 8, 9])
    assert [row[2] for row in tokenizer.fit(beside).facts["quality"]] == [2, 1, 0, 0, 0, 1]
    spaced = GenotypeTokenizer(max_variants=2).fit(people(TRAIN)).facts["quality"]
    assert spaced[-2:] == [["evenly spaced", "at most 2", 1], ["kept", "", 2]]


def test_variants_that_are_heterozygous_in_all_do_not_vary():
    with pytest.raises(DataError, match="none of 2 variants is left"):
        GenotypeTokenizer().fit(people(np.array([[1, 0], [1, M]], dtype=np.int8)))


def test_variants_stand_in_the_order_of_the_genome():
    shuffled = people(TRAIN, chromosome=["10", "9", "10", "9"], position_bp=[50, 80, 20, 70])
    state = GenotypeTokenizer().fit(shuffled)
    assert state.feature_ids == ("rs0", "rs3", "rs1")  # chromosomes as they first appear, then positions
    assert state.per_feature["position_bp"].tolist() == [50, 70, 80]
    assert state.per_feature["chromosome"].tolist() == [0, 1, 1]
    assert state.facts["chromosomes"] == ["10", "9"]


dosages = hnp.arrays(np.int8, (6, 5), elements=st.sampled_from([0, 1, 2, M]))


@given(dense=dosages, side=hnp.arrays(np.int8, (6, 5), elements=st.integers(0, 1)), variants=st.sets(st.integers(0, 4)))
@pytest.mark.parametrize("encoding", ["dosage", "additive", "one_hot", "genotype8", "haplotype"])
def test_a_file_that_counts_the_other_allele_gives_the_same_tokens(encoding, dense, side, variants):
    dense[0], dense[1] = [0, 1, 2, 1, 0], [1, 2, 1, 0, 1]  # every variant varies
    first = np.where(dense == M, M, np.where(dense == 1, side, dense // 2)).astype(np.int8)
    own = people(dense, first)
    tokenizer, state, expected = encoded(encoding, own)
    other = flipped(own, sorted(variants))
    found = tokenizer.encode(prepared_by(tokenizer, state, other), np.arange(6), state)
    for name, channel in expected.channels.items():
        np.testing.assert_array_equal(found.channels[name], channel)
    plain, again = (tokenizer.plain_values(prepared_by(tokenizer, state, samples), state) for samples in (own, other))
    np.testing.assert_array_equal(plain.toarray(), again.toarray())
    assert len(tokenizer.notes(other, state)) == bool(variants)


def test_variants_that_are_absent_or_have_other_alleles_are_missing():
    tokenizer = GenotypeTokenizer(encoding="one_hot")
    state = tokenizer.fit(people(TRAIN))
    other = people(TRAIN, other_allele=["G", "T", "G", "G"])
    prepared = tokenizer.prepare(other, np.array([-1, 1, 3]), state)
    np.testing.assert_array_equal(np.isnan(prepared.toarray()), [[1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 1, 0]])
    assert tokenizer.notes(other, state) == (
        "1 variants have other alleles than the model's, or ones that the strands leave open; they count as missing",
    )


STRANDS = {
    # counted and other allele in train, then in the file, and what the file's (0, 1, 2) then are
    "same": ("A", "G", "A", "G", [0, 1, 2]),
    "flipped": ("A", "G", "G", "A", [2, 1, 0]),
    "other strand": ("A", "G", "T", "C", [0, 1, 2]),
    "flipped on the other strand": ("A", "G", "C", "T", [2, 1, 0]),
    "backwards": ("AC", "A", "GT", "T", [0, 1, 2]),
    "other alleles": ("A", "G", "A", "C", [np.nan] * 3),
}


def with_alleles(counted, other):
    dense = np.repeat(np.array([[0], [1], [2]], dtype=np.int8), len(counted), axis=1)
    return people(dense, counted_allele=counted, other_allele=other)


def test_alleles_are_read_on_either_strand():
    train_counted, train_other, counted, other, expected = map(list, zip(*STRANDS.values(), strict=True))
    tokenizer = GenotypeTokenizer()
    state = tokenizer.fit(with_alleles(train_counted, train_other))
    found = with_alleles(counted, other)
    prepared = tokenizer.prepare(found, np.arange(len(STRANDS)), state)
    np.testing.assert_array_equal(prepared.toarray(), np.array(expected).T)
    assert "3 variants have their alleles on the other strand; they were read from there" in tokenizer.notes(found, state)


def test_ambiguous_alleles_are_trusted_only_in_a_file_on_the_same_strand():
    tokenizer = GenotypeTokenizer()
    state = tokenizer.fit(with_alleles(["A", "A"], ["T", "G"]))
    same = tokenizer.prepare(with_alleles(["T", "A"], ["A", "G"]), np.arange(2), state)
    np.testing.assert_array_equal(same.toarray(), [[2, 0], [1, 1], [0, 2]])
    turned = with_alleles(["T", "T"], ["A", "C"])
    np.testing.assert_array_equal(tokenizer.prepare(turned, np.arange(2), state).toarray(), [[np.nan, 0], [np.nan, 1], [np.nan, 2]])
    assert any("ones that the strands leave open" in note for note in tokenizer.notes(turned, state))


def test_plain_values_have_no_gaps_and_no_strands():
    tokenizer = GenotypeTokenizer(encoding="haplotype")
    samples = people(TRAIN, FIRST)
    state = tokenizer.fit(samples)
    prepared = prepared_by(tokenizer, state, samples)
    np.testing.assert_array_equal(prepared.toarray()[:, 2], [-1, np.nan, 0, 0])
    found = tokenizer.plain_values(prepared, state)
    np.testing.assert_allclose(found.toarray(), [[0, 2, 1], [1, 2, 1 / 3], [2, 5 / 3, 0], [0, 1, 0]], rtol=1e-6)


def test_what_was_learned_survives_the_run_folder(tmp_path):
    tokenizer = GenotypeTokenizer(encoding="genotype8", min_frequency=0.01)
    samples = people(TRAIN)
    state = tokenizer.fit(samples)
    write_tokenizer(tmp_path, tokenizer, state, state.feature_ids)
    again, _ = read_tokenizer(tmp_path, tokenizer)
    assert again.facts == dict(state.facts)
    expected, found = (tokenizer.encode(prepared_by(tokenizer, known, samples), np.arange(4), known) for known in (state, again))
    for name, channel in expected.channels.items():
        np.testing.assert_array_equal(found.channels[name], channel)


def test_values_of_no_sample_are_packed():
    tokenizer, state, _ = encoded("one_hot", people(TRAIN))
    nothing = tokenizer.encode(sp.csr_matrix((0, 3), dtype=np.float32), np.zeros(0, dtype=np.int64), state)
    assert nothing.offsets.tolist() == [0]
    assert nothing.channels["genotype"].shape == (0,)
