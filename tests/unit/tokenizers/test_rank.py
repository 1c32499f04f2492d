"""Rank tokens: genes by value over median, in both orders, and Geneformer's own definition."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pydantic
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.errors import ConfigError, DataError
from genoken.core.samples import Samples
from genoken.tokenizers.rank import RankTokenizer, inverse_permutation, order_of, ranks_of
from genoken.vocabulary.align import align

# Non-zero medians: 2, 4, 3, none of the last gene. Rows over medians: (1, 0.5, 1), (0, 1, 4/3), (2, 1, 0), nothing.
VALUES = [[2, 2, 3, 0], [0, 4, 4, 0], [4, 4, 0, 0], [0, 0, 0, 0], [1, 0, 2, 0]]
PANEL = [[0.5, -2, 3, 0], [1, 1, -1, 2]]


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


def written(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)


def test_genes_come_by_value_over_median_typed_by_hand():
    samples = samples_of(VALUES, "normalized")
    state = RankTokenizer().fit(samples)
    assert state.feature_ids == ("g0", "g1", "g2")
    np.testing.assert_array_equal(state.per_feature["median"], [2, 4, 3])
    expected = [[1, 0.5, 1], [0, 1, 4 / 3], [2, 1, 0], [0, 0, 0], [0.5, 0, 2 / 3]]
    np.testing.assert_allclose(prepare(RankTokenizer(), samples, state).toarray(), expected, rtol=1e-6)
    tokens = encode(RankTokenizer(), samples)
    assert set(tokens.channels) == {"feature"}
    assert tokens.channels["feature"].tolist() == [0, 3, 5, 4, 0, 5, 4, 0, 3, 4, 0, 0, 5, 3]
    assert tokens.offsets.tolist() == [0, 4, 7, 10, 11, 14]
    assert tokens.num_truncated == 0


def test_a_limit_keeps_the_highest_ranks():
    tokens = encode(RankTokenizer(max_tokens=3), samples_of(VALUES, "normalized"), [0, 3, 1])
    assert tokens.channels["feature"].tolist() == [0, 3, 5, 0, 0, 5, 4]
    assert (tokens.offsets.tolist(), tokens.num_truncated) == ([0, 3, 4, 7], 1)


def test_without_scaling_the_values_themselves_are_ranked():
    tokens = encode(RankTokenizer(scale="none"), samples_of(VALUES, "normalized"), [0, 1])
    assert tokens.channels["feature"].tolist() == [0, 5, 3, 4, 0, 4, 5]


def test_a_dense_panel_in_both_orders_typed_by_hand():
    samples = samples_of(PANEL, "unknown")
    by_rank = encode(RankTokenizer(values="all", scale="none"), samples)
    assert by_rank.channels["feature"].tolist() == [0, 5, 3, 6, 4, 0, 6, 3, 4, 5]
    by_gene = encode(RankTokenizer(values="all", scale="none", order="gene_order"), samples)
    assert by_gene.channels["feature"].tolist() == [0, 3, 4, 5, 6, 0, 3, 4, 5, 6]
    assert by_gene.channels["rank"].tolist() == [0, 3, 5, 2, 4, 0, 3, 4, 5, 2]
    assert by_rank.offsets.tolist() == by_gene.offsets.tolist() == [0, 5, 10]
    cut = encode(RankTokenizer(values="all", scale="none", max_tokens=3), samples)
    assert cut.channels["feature"].tolist() == [0, 5, 3, 0, 6, 3]
    assert (cut.offsets.tolist(), cut.num_truncated) == ([0, 3, 6], 4)


def test_the_permutation_and_its_inverse_are_typed_by_hand():
    for matrix in (np.array(PANEL), sp.csr_matrix(PANEL)):
        assert order_of(matrix).tolist() == [[2, 0, 3, 1], [3, 0, 1, 2]]
        assert ranks_of(matrix).tolist() == [[1, 3, 0, 2], [1, 2, 3, 0]]


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.sampled_from([-2.0, -0.5, 0, 0, 0.5, 1, 3]))
)
def test_order_and_ranks_are_inverses(values):
    order, ranks = order_of(values), ranks_of(values)
    every = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    np.testing.assert_array_equal(np.take_along_axis(order, ranks.astype(np.int64), axis=1), every)
    np.testing.assert_array_equal(np.take_along_axis(ranks, order.astype(np.int64), axis=1), every)
    np.testing.assert_array_equal(inverse_permutation(ranks), order)
    np.testing.assert_array_equal(order, np.argsort(-values, axis=1, kind="stable"))


@pytest.mark.parametrize(
    ("tokenizer", "emits_every_feature", "max_tokens", "channels"),
    [
        (RankTokenizer(), False, 5, ["feature"]),
        (RankTokenizer(max_tokens=3), False, 3, ["feature"]),
        (RankTokenizer(max_tokens=0, scale="none", values="all"), False, 5, ["feature"]),
        (RankTokenizer(scale="none", values="all", order="gene_order", max_tokens=5), True, 5, ["feature", "rank"]),
    ],
)
def test_the_layout_says_what_is_emitted(tokenizer, emits_every_feature, max_tokens, channels):
    samples = samples_of([[1, 2, 0, 4], [0, 1, 1, 1], [0, 0, 3, 0]])
    state = tokenizer.fit(samples)
    layout = tokenizer.layout(state)
    assert [channel.name for channel in layout.channels] == channels
    assert (layout.num_features, layout.has_cls) == (4, True)
    assert (layout.emits_every_feature, layout.max_tokens) == (emits_every_feature, max_tokens)
    tokens = encode(tokenizer, samples)
    assert list(tokens.channels) == channels
    for channel in layout.channels:
        assert tokens.channels[channel.name].max() < channel.size
        assert tokens.channels[channel.name].dtype == np.int64
    assert layout.channel("identity").size == 7
    if "rank" in channels:
        assert (layout.channel("value").kind, layout.channel("value").size) == ("category", 6)
        assert tokens.channels["rank"].max() == 5


def test_counts_normalized_and_log_values_of_the_same_cells_give_the_same_tokens():
    counts = np.array([[3, 0, 5, 2], [1, 1, 0, 6], [7, 2, 2, 1]])
    normalized = counts * 10_000 / counts.sum(axis=1, keepdims=True)
    tokens = [
        encode(RankTokenizer(), samples_of(values, kind)).channels["feature"].tolist()
        for values, kind in ((counts, "counts"), (normalized, "normalized"), (np.log1p(normalized), "log"))
    ]
    assert tokens[0] == tokens[1] == tokens[2]


def test_medians_are_learned_on_the_train_split_alone():
    samples = samples_of([[2, 1, 0], [4, 1, 0], [100, 100, 100]], "normalized")
    state = RankTokenizer().fit(samples.take(np.array([0, 1])))
    assert state.feature_ids == ("g0", "g1")
    np.testing.assert_array_equal(state.per_feature["median"], [3, 1])
    assert state.facts == {
        "value_kind": "normalized",
        "train_samples": 2,
        "medians_from_file": 0,
        "medians_from_train": 2,
        "medians_set_to_1": 0,
    }


def test_medians_from_a_file_replace_those_of_the_train_split(tmp_path):
    path = written(tmp_path, "medians.json", {"g2": 10, "g0": 1, "g9": 3})
    samples = samples_of([[2, 8, 3], [4, 1, 0]], "normalized")
    state = RankTokenizer(medians=path).fit(samples)
    assert state.feature_ids == ("g0", "g2")  # as in Geneformer, genes without a median are left out
    np.testing.assert_array_equal(state.per_feature["median"], [1, 10])
    path = written(tmp_path, "others.json", {"x": 1})
    with pytest.raises(DataError, match="no gene in common"):
        RankTokenizer(medians=path).fit(samples)


def test_a_vocabulary_from_a_file_keeps_its_order_and_every_gene(tmp_path):
    vocabulary = written(tmp_path, "tokens.json", {"<pad>": 0, "g2": 2, "absent": 3, "g0": 4, "g1": 5})
    medians = written(tmp_path, "medians.json", {"g0": 4, "g2": 0.5})
    samples = samples_of([[2, 8, 3, 9], [4, 1, 0, 9]], "normalized")
    state = RankTokenizer(vocabulary=vocabulary, medians=medians).fit(samples)
    assert state.feature_ids == ("g2", "absent", "g0", "g1")
    np.testing.assert_array_equal(state.per_feature["median"], [0.5, 1, 4, 4.5])
    assert [state.facts[f"medians_{source}"] for source in ("from_file", "from_train", "set_to_1")] == [2, 1, 1]
    prepared = RankTokenizer(vocabulary=vocabulary, medians=medians).prepare(samples, np.array([2, -1, 0, 1]), state)
    np.testing.assert_allclose(prepared.toarray(), [[6, 0, 0.5, 8 / 4.5], [0, 0, 1, 1 / 4.5]], rtol=1e-6)


def test_symbols_of_a_table_find_genes_that_have_no_other_name(tmp_path):
    path = tmp_path / "genes.tsv"
    path.write_text("ensembl_id\ttoken_id\tmedian\tsymbol\nE1\t3\t2\tCD4\nE2\t2\t5\tCD8A\n")
    samples = samples_of([[4, 4, 1]], "normalized", ["CD4", "CD8A", "OTHER"])
    state = RankTokenizer(vocabulary=str(path), medians=str(path)).fit(samples)
    assert state.feature_ids == ("E2", "E1")
    np.testing.assert_array_equal(state.per_feature["median"], [5, 2])
    np.testing.assert_array_equal(state.per_feature["train_mean"], np.float32([4 / 5, 2]))


def test_variable_genes_are_chosen_on_the_train_split():
    counts = np.random.default_rng(3).poisson(5, size=(60, 30)).astype(np.float32)
    counts[:, 9] = np.random.default_rng(4).choice([0, 10], 60)
    state = RankTokenizer(hvgs=3).fit(samples_of(counts))
    assert len(state.feature_ids) == 3
    assert "g9" in state.feature_ids


@pytest.mark.parametrize("kind", ["scaled", "unknown"])
def test_values_without_a_zero_are_refused_unless_the_whole_panel_is_ranked(kind):
    samples = samples_of([[0.5, -1.5], [2.0, 0.0]], kind)
    with pytest.raises(DataError, match=f"^cells\\.h5ad:X: the values are {kind}, and the rank tokenizer"):
        RankTokenizer().fit(samples)
    assert RankTokenizer(values="all", scale="none").fit(samples).feature_ids == ("g0", "g1")
    with pytest.raises(DataError, match=r"the median of g1 is -1\.5, and dividing by it would turn ranks around"):
        RankTokenizer(values="all").fit(samples)


def test_a_panel_that_does_not_fit_in_gene_order_is_refused():
    with pytest.raises(DataError, match="emits all 4 genes and CLS, more than max_tokens 4"):
        RankTokenizer(values="all", order="gene_order", scale="none", max_tokens=4).fit(samples_of(PANEL, "log"))


def test_a_train_split_without_expression_is_refused():
    with pytest.raises(DataError, match="no feature is expressed in the train split"):
        RankTokenizer().fit(samples_of(np.zeros((4, 3))))


@pytest.mark.parametrize("wrong", [{"hvgs": -1}, {"max_tokens": -2}, {"order": "some"}, {"values": "some"}, {"median": "x"}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        RankTokenizer(**wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "gene_order"}, "needs every gene of a panel"),
        ({"hvgs": 5, "values": "all"}, "'hvgs' chooses genes, and so does values: all"),
        ({"hvgs": 5, "vocabulary": "v.json"}, "'hvgs' chooses genes, and so does a vocabulary file"),
        ({"medians": "m.json", "scale": "none"}, "does not use"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RankTokenizer(**settings)


COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.integers(0, 20)).filter(np.any)
TOKENIZERS = st.sampled_from(
    [
        RankTokenizer(),
        RankTokenizer(max_tokens=3),
        RankTokenizer(scale="none"),
        RankTokenizer(values="all", max_tokens=4),
        RankTokenizer(values="all", order="gene_order"),
    ]
)


@given(COUNTS, TOKENIZERS, st.sampled_from([2, 4, 8]))
def test_scaling_a_sample_changes_nothing(counts, tokenizer, factor):
    state = tokenizer.fit(samples_of(counts))
    factors = np.resize([factor, 1], len(counts))[:, None]
    rows = np.arange(len(counts))
    one, other = (
        tokenizer.encode(prepare(tokenizer, samples_of(values), state), rows, state) for values in (counts, counts * factors)
    )
    for name in one.channels:
        np.testing.assert_array_equal(one.channels[name], other.channels[name])


@given(COUNTS, TOKENIZERS, st.randoms(use_true_random=False))
def test_a_samples_tokens_do_not_depend_on_its_neighbors(counts, tokenizer, random):
    samples = samples_of(counts)
    state = tokenizer.fit(samples)
    prepared = prepare(tokenizer, samples, state)
    rows = [random.randrange(len(counts)) for _ in range(4)]
    together = tokenizer.encode(prepared, np.array(rows), state)
    alone = [tokenizer.encode(prepared, np.array([row]), state) for row in rows]
    assert np.diff(together.offsets).tolist() == [one.num_tokens for one in alone]
    assert together.num_truncated == sum(one.num_truncated for one in alone)
    for name in together.channels:
        np.testing.assert_array_equal(together.channels[name], np.concatenate([one.channels[name] for one in alone]))
    np.testing.assert_array_equal(tokenizer.lengths(prepared, state)[rows], np.diff(together.offsets))


@given(COUNTS, st.randoms(use_true_random=False))
def test_tokens_do_not_depend_on_the_order_of_the_files_columns(counts, random):
    columns = list(range(counts.shape[1]))
    random.shuffle(columns)
    names = [f"g{column}" for column in columns]
    samples, shuffled = samples_of(counts, "normalized"), samples_of(counts[:, columns], "normalized", names)
    state, rows = RankTokenizer().fit(samples), np.arange(len(counts))
    one, other = (RankTokenizer().encode(prepare(RankTokenizer(), file, state), rows, state) for file in (samples, shuffled))
    np.testing.assert_array_equal(one.channels["feature"], other.channels["feature"])
    refitted = RankTokenizer().fit(shuffled)
    medians = [dict(zip(state.feature_ids, state.per_feature["median"], strict=True)) for state in (state, refitted)]
    assert medians[0] == medians[1]


def geneformer_keys(counts, totals, medians):
    """Return what Geneformer sorts by, in double precision: counts / total * 10,000 / median."""
    return counts / totals[:, None] * 1e4 / medians


def assert_geneformers_order(tokens, keys, max_tokens):
    """Each sample holds the highest keys, descending, up to the rounding of a 32-bit float."""
    for sample, own in enumerate(keys):
        features = tokens.channels["feature"][tokens.offsets[sample] + 1 : tokens.offsets[sample + 1]] - 3
        expected = np.argsort(-own, kind="stable")[: min(max_tokens - 1, np.count_nonzero(own))]
        np.testing.assert_allclose(own[features], own[expected], rtol=1e-6)
        assert len(set(features.tolist())) == len(features)


@pytest.mark.parametrize("max_tokens", [2048, 12])
def test_tokens_are_geneformers_on_random_counts(max_tokens):
    rng = np.random.default_rng(11)
    counts = rng.poisson(rng.gamma(0.4, 4, size=(80, 50)))
    counts[:, 0] += 1
    normalized = counts / counts.sum(axis=1, keepdims=True) * 1e4
    medians = np.array([np.median(column[column > 0]) for column in normalized.T])
    tokenizer = RankTokenizer(max_tokens=max_tokens)
    state = tokenizer.fit(samples_of(counts))
    np.testing.assert_allclose(state.per_feature["median"], medians, rtol=1e-6)
    tokens = encode(tokenizer, samples_of(counts))
    keys = geneformer_keys(counts, counts.sum(axis=1), medians)
    assert_geneformers_order(tokens, keys, max_tokens)
    distinct = 0
    for sample, own in enumerate(keys):
        expressed = np.sort(own[own > 0])
        if (np.diff(expressed) > 1e-5 * expressed[1:]).all():  # no ties: the tokens are the same, place by place
            expected = np.argsort(-own)[: len(expressed)][: max_tokens - 1] + 3
            found = tokens.channels["feature"][tokens.offsets[sample] + 1 : tokens.offsets[sample + 1]]
            np.testing.assert_array_equal(found, expected)
            distinct += 1
    assert distinct >= 5


def test_tokens_are_geneformers_on_real_cells(real_data):
    adata = anndata.read_h5ad(real_data / "expression" / "single_cell" / "pbmc3k_raw.h5ad")[:60]
    path = str(real_data / "expression" / "genes" / "geneformer_30M_tokens_medians.tsv.gz")
    samples = Samples(sp.csr_matrix(adata.X, dtype=np.float32), adata.obs, adata.var, "counts", "pbmc3k_raw.h5ad:X")
    tokenizer = RankTokenizer(vocabulary=path, medians=path)
    state = tokenizer.fit(samples)
    table = pd.read_csv(path, sep="\t").iloc[2:]  # the first two rows are <pad> and <mask>
    assert state.feature_ids == tuple(table.sort_values("token_id").ensembl_id)
    columns = align(state.feature_ids, adata.var, minimum_coverage=0.5, where="").columns
    tokens = tokenizer.encode(tokenizer.prepare(samples, columns, state), np.arange(60), state)
    medians = table.sort_values("token_id").nonzero_median_30M.to_numpy()
    counts = adata.X.toarray().astype(np.float64)
    keys = geneformer_keys(np.where(columns >= 0, counts[:, columns], 0), counts.sum(axis=1), medians)
    assert_geneformers_order(tokens, keys, 2048)
    assert tokens.num_tokens > 60 * 500
