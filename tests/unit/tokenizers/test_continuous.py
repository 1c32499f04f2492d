"""Continuous tokens: one per gene, its identity and its log-normalized value."""

from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pydantic
import pytest
import scanpy
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.tokenizers.continuous import ContinuousTokenizer

LOG = sp.csr_matrix(np.array([[0, 2.5, 0, 1.5], [0, 0, 0, 0], [1, 3, 3, 2]], dtype=np.float32))


def samples_of(values, kind="counts", names=None) -> Samples:
    values = sp.csr_matrix(values, dtype=np.float32)
    values.eliminate_zeros()
    names = names or [f"g{column}" for column in range(values.shape[1])]
    table = pd.DataFrame(index=[f"s{row}" for row in range(values.shape[0])])
    return Samples(values=values, table=table, features=pd.DataFrame(index=names), value_kind=kind, origin="cells.h5ad:X")


def encode(tokenizer, samples, rows=None):
    state = tokenizer.fit(samples)
    columns = samples.features.index.get_indexer(list(state.feature_ids))
    prepared = tokenizer.prepare(samples, columns, state)
    return tokenizer.encode(prepared, np.arange(samples.num_samples) if rows is None else np.asarray(rows), state)


def as_lists(tokens):
    return tokens.offsets.tolist(), tokens.channels["feature"].tolist(), tokens.channels["value"].tolist()


def test_expressed_tokens_are_typed_by_hand():
    tokens = encode(ContinuousTokenizer(hvgs=0), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 3, 4, 9], [0, 4, 6, 0, 0, 3, 4, 5, 6], [0, 2.5, 1.5, 0, 0, 1, 3, 3, 2])
    assert tokens.num_truncated == 0
    assert (tokens.num_samples, tokens.num_tokens) == (3, 9)


def test_all_tokens_are_typed_by_hand():
    tokens = encode(ContinuousTokenizer(hvgs=0, tokens="all"), samples_of(LOG, "log"), [2, 0])
    assert as_lists(tokens) == ([0, 5, 10], [0, 3, 4, 5, 6, 0, 3, 4, 5, 6], [0, 1, 3, 3, 2, 0, 0, 2.5, 0, 1.5])
    assert tokens.num_truncated == 0


def test_a_limit_keeps_the_highest_values_in_the_order_of_genes():
    tokens = encode(ContinuousTokenizer(hvgs=0, max_tokens=4), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 3, 4, 8], [0, 4, 6, 0, 0, 4, 5, 6], [0, 2.5, 1.5, 0, 0, 3, 3, 2])
    assert tokens.num_truncated == 1
    tokens = encode(ContinuousTokenizer(hvgs=0, max_tokens=2), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 2, 3, 5], [0, 4, 0, 0, 4], [0, 2.5, 0, 0, 3])
    assert tokens.num_truncated == 4
    tokens = encode(ContinuousTokenizer(hvgs=0, max_tokens=1), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 1, 2, 3], [0, 0, 0], [0, 0, 0])
    assert tokens.num_truncated == 6


def test_a_limit_on_all_genes_drops_the_zeros_first():
    tokens = encode(ContinuousTokenizer(hvgs=0, tokens="all", max_tokens=4), samples_of(LOG, "log"))
    assert as_lists(tokens) == ([0, 3, 4, 8], [0, 4, 6, 0, 0, 4, 5, 6], [0, 2.5, 1.5, 0, 0, 3, 3, 2])


def test_a_sample_without_expression_is_its_cls_token():
    tokens = encode(ContinuousTokenizer(hvgs=0), samples_of(LOG, "log"), [1, 1])
    assert as_lists(tokens) == ([0, 1, 2], [0, 0], [0, 0])


@pytest.mark.parametrize(
    ("tokenizer", "emits_every_feature", "max_tokens"),
    [
        (ContinuousTokenizer(hvgs=0), False, 5),
        (ContinuousTokenizer(hvgs=0, max_tokens=3), False, 3),
        (ContinuousTokenizer(hvgs=0, max_tokens=99), False, 5),
        (ContinuousTokenizer(hvgs=0, tokens="all"), True, 5),
        (ContinuousTokenizer(hvgs=0, tokens="all", max_tokens=5), True, 5),
        (ContinuousTokenizer(hvgs=0, tokens="all", max_tokens=4), False, 4),
    ],
)
def test_the_layout_says_what_is_emitted(tokenizer, emits_every_feature, max_tokens):
    state = tokenizer.fit(samples_of(LOG, "log"))
    layout = tokenizer.layout(state)
    assert (layout.num_features, layout.has_cls) == (4, True)
    assert (layout.emits_every_feature, layout.max_tokens) == (emits_every_feature, max_tokens)
    assert (layout.channel("identity").name, layout.channel("identity").size) == ("feature", 7)
    assert (layout.channel("value").name, layout.channel("value").kind) == ("value", "scalar")
    assert layout.channel("position") is None
    tokens = encode(tokenizer, samples_of(LOG, "log"))
    assert set(tokens.channels) == {channel.name for channel in layout.channels}
    assert np.diff(tokens.offsets).max() <= layout.max_tokens
    assert tokens.channels["feature"].max() < layout.channel("identity").size


def test_what_is_learned_comes_from_the_train_split():
    state = ContinuousTokenizer(hvgs=0).fit(samples_of([[0, 3, 0], [0, 1, 0], [0, 0, 2]], "log", ["a", "b", "c"]))
    assert state.feature_ids == ("b", "c")  # the train split never expresses a
    np.testing.assert_allclose(state.per_feature["train_mean"], [4 / 3, 2 / 3])
    np.testing.assert_allclose(state.per_feature["train_deviation"], np.sqrt([14 / 9, 8 / 9]))
    total = state.facts.pop("train_total")
    assert total == pytest.approx(np.expm1(2))  # of e^3 - 1, e - 1 and e^2 - 1
    assert state.facts == {"value_kind": "log", "train_samples": 3, "train_total_is_constant": False}


def test_variable_genes_are_chosen_on_the_train_split_alone():
    rng = np.random.default_rng(3)
    counts = rng.poisson(5, size=(60, 30)).astype(np.float32)
    counts[40:, 4] = rng.choice([0, 10], 20)  # varies in the samples that are held out
    counts[:40, 9] = rng.choice([0, 10], 40)
    tokenizer = ContinuousTokenizer(hvgs=3)
    everything, train = samples_of(counts), samples_of(counts[:40])
    assert {"g4", "g9"} <= set(tokenizer.fit(everything).feature_ids)
    assert "g9" in tokenizer.fit(train).feature_ids
    assert "g4" not in tokenizer.fit(train).feature_ids
    assert len(tokenizer.fit(train).feature_ids) == 3


def test_prepared_values_are_scanpys_with_totals_over_all_genes():
    rng = np.random.default_rng(8)
    counts = rng.poisson(rng.gamma(0.7, 3, size=(40, 25))).astype(np.float32)
    adata = anndata.AnnData(counts.copy())
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    tokenizer = ContinuousTokenizer(hvgs=0)
    samples = samples_of(counts)
    state = tokenizer.fit(samples)
    columns = np.array([24, -1, 3, 10])
    expected = adata.X[:, [24, 0, 3, 10]] * np.array([1, 0, 1, 1])
    np.testing.assert_allclose(tokenizer.prepare(samples, columns, state).toarray(), expected, rtol=2e-6, atol=1e-6)


def test_each_kind_of_value_is_brought_to_logarithms():
    dense = np.array([[1.0, 3.0], [0.0, 2.0]])
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=8)

    def prepared(kind):
        samples = samples_of(dense, kind)
        return tokenizer.prepare(samples, np.array([0, 1]), tokenizer.fit(samples)).toarray()

    np.testing.assert_allclose(prepared("counts"), np.log([[3, 7], [1, 9]]), rtol=1e-6)
    np.testing.assert_allclose(prepared("normalized"), np.log([[2, 4], [1, 3]]), rtol=1e-6)
    np.testing.assert_allclose(prepared("log"), dense)


SHARES = np.array([[0.4, 0.0, 0.6], [0.1, 0.9, 0.0], [0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
LOG_OF = {"counts": lambda values: values, "normalized": lambda values: values, "log": np.log1p}


def of_total(total, kind) -> Samples:
    return samples_of(LOG_OF[kind](SHARES * total), kind)


@pytest.mark.parametrize("train_kind", ["counts", "normalized", "log"])
@pytest.mark.parametrize("kind", ["counts", "normalized", "log"])
@pytest.mark.parametrize(("train_total", "total"), [(1000, 1e6), (1e6, 1000), (1e5, 1e5)])
def test_values_of_a_known_total_are_brought_to_the_train_splits(train_kind, kind, train_total, total):
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=1000)
    train = of_total(train_total, train_kind)
    state = tokenizer.fit(train)
    wanted = 1000 if train_kind == "counts" else train_total
    assert state.facts["train_total"] == pytest.approx(wanted)
    assert state.facts["train_total_is_constant"] is True
    columns = np.arange(3)
    np.testing.assert_allclose(tokenizer.prepare(train, columns, state).toarray(), np.log1p(SHARES * wanted), rtol=1e-5)
    other = of_total(total, kind)
    np.testing.assert_allclose(tokenizer.prepare(other, columns, state).toarray(), np.log1p(SHARES * wanted), rtol=1e-5)
    said = " ".join(tokenizer.notes(other, state))
    if kind == "counts" or total == wanted:
        assert said == ""
    else:
        logged = " before the logarithm" if kind == "log" else ""
        sums = f"the {kind} values sum to about {total:,.0f} per sample{logged}"
        assert said == f"{sums}, those that the model was trained on to about {wanted:,.0f}; they were rescaled to that"
    np.testing.assert_array_equal(other.values.toarray(), LOG_OF[kind](SHARES * total).astype(np.float32))


def test_totals_that_vary_are_left_alone_with_a_warning_when_they_are_far_apart():
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=1000)
    state = tokenizer.fit(of_total(1000, "counts"))
    factors = np.array([[300], [600], [800], [3000]])
    near, far = (samples_of(np.log1p(SHARES * factors * times), "log") for times in (1, 100))
    for samples in (near, far):
        np.testing.assert_array_equal(tokenizer.prepare(samples, np.arange(3), state).toarray(), samples.values.toarray())
    assert tokenizer.notes(near, state) == ()
    assert tokenizer.notes(far, state) == (
        "the log values sum to about 70,000 per sample before the logarithm, those that the model was trained on to about 1,000; "
        "they were not rescaled, because not all these sums are alike or they are too few, and predictions may be wrong: give "
        "counts, or values of all genes that were normalized as the train file's were",
    )


def test_where_train_totals_vary_nothing_is_rescaled_and_counts_have_a_warning():
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=1000)
    state = tokenizer.fit(samples_of(np.log1p(SHARES * [[200], [300], [500], [900]]), "log"))
    found = tokenizer.prepare(of_total(50, "counts"), np.arange(3), state).toarray()
    np.testing.assert_allclose(found, np.log1p(SHARES * 1000), rtol=1e-5)
    (note,) = tokenizer.notes(of_total(50, "counts"), state)
    assert note.startswith(
        "counts are scaled to 1,000 per sample, but the values that the model was trained on have no common total "
    )
    assert "(median 400 before the logarithm)" in note
    log = of_total(1000, "log")
    np.testing.assert_array_equal(tokenizer.prepare(log, np.arange(3), state).toarray(), log.values.toarray())
    assert "sum to about 1,000 per sample before the logarithm" in tokenizer.notes(log, state)[0]
    assert tokenizer.notes(of_total(500, "log"), state) == ()


def test_totals_may_be_those_of_genes_that_were_left_out():
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=1000)
    state = tokenizer.fit(of_total(1000, "counts"))
    whole = of_total(20_000, "counts")
    part = replace(whole, values=whole.values[:, :2], features=whole.features.iloc[:2], totals=np.full(4, 20_000.0))
    for samples in (whole, part):
        found = tokenizer.prepare(samples, np.array([0, 1]), state).toarray()
        np.testing.assert_allclose(found, np.log1p(SHARES[:, :2] * 1000), rtol=1e-5)


@pytest.mark.parametrize("kind", ["scaled", "unknown"])
def test_values_without_a_zero_are_refused_in_one_line(kind):
    samples = samples_of(np.array([[0.5, 1.5], [2.0, 0.0]]), kind)
    with pytest.raises(DataError) as caught:
        ContinuousTokenizer().fit(samples)
    assert str(caught.value).startswith(f"cells.h5ad:X: the values are {kind}")
    assert "--source" in str(caught.value)
    state = ContinuousTokenizer(hvgs=0).fit(samples_of(LOG, "log"))
    with pytest.raises(DataError, match=kind):
        ContinuousTokenizer().prepare(samples, np.array([0, 1]), state)


@pytest.mark.parametrize("hvgs", [0, 5])
def test_a_train_split_without_expression_is_refused(hvgs):
    with pytest.raises(DataError, match="no feature is expressed in the train split"):
        ContinuousTokenizer(hvgs=hvgs).fit(samples_of(np.zeros((4, 3))))


@pytest.mark.parametrize("wrong", [{"hvgs": -1}, {"target_sum": -1.0}, {"max_tokens": -2}, {"tokens": "some"}, {"hvg": 5}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        ContinuousTokenizer(**wrong)


COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.integers(0, 20)).filter(np.any)


@given(COUNTS, st.integers(1, 50), st.sampled_from([0, 3]), st.sampled_from(["expressed", "all"]))
def test_scaling_a_sample_of_counts_changes_nothing(counts, factor, max_tokens, kind):
    tokenizer = ContinuousTokenizer(hvgs=0, max_tokens=max_tokens, tokens=kind)
    factors = np.resize([factor, 1, 3], len(counts))[:, None]
    one, other = encode(tokenizer, samples_of(counts)), encode(tokenizer, samples_of(counts * factors))
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_array_equal(one.channels["feature"], other.channels["feature"])
    np.testing.assert_allclose(one.channels["value"], other.channels["value"], rtol=1e-6)


@given(COUNTS, st.sampled_from([0, 3]), st.randoms(use_true_random=False))
def test_a_samples_tokens_do_not_depend_on_its_neighbors(counts, max_tokens, random):
    tokenizer = ContinuousTokenizer(hvgs=0, max_tokens=max_tokens)
    samples = samples_of(counts)
    rows = list(range(len(counts)))
    random.shuffle(rows)
    straight, shuffled = encode(tokenizer, samples), encode(tokenizer, samples, rows)
    for place, row in enumerate(rows):
        there = slice(shuffled.offsets[place], shuffled.offsets[place + 1])
        here = slice(straight.offsets[row], straight.offsets[row + 1])
        for name in ("feature", "value"):
            np.testing.assert_array_equal(shuffled.channels[name][there], straight.channels[name][here])
    assert straight.num_truncated == shuffled.num_truncated


PANEL = samples_of([[8.5, -1.5, 0, 4], [7.5, 2.5, 1, 4], [9.5, -0.5, -1, 4]], "real")


def test_real_values_are_taken_as_they_are_with_every_gene_that_varies():
    tokens = encode(ContinuousTokenizer(tokens="all"), PANEL)
    assert as_lists(tokens) == ([0, 4, 8, 12], [0, 3, 4, 5] * 3, [0, 8.5, -1.5, 0, 0, 7.5, 2.5, 1, 0, 9.5, -0.5, -1])
    assert ContinuousTokenizer(tokens="all", hvgs=1).fit(PANEL).feature_ids == ("g1",)
    assert ContinuousTokenizer(tokens="all", hvgs=2).fit(PANEL).feature_ids == ("g0", "g1")


@pytest.mark.parametrize("tokenizer", [ContinuousTokenizer(), ContinuousTokenizer(tokens="all", max_tokens=3)])
def test_real_values_need_every_gene_as_a_token(tokenizer):
    with pytest.raises(DataError, match=r"cells.h5ad:X: the values are real numbers, .* — make every gene a token with --set tok"):
        tokenizer.fit(PANEL)


def test_real_values_of_which_none_varies_are_refused():
    with pytest.raises(DataError, match="no feature varies in the train split"):
        ContinuousTokenizer(tokens="all").fit(samples_of(np.full((3, 2), 12.168), "real"))


def test_counts_can_stay_as_they_are():
    values = sp.csr_matrix(np.array([[3, 0, 1], [7, 2, 0]], dtype=np.float32))
    features = pd.DataFrame(index=["a", "b", "c"])
    samples = Samples(values=values, table=pd.DataFrame(index=["s", "t"]), features=features, value_kind="counts", origin="test")
    tokenizer = ContinuousTokenizer(hvgs=0, target_sum=0)
    state = tokenizer.fit(samples)
    prepared = tokenizer.prepare(samples, np.arange(3), state)
    np.testing.assert_allclose(np.expm1(prepared.toarray()), [[3, 0, 1], [7, 2, 0]], rtol=1e-6)
    assert tokenizer.notes(samples, state) == ()
