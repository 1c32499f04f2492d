"""What every tokenizer promises: its layout is true, lengths are those of encode, and a sample's tokens are its own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.components import component_to_dict, kinds
from genoken.core.config import component_from_dict
from genoken.core.layout import CLS_ID, NUM_SPECIALS
from genoken.core.samples import Samples

KINDS = kinds("tokenizers")


@pytest.fixture(scope="module")
def samples(planted) -> Samples:
    """Counts of 120 cells; the last one expresses nothing."""
    values = sp.csr_matrix(planted.X, dtype=np.float32).tolil()
    values[-1] = 0
    values = values.tocsr()
    values.eliminate_zeros()
    return Samples(values, planted.obs, planted.var, "counts", "planted:X")


def fitted(kind, samples, **settings):
    """Return a tokenizer with what it learned from the first 80 cells, and all cells as it prepares them."""
    tokenizer = component_from_dict("tokenizers", {"kind": kind} | settings)
    state = tokenizer.fit(samples.take(np.arange(80)))
    columns = samples.features.index.get_indexer(list(state.feature_ids))
    return tokenizer, state, tokenizer.prepare(samples, columns, state)


@pytest.mark.parametrize("max_tokens", [0, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_true_of_what_is_emitted(kind, max_tokens, samples):
    tokenizer, state, prepared = fitted(kind, samples, max_tokens=max_tokens)
    layout = tokenizer.layout(state)
    tokens = tokenizer.encode(prepared, np.arange(len(samples.table)), state)
    assert layout.num_features == len(state.feature_ids) == prepared.shape[1]
    assert set(tokens.channels) == {channel.name for channel in layout.channels}
    assert {len(values) for values in tokens.channels.values()} == {tokens.num_tokens}
    assert np.diff(tokens.offsets).max() <= layout.max_tokens
    identities = tokens.channels[layout.channel("identity").name]
    assert layout.channel("identity").size == NUM_SPECIALS + layout.num_features
    assert (identities[tokens.offsets[:-1]] == CLS_ID).all()
    for channel in layout.channels:
        values = tokens.channels[channel.name]
        assert values.dtype == (np.int64 if channel.kind == "category" else np.float32)
        if channel.kind == "category":
            assert 0 <= values.min() <= values.max() < channel.size


@pytest.mark.parametrize("max_tokens", [0, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_those_of_encode_and_a_sample_stands_for_itself(kind, max_tokens, samples):
    tokenizer, state, prepared = fitted(kind, samples, max_tokens=max_tokens)
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
    tokenizer, state, prepared = fitted(kind, samples)
    columns = samples.features.index.get_indexer(list(state.feature_ids))
    again = tokenizer.prepare(samples.take(np.array([100, 7])), columns, state)
    np.testing.assert_array_equal(again.toarray(), prepared[[100, 7]].toarray())
    assert {len(values) for values in state.per_feature.values()} == {len(state.feature_ids)}
    assert {values.dtype for values in state.per_feature.values()} == {np.dtype(np.float64)}
    assert component_from_dict("tokenizers", component_to_dict(tokenizer)) == tokenizer
