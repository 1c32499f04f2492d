"""What every tokenizer promises: its layout is true, lengths are those of encode, and a sample's tokens are its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.components import component_to_dict, kinds
from genoken.core.config import component_from_dict
from genoken.core.genotypes import MISSING, dense_dosages, sparse_dosages
from genoken.core.layout import CLS_ID, NUM_SPECIALS
from genoken.core.samples import Samples
from genoken.workflows.encoder import fit_tokenizer

KINDS = kinds("tokenizers")
OF_GENOTYPES = ("genotype", "haploblock")


@pytest.fixture(scope="module")
def samples(planted):
    """Return, for a kind, samples that it takes: 120 cells or people."""
    found = {"cells": _cells(planted), "people": _people()}
    return lambda kind: found["people" if kind in OF_GENOTYPES else "cells"]


def _cells(planted) -> Samples:
    """Return counts of 120 cells; the last one expresses nothing."""
    values = sp.csr_matrix(planted.X, dtype=np.float32).tolil()
    values[-1] = 0
    values = values.tocsr()
    values.eliminate_zeros()
    return Samples(values, planted.obs, planted.var, "counts", "planted:X")


def _people() -> Samples:
    """Return phased genotypes of 120 people at 60 variants of two chromosomes, some calls missing."""
    rng = np.random.default_rng(5)
    strands = (rng.random((2, 120, 60)) < rng.uniform(0.1, 0.9, 60)).astype(np.int8)
    is_missing = rng.random((120, 60)) < 0.03
    values, first = (sparse_dosages(np.where(is_missing, MISSING, found)) for found in (strands.sum(axis=0), strands[0]))
    features = pd.DataFrame(
        {
            "chromosome": ["1"] * 35 + ["2"] * 25,
            "position_bp": np.arange(60) * 1000 + 5,
            "counted_allele": "A",
            "other_allele": "G",
            "build": "GRCh38",
        },
        index=[f"rs{index}" for index in range(60)],
    )
    table = pd.DataFrame(index=[f"person {index}" for index in range(120)])
    return Samples(values, table, features, "dosage", "people", first_strand=first)


def fitted(kind, samples, **settings):
    """Return a tokenizer with what it learned from the first 80 samples, and all samples as it prepares them."""
    if kind in OF_GENOTYPES:  # they have all variants as tokens, there is nothing to leave out
        settings.pop("max_tokens", None)
    if kind == "haploblock":
        settings["block_variants"] = 3
    tokenizer = component_from_dict("tokenizers", {"kind": kind} | settings)
    state = fit_tokenizer(tokenizer, samples.take(np.arange(80)))
    columns = samples.features.index.get_indexer(list(state.sought()[0]))
    return tokenizer, state, tokenizer.prepare(samples, columns, state)


@pytest.mark.parametrize("max_tokens", [0, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_true_of_what_is_emitted(kind, max_tokens, samples):
    tokenizer, state, prepared = fitted(kind, samples(kind), max_tokens=max_tokens)
    layout = tokenizer.layout(state)
    tokens = tokenizer.encode(prepared, np.arange(120), state)
    assert layout.num_features == len(state.feature_ids) == prepared.shape[1]
    assert set(tokens.channels) == {channel.name for channel in layout.channels}
    assert {len(values) for values in tokens.channels.values()} == {tokens.num_tokens}
    assert np.diff(tokens.offsets).max() <= layout.max_tokens
    identities = tokens.channels[layout.channel("identity").name]
    assert layout.channel("identity").size == NUM_SPECIALS + layout.num_features
    assert (identities[tokens.offsets[:-1]] == CLS_ID).all()
    for channel in layout.channels:
        values = tokens.channels[channel.name]
        assert values.dtype == (np.float32 if channel.kind == "scalar" else np.int64)
        if channel.kind != "scalar":
            assert 0 <= values.min() <= values.max() < channel.size


@pytest.mark.parametrize("max_tokens", [0, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_those_of_encode_and_a_sample_stands_for_itself(kind, max_tokens, samples):
    tokenizer, state, prepared = fitted(kind, samples(kind), max_tokens=max_tokens)
    rows = np.array([119, 3, 50, 3, 118])
    together = tokenizer.encode(prepared, rows, state)
    lengths = tokenizer.lengths(prepared, state)
    assert lengths.dtype == np.int64
    assert lengths.shape == (120,)
    np.testing.assert_array_equal(lengths[rows], np.diff(together.offsets))
    alone = [tokenizer.encode(prepared, np.array([row]), state) for row in rows]
    assert together.num_truncated == sum(tokens.num_truncated for tokens in alone)
    for name, values in together.channels.items():
        np.testing.assert_array_equal(values, np.concatenate([tokens.channels[name] for tokens in alone]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_depends_on_the_train_samples_alone(kind, samples):
    tokenizer, state, prepared = fitted(kind, samples(kind))
    columns = samples(kind).features.index.get_indexer(list(state.sought()[0]))
    again = tokenizer.prepare(samples(kind).take(np.array([100, 7])), columns, state)
    np.testing.assert_array_equal(again.toarray(), prepared[[100, 7]].toarray())
    assert {len(values) for values in state.per_feature.values()} == {len(state.feature_ids)}
    assert {values.dtype for values in state.per_feature.values()} == {np.dtype(np.float64)}
    assert component_from_dict("tokenizers", component_to_dict(tokenizer)) == tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_plain_values_are_finite_numbers_of_every_feature(kind, samples):
    tokenizer, state, prepared = fitted(kind, samples(kind))
    plain, by_feature = tokenizer.plain_values(prepared, state), tokenizer.feature_values(prepared, state)
    assert plain.shape[0] == len(prepared.toarray())
    assert by_feature.shape == prepared.shape
    for values in (plain, by_feature):
        assert np.isfinite(values.data).all()
        assert (values.data >= 0).all()


def test_the_people_have_missing_calls():
    assert (dense_dosages(_people().values) == MISSING).sum() > 50
