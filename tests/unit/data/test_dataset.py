"""Prepared samples, cut into batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from genoken.core.calls import Calls
from genoken.core.samples import Samples
from genoken.core.stored_rows import store_rows
from genoken.data.dataset import TokenDataset, collate
from genoken.data.token_dropout import visible_tokens
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.tokenizers.genotype import GenotypeTokenizer

DENSE = np.array([[0, 2.5, 0, 1.5], [0, 0, 0, 0], [1, 3, 3, 2], [4, 0, 0, 0]], dtype=np.float32)


def dataset_of(tokenizer, labels=None) -> TokenDataset:
    values = sp.csr_matrix(DENSE)
    table = pd.DataFrame(index=[str(row) for row in range(4)])
    samples = Samples(values=values, table=table, features=pd.DataFrame(index=list("abcd")), value_kind="log", origin="test")
    state = tokenizer.fit(samples)
    return TokenDataset(tokenizer, state, tokenizer.prepare(samples, np.arange(4), state), labels)


@pytest.mark.parametrize("kind", ["expressed", "all"])
@pytest.mark.parametrize("max_tokens", [0, 1, 3, 5, 9])
def test_lengths_are_known_without_encoding(kind, max_tokens):
    dataset = dataset_of(ContinuousTokenizer(hvgs=0, tokens=kind, max_tokens=max_tokens))
    assert len(dataset) == 4
    assert dataset.lengths().tolist() == list(dataset.batch(np.arange(4)).lengths)


def test_a_batch_holds_the_rows_asked_for():
    batch = dataset_of(ContinuousTokenizer(hvgs=0)).batch(np.array([3, 0]))
    assert batch.lengths == (2, 3)
    assert batch.rows.tolist() == [3, 0]
    assert batch.channels["feature"].tolist() == [0, 3, 0, 4, 6]
    assert batch.channels["value"].tolist() == [0, 4, 0, 2.5, 1.5]
    assert batch.visible is None
    assert dict(batch.targets) == {}


def test_a_training_batch_hides_tokens_from_the_encoder_alone():
    dataset = dataset_of(ContinuousTokenizer(hvgs=0, tokens="all"))
    rows = np.array([2, 0, 1])
    batch = dataset.training_batch(rows, token_dropout=0.5, seed=3, epoch=1)
    assert batch.lengths == (5, 5, 5)
    assert batch.num_tokens == 15
    expected = visible_tokens(np.array([0, 5, 10, 15]), rows, 0.5, 3, 1)
    assert batch.visible.tolist() == expected.tolist()
    assert 3 < len(expected) < 15
    by_sample = np.bincount(expected // 5, minlength=3)
    assert batch.visible_lengths == tuple(by_sample)
    assert dataset.training_batch(rows, token_dropout=0.5, seed=3, epoch=2).visible.tolist() != expected.tolist()


def test_without_dropout_everything_is_visible():
    batch = dataset_of(ContinuousTokenizer(hvgs=0)).training_batch(np.array([1, 2]), token_dropout=0.0, seed=0, epoch=0)
    assert batch.visible is None
    assert batch.lengths == (1, 5)


@pytest.mark.parametrize(
    ("rows", "shares_memory"), [([0, 1, 2, 3], True), ([2, 3], True), ([2], True), ([1, 0], False), ([0, 2], False), ([], False)]
)
def test_rows_that_follow_each_other_are_taken_without_a_copy(rows, shares_memory):
    dataset = dataset_of(ContinuousTokenizer(hvgs=0), labels=np.arange(4.0))
    taken = dataset.take(np.array(rows, dtype=np.int64))
    np.testing.assert_array_equal(taken.values.toarray(), DENSE[rows])
    assert taken.labels.tolist() == rows
    for name in ("data", "indices"):
        assert np.shares_memory(getattr(taken.values, name), getattr(dataset.values, name)) == shares_memory
    assert taken.values.indptr.dtype == dataset.values.indptr.dtype


@pytest.mark.parametrize("tokens", ["expressed", "all"])
def test_batches_of_values_on_disk_are_those_in_memory(tokens, tmp_path):
    in_memory = dataset_of(ContinuousTokenizer(hvgs=0, tokens=tokens))
    stored = store_rows([in_memory.values], tmp_path / "rows", 4)
    on_disk = replace(in_memory, prepared=stored, counts=in_memory.lengths())
    chosen, rows = np.array([3, 0, 2, 1]), np.array([2, 0, 2])
    for one, other in ((in_memory, on_disk), (in_memory.take(chosen), on_disk.take(chosen))):
        assert len(one) == len(other) == 4
        np.testing.assert_array_equal(one.lengths(), other.lengths())
        np.testing.assert_array_equal(one.values.toarray(), other.values.toarray())
        batch, from_disk = one.batch(rows), other.batch(rows)
        assert batch.lengths == from_disk.lengths
        assert from_disk.rows.tolist() == [2, 0, 2]
        for name, channel in batch.channels.items():
            assert torch.equal(channel, from_disk.channels[name])


def test_a_prior_travels_with_its_samples():
    prior = np.array([[0.5], [1.5], [2.5], [3.5]], dtype=np.float32)
    dataset = replace(dataset_of(ContinuousTokenizer(hvgs=0)), prior=prior)
    assert dataset.batch(np.array([3, 0])).prior.tolist() == [[3.5], [0.5]]
    assert dataset.training_batch(np.array([2, 1]), token_dropout=0.5, seed=0, epoch=0).prior.tolist() == [[2.5], [1.5]]
    assert dataset.take(np.array([2, 3])).batch(np.array([1])).prior.tolist() == [[3.5]]
    assert collate([dataset[1], dataset[3]]).prior.tolist() == [[1.5], [3.5]]
    assert dataset.batch(np.array([1])).to("cpu").prior.tolist() == [[1.5]]
    assert collate([replace(dataset, prior=None)[0]]).prior is None


@pytest.mark.parametrize("encoding", ["dosage", "additive", "genotype8"])
def test_calls_give_the_tokens_and_values_of_the_matrix_that_they_stand_for(encoding):
    copies = np.array([[0, 1, 2, np.nan], [2, 1, 0, 0], [1, 2, np.nan, 1], [0, 0, 1, 2]], dtype=np.float32)
    places = {"chromosome": "1", "position_bp": range(4), "counted_allele": "A", "other_allele": "G", "build": ""}
    features = pd.DataFrame(places, index=list("vwxy"))
    samples = Samples(Calls.of(sp.csr_matrix(copies)), pd.DataFrame(index=list("abcd")), features, "dosage", "typed")
    tokenizer = GenotypeTokenizer(encoding=encoding)
    state = tokenizer.fit(samples)
    ours = TokenDataset(tokenizer, state, tokenizer.prepare(samples, np.arange(4), state))
    assert isinstance(ours.prepared, Calls)
    theirs = replace(ours, prepared=sp.csr_matrix(copies))
    np.testing.assert_array_equal(ours.values.toarray(), copies)
    np.testing.assert_array_equal(ours.plain_values.toarray(), theirs.plain_values.toarray())
    assert ours.lengths().tolist() == [5, 5, 5, 5]
    for rows in (np.array([3, 0]), np.array([1, 2])):
        one, other = ours.take(rows).batch(np.array([1, 0])), theirs.take(rows).batch(np.array([1, 0]))
        assert set(one.channels) == set(other.channels)
        for name, entries in one.channels.items():
            torch.testing.assert_close(entries, other.channels[name], rtol=0, atol=0)
