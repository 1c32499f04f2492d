"""Two cells in one sequence: typed by hand, with and without a budget that cuts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.batch import Tokens
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, Layout
from genoken.data.pair_tokens import asking_tokens, every_feature_tokens, extend_layout, pair_tokens, share_budget


def layout_of(value="", num_features=9, **named):
    identity = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features)
    values = {
        "": (),
        "scalar": (Channel(name="value", kind="scalar", role="value"),),
        "category": (Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + 4),),
    }
    settings = {"has_cls": True, "emits_every_feature": False, "max_tokens": num_features + 1} | named
    return Layout(channels=(identity, *values[value]), num_features=num_features, **settings)


def tokens_of(cells, values=(), name="value"):
    """Cells of features, CLS in front of each."""
    identities = [identity for cell in cells for identity in (0, *[3 + feature for feature in cell])]
    channels = {"feature": np.array(identities, dtype=np.int64)}
    if values:
        kind = np.int64 if name == "bin" else np.float32
        channels[name] = np.array([number for cell in values for number in (0, *cell)], dtype=kind)
    return Tokens(channels, np.concatenate([[0], np.cumsum([1 + len(cell) for cell in cells])]), num_truncated=1)


def test_the_layout_of_pairs():
    found = extend_layout(layout_of("scalar", is_panel=True), 0)
    assert found.channels[-1] == Channel(name="segment", kind="category", role="segment", size=3)
    assert [channel.name for channel in found.channels] == ["feature", "value", "segment"]
    assert (found.max_tokens, found.emits_every_feature, found.is_panel, found.num_features) == (20, False, False, 9)
    assert extend_layout(layout_of(), 8).max_tokens == 8
    assert extend_layout(layout_of(), 100).max_tokens == 20
    assert extend_layout(layout_of(emits_every_feature=True), 20).max_tokens == 20


@pytest.mark.parametrize(
    ("layout", "limit", "words"),
    [
        (layout_of(has_cls=False), 0, "pairs of cells need a CLS token"),
        (layout_of(num_phenotypes=1), 0, "phenotypes cannot stand beside successors"),
        (layout_of(), 3, "'tokenizer.max_tokens' is 3, and a cell with its successor takes 4 tokens here"),
        (layout_of(emits_every_feature=True), 19, "takes 20 tokens here — raise it to at least 20, or use 0"),
    ],
)
def test_cells_that_cannot_stand_in_pairs(layout, limit, words):
    with pytest.raises(ConfigError) as refused:
        extend_layout(layout, limit)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("current", "following", "room", "kept"),
    [
        (3, 4, 10, (3, 4)),
        (3, 9, 10, (3, 7)),
        (9, 3, 10, (7, 3)),
        (9, 9, 10, (5, 5)),
        (9, 9, 11, (6, 5)),
        (0, 20, 10, (0, 10)),
        (20, 0, 10, (10, 0)),
        (20, 6, 10, (5, 5)),
    ],
)
def test_the_budget_is_shared(current, following, room, kept):
    found = share_budget(np.array([current]), np.array([following]), room)
    assert tuple(int(own[0]) for own in found) == kept


@given(st.integers(0, 50), st.integers(0, 50), st.integers(2, 60))
def test_no_room_is_left_while_a_cell_is_cut(current, following, room):
    kept = [int(own[0]) for own in share_budget(np.array([current]), np.array([following]), room)]
    assert sum(kept) == min(current + following, room)
    assert 0 <= kept[0] <= current
    assert 0 <= kept[1] <= following
    assert kept[0] == current or kept[0] >= room // 2
    assert kept[1] == following or kept[1] >= room // 2


def test_a_pair_is_typed_by_hand():
    current = tokens_of([[4, 0, 1], []], [[0.5, 1.5, 2.5], []])
    following = tokens_of([[8], [7, 2]], [[3.5], [4.5, 5.5]])
    found, context = pair_tokens(current, following, extend_layout(layout_of("scalar"), 0))
    assert found.channels["feature"].tolist() == [0, 7, 3, 4, 2, 11, 0, 2, 10, 5]
    assert found.channels["value"].tolist() == [0, 0.5, 1.5, 2.5, 0, 3.5, 0, 0, 4.5, 5.5]
    assert found.channels["segment"].tolist() == [0, 0, 0, 0, 2, 2, 0, 2, 2, 2]
    assert found.offsets.tolist() == [0, 6, 10]
    assert context.tolist() == [4, 1]
    assert found.num_truncated == 2, "what the tokenizer cut off"
    assert [found.channels[name].dtype for name in ("feature", "value", "segment")] == [np.int64, np.float32, np.int64]


def test_the_first_tokens_of_ranks_stay():
    current, following = tokens_of([[4, 0, 1, 2], [4]]), tokens_of([[8, 7, 6, 5], [3, 1, 0, 2, 8, 7]])
    found, context = pair_tokens(current, following, extend_layout(layout_of(), 7))
    assert found.channels["feature"].tolist() == [0, 7, 3, 4, 2, 11, 10, 0, 7, 2, 6, 4, 3, 5]
    assert context.tolist() == [4, 2]
    assert found.offsets.tolist() == [0, 7, 14]
    assert found.num_truncated == 2 + 1 + 2 + 2


@pytest.mark.parametrize(("value", "name"), [("scalar", "value"), ("category", "bin")])
def test_the_highest_values_stay_in_their_order(value, name):
    current = tokens_of([[0, 1, 2, 3]], [[3, 5, 4, 4]], name)
    following = tokens_of([[4, 5, 6, 7]], [[5, 2, 5, 5]], name)
    found, _ = pair_tokens(current, following, extend_layout(layout_of(value), 6))
    assert found.channels["feature"].tolist() == [0, 4, 5, 2, 7, 9], "ties: the earlier ones"
    assert found.channels[name].tolist() == [0, 5, 4, 0, 5, 5]


@pytest.mark.parametrize(
    ("value", "name", "given", "expected"),
    [
        ("scalar", "value", [[3.5], [], [1.5, 2.5]], [0, 0, 0, 3.5, 0, 0, 0, 0, 0, 2.5, 0, 1.5]),
        ("category", "bin", [[5], [], [3, 4]], [0, 2, 2, 5, 0, 2, 2, 2, 0, 4, 2, 3]),
    ],
)
def test_every_feature_has_a_token(value, name, given, expected):
    """Features without a token have the value 0, or the entry 2 of bin 0."""
    tokens = tokens_of([[2], [], [2, 0]], given, name)
    found = every_feature_tokens(tokens, extend_layout(layout_of(value, 3), 0))
    assert found.channels["feature"].tolist() == [0, 3, 4, 5] * 3
    assert found.channels[name].tolist() == expected
    assert found.channels[name].dtype == tokens.channels[name].dtype
    assert found.offsets.tolist() == [0, 4, 8, 12]
    assert set(found.channels) == {"feature", name}


@pytest.mark.parametrize(
    ("value", "name", "identities", "values"),
    [
        ("", "", [0, 1, 1, 0, 1, 1], []),
        ("scalar", "value", [0, 3, 4, 0, 3, 4], [np.nan] * 6),
        ("category", "bin", [0, 3, 4, 0, 3, 4], [1] * 6),
    ],
)
def test_what_is_asked_tells_nothing(value, name, identities, values):
    """Ranks are asked for their genes, genes for their values."""
    found = asking_tokens(extend_layout(layout_of(value, 2), 0), 2, 2)
    assert found.channels["feature"].tolist() == identities
    assert found.offsets.tolist() == [0, 3, 6]
    if name:
        np.testing.assert_array_equal(found.channels[name], values)
