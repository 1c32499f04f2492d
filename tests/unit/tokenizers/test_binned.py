"""Binned tokens: expressed genes with the bin of their value, by fixed, per-gene and quantile edges."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pydantic
import pytest
import scanpy
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.errors import ConfigError, DataError
from genoken.core.samples import Samples
from genoken.tokenizers.binned import BinnedTokenizer

LOG = np.array([[0, 2.5, 0.0625, 1.5], [0, 0, 0, 0], [1, 3, 3, 2]], dtype=np.float32)


def samples_of(values, kind="counts", names=None) -> Samples:
    values = sp.csr_matrix(values, dtype=np.float32)
    values.eliminate_zeros()
    names = names or [f"g{column}" for column in range(values.shape[1])]
    table = pd.DataFrame(index=[f"s{row}" for row in range(values.shape[0])])
    return Samples(values=values, table=table, features=pd.DataFrame(index=names), value_kind=kind, origin="cells.h5ad:X")


def prepare(tokenizer, samples, state):
    return tokenizer.prepare(samples, samples.features.index.get_indexer(list(state.feature_ids)), state)


def encode(tokenizer, samples, rows=None):
    state = tokenizer.fit(samples)
    rows = np.arange(samples.num_samples) if rows is None else np.asarray(rows)
    return tokenizer.encode(prepare(tokenizer, samples, state), rows, state)


def as_lists(tokens):
    return tokens.offsets.tolist(), tokens.channels["feature"].tolist(), tokens.channels["bin"].tolist()


def edges_file(folder, edges):
    path = folder / "edges.json"
    path.write_text(json.dumps(edges))
    return str(path)


def test_one_edge_keeps_what_is_expressed_typed_by_hand():
    tokens = encode(BinnedTokenizer(), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 3, 4, 9], [0, 4, 6, 0, 0, 3, 4, 5, 6], [0, 3, 3, 0, 0, 3, 3, 3, 3])
    assert tokens.num_truncated == 0
    assert set(tokens.channels) == {"feature", "bin"}


def test_fixed_edges_typed_by_hand():
    tokens = encode(BinnedTokenizer(edges=(0.125, 1.5, 3.0)), samples_of(LOG, "log"), [2, 0])
    assert as_lists(tokens) == ([0, 5, 8], [0, 3, 4, 5, 6, 0, 4, 6], [0, 3, 5, 5, 4, 0, 4, 4])
    low = encode(BinnedTokenizer(edges=(0.0625, 1.5, 3.0)), samples_of(LOG, "log"), [0])
    assert as_lists(low) == ([0, 4], [0, 4, 5, 6], [0, 4, 3, 4])


def test_edges_of_each_gene_typed_by_hand(tmp_path):
    path = edges_file(tmp_path, {"g3": [1.75], "g1": [1, 2, 3], "other": [1], "g2": [0.01, 4]})
    tokenizer = BinnedTokenizer(bins="per_gene", edges_file=path)
    state = tokenizer.fit(samples_of(LOG, "log"))
    assert state.feature_ids == ("g1", "g2", "g3")  # no edges for g0
    assert state.facts["genes_without_edges"] == 1
    np.testing.assert_array_equal(state.per_feature["edge_1"], [2, 4, np.nan])
    tokens = encode(tokenizer, samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 3, 4, 8], [0, 3, 4, 0, 0, 3, 4, 5], [0, 4, 3, 0, 0, 5, 3, 3])
    assert tokenizer.layout(state).channel("value").size == 2 + 4


def test_quantile_bins_typed_by_hand():
    # Edges at the quantiles 0, 1/2, 1: of 0.0625, 1.5, 2.5 the values; of 1, 2, 3, 3 they are 1, 2.5, 3.
    tokens = encode(BinnedTokenizer(bins="quantile", num_bins=4), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 4, 5, 10], [0, 4, 5, 6, 0, 0, 3, 4, 5, 6], [0, 5, 3, 4, 0, 0, 3, 5, 5, 3])


@pytest.mark.parametrize(
    ("max_tokens", "features", "bins", "truncated"),
    [(4, [0, 3, 4, 5], [0, 3, 4, 4], 1), (3, [0, 4, 5], [0, 4, 4], 2), (2, [0, 4], [0, 4], 3), (1, [0], [0], 4)],
)
def test_a_limit_keeps_the_highest_bins_then_the_lower_index(max_tokens, features, bins, truncated):
    tokens = encode(BinnedTokenizer(edges=(0.1, 2.5), max_tokens=max_tokens), samples_of(LOG, "log"), [2])
    assert as_lists(tokens) == ([0, max_tokens], features, bins)
    assert tokens.num_truncated == truncated


@pytest.mark.parametrize(
    ("tokenizer", "num_bins", "max_tokens"),
    [
        (BinnedTokenizer(), 2, 5),
        (BinnedTokenizer(edges=(0.1, 1, 2), max_tokens=3), 4, 3),
        (BinnedTokenizer(bins="quantile", max_tokens=0), 51, 5),
    ],
)
def test_the_layout_says_what_is_emitted(tokenizer, num_bins, max_tokens):
    layout = tokenizer.layout(tokenizer.fit(samples_of(LOG, "log")))
    assert (layout.num_features, layout.has_cls, layout.emits_every_feature, layout.max_tokens) == (4, True, False, max_tokens)
    assert (layout.channel("identity").name, layout.channel("identity").size) == ("feature", 7)
    value = layout.channel("value")
    assert (value.name, value.kind, value.size) == ("bin", "category", 2 + num_bins)
    tokens = encode(tokenizer, samples_of(LOG, "log"))
    assert {channel.name for channel in layout.channels} == set(tokens.channels)
    assert tokens.channels["bin"].max() == 2 + num_bins - 1
    assert np.diff(tokens.offsets).max() <= max_tokens


def test_each_kind_of_value_is_brought_to_the_same_scale():
    dense = np.array([[1.0, 3.0], [0.0, 2.0]])

    def prepared(kind, **settings):
        tokenizer = BinnedTokenizer(**settings)
        samples = samples_of(dense, kind)
        return prepare(tokenizer, samples, tokenizer.fit(samples)).toarray()

    np.testing.assert_allclose(prepared("counts", target_sum=8.0), np.log([[3, 7], [1, 9]]), rtol=1e-6)
    np.testing.assert_allclose(prepared("counts", target_sum=8.0, log=False), [[2, 6], [0, 8]])
    np.testing.assert_allclose(prepared("counts", target_sum=0.0, log=False), dense)
    np.testing.assert_allclose(prepared("normalized"), np.log([[2, 4], [1, 3]]), rtol=1e-6)
    np.testing.assert_allclose(prepared("log"), dense)
    with pytest.raises(DataError, match=r"the values are logarithms, and tokenizer\.log is off"):
        prepared("log", log=False)


@pytest.mark.parametrize("kind", ["scaled", "unknown"])
def test_values_without_a_zero_are_refused_in_one_line(kind):
    with pytest.raises(DataError, match=f"cells.h5ad:X: the values are {kind}, and the binned tokenizer"):
        BinnedTokenizer().fit(samples_of([[0.5, 1.5], [2.0, 0.0]], kind))


def test_the_vocabulary_can_begin_with_the_most_variable_gene():
    rng = np.random.default_rng(3)
    mean = np.exp(rng.normal(1, 1, 40))
    counts = rng.poisson(rng.gamma(0.8, mean / 0.8, size=(80, 40))).astype(np.float32)
    counts[:, 25] = rng.choice([0, 90], 80)
    samples = samples_of(counts)
    table = scanpy.pp.highly_variable_genes(scanpy.AnnData(sp.csr_matrix(counts)), n_top_genes=6, flavor="seurat_v3", inplace=False)
    expected = [f"g{column}" for column in np.argsort(table.highly_variable_rank.to_numpy())[:6]]
    ranked, in_file = BinnedTokenizer(top_genes=6).fit(samples), BinnedTokenizer(hvgs=6).fit(samples)
    assert list(ranked.feature_ids) == expected
    assert list(in_file.feature_ids) == sorted(expected, key=lambda name: int(name[1:]))
    assert ranked.feature_ids != in_file.feature_ids
    np.testing.assert_array_equal(
        prepare(BinnedTokenizer(), samples, ranked).toarray()[:, np.argsort([int(name[1:]) for name in expected])],
        prepare(BinnedTokenizer(), samples, in_file).toarray(),
    )


def test_genes_without_edges_are_refused_when_none_is_left(tmp_path):
    samples = samples_of(LOG[:, [0, 1]] * [[0, 1]], "log")
    with pytest.raises(DataError, match="no expressed gene has edges there"):
        BinnedTokenizer(bins="per_gene", edges_file=edges_file(tmp_path, {"g0": [1]})).fit(samples)
    with pytest.raises(DataError, match="no gene in common"):
        BinnedTokenizer(bins="per_gene", edges_file=edges_file(tmp_path, {"x": [1]})).fit(samples)
    with pytest.raises(ConfigError, match="g1: bin edges must increase, not 2, 1"):
        BinnedTokenizer(bins="per_gene", edges_file=edges_file(tmp_path, {"g1": [2, 1]})).fit(samples)


def test_a_train_split_without_expression_is_refused():
    with pytest.raises(DataError, match="no feature is expressed in the train split"):
        BinnedTokenizer().fit(samples_of(np.zeros((4, 3))))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edges": (1.0, 0.5)}, "tokenizer.edges: bin edges must increase, not 1, 0.5"),
        ({"edges": (1.0, 1.0)}, "must increase"),
        ({"edges": (0.0, 1.0)}, "above zero"),
        ({"edges": (float("nan"),)}, "above zero and finite"),
        ({"edges": ()}, "there is no bin edge"),
        ({"hvgs": 3, "top_genes": 3}, "both choose genes"),
        ({"bins": "per_gene"}, "need each other"),
        ({"edges_file": "edges.json"}, "need each other"),
    ],
)
def test_settings_that_make_no_bins_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        BinnedTokenizer(**settings)


@pytest.mark.parametrize("wrong", [{"hvgs": -1}, {"num_bins": 2}, {"bins": "some"}, {"max_tokens": -2}, {"bin_edges": (1.0,)}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        BinnedTokenizer(**wrong)


COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.integers(0, 20)).filter(np.any)
TOKENIZERS = st.sampled_from(
    [
        BinnedTokenizer(edges=(7.0, 8.0)),
        BinnedTokenizer(edges=(7.0, 8.0), max_tokens=3),
        BinnedTokenizer(bins="quantile", num_bins=5),
        BinnedTokenizer(bins="quantile", num_bins=5, max_tokens=3),
    ]
)


@given(COUNTS, TOKENIZERS, st.randoms(use_true_random=False))
def test_a_samples_tokens_do_not_depend_on_its_neighbors(counts, tokenizer, random):
    samples = samples_of(counts)
    state = tokenizer.fit(samples)
    prepared = prepare(tokenizer, samples, state)
    rows = [random.randrange(len(counts)) for _ in range(4)]
    together = tokenizer.encode(prepared, np.array(rows), state)
    alone = [tokenizer.encode(prepared, np.array([row]), state) for row in rows]
    assert together.num_truncated == sum(one.num_truncated for one in alone)
    for name in together.channels:
        np.testing.assert_array_equal(together.channels[name], np.concatenate([one.channels[name] for one in alone]))
    np.testing.assert_array_equal(tokenizer.lengths(prepared, state)[rows], np.diff(together.offsets))


@given(COUNTS, TOKENIZERS)
def test_genes_come_in_vocabulary_order_and_are_those_above_the_first_edge(counts, tokenizer):
    samples = samples_of(counts)
    state = tokenizer.fit(samples)
    prepared = prepare(tokenizer, samples, state)
    tokens = tokenizer.encode(prepared, np.arange(len(counts)), state)
    lowest = 0 if tokenizer.bins == "quantile" else tokenizer.edges[0]
    dense = prepared.toarray()
    candidates = (dense > 0) & (dense >= lowest)
    for row in range(len(counts)):
        own = tokens.channels["feature"][tokens.offsets[row] : tokens.offsets[row + 1]]
        assert own[0] == 0
        assert (np.diff(own) > 0).all()
        assert candidates[row, own[1:] - 3].all()
    emitted = tokens.num_tokens - len(counts)
    assert emitted + tokens.num_truncated == candidates.sum()


@given(COUNTS, st.booleans())
def test_quantile_bins_do_not_depend_on_the_scale(counts, log):
    samples, factors = samples_of(counts), np.resize([2, 1, 8], len(counts))[:, None]
    one = encode(BinnedTokenizer(bins="quantile", num_bins=6), samples)
    other = encode(BinnedTokenizer(bins="quantile", num_bins=6, log=log), samples_of(counts * factors))
    assert as_lists(one) == as_lists(other)
