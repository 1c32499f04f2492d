"""Phenotype tokens in a sample: where they stand, what they hold, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.batch import Tokens
from genoken.core.errors import ConfigError
from genoken.core.layout import Channel, Layout
from genoken.data.phenotype_tokens import add_phenotypes, extend_layout, tokens_left
from genoken.vocabulary.phenotypes import PhenotypeVocabulary

PHENOTYPES = PhenotypeVocabulary(("sex", "tissue"), (("female", "male"), ("blood", "liver", "lung")))


def layout_of(value: Channel) -> Layout:
    return Layout(
        channels=(Channel(name="feature", kind="category", role="identity", size=3 + 10), value),
        num_features=10,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=9,
    )


BINS = layout_of(Channel(name="bin", kind="category", role="value", size=2 + 5))
NUMBERS = layout_of(Channel(name="value", kind="scalar", role="value"))


def test_a_layout_with_phenotypes():
    extended = extend_layout(BINS, PHENOTYPES, end=True)
    assert extended == Layout(
        channels=(
            Channel(name="feature", kind="category", role="identity", size=15),
            Channel(name="bin", kind="category", role="value", size=7),
            Channel(name="phenotype", kind="category", role="phenotype", size=8),
        ),
        num_features=10,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=12,
        num_phenotypes=2,
        has_end=True,
        phenotype_bounds=(3, 5, 8),
    )
    assert extended.first_phenotype == 13
    without_end = extend_layout(BINS, PHENOTYPES, end=False)
    assert (without_end.max_tokens, without_end.has_end) == (11, False)


def test_tokens_typed_by_hand():
    tokens = Tokens(
        {"feature": np.array([0, 5, 12, 0, 0, 3]), "bin": np.array([0, 3, 6, 0, 0, 4])}, np.array([0, 3, 4, 6]), num_truncated=7
    )
    codes = np.array([[4, 5], [2, 7], [3, 2]])
    made = add_phenotypes(tokens, codes, extend_layout(BINS, PHENOTYPES, end=True))
    assert made.offsets.tolist() == [0, 6, 10, 15]
    assert {name: values.tolist() for name, values in made.channels.items()} == {
        "feature": [0, 13, 14, 5, 12, 2, 0, 13, 14, 2, 0, 13, 14, 3, 2],
        "bin": [0, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0],
        "phenotype": [0, 4, 5, 0, 0, 0, 0, 2, 7, 0, 0, 3, 2, 0, 0],
    }
    assert {values.dtype for values in made.channels.values()} == {np.dtype(np.int64)}
    assert made.num_truncated == 7


def test_numbers_stay_numbers_and_the_separator_is_left_out():
    tokens = Tokens({"feature": np.array([0, 5, 12]), "value": np.array([0, 1.5, 2.5], dtype=np.float32)}, np.array([0, 3]))
    made = add_phenotypes(tokens, np.array([[4, 5]]), extend_layout(NUMBERS, PHENOTYPES, end=False))
    assert {name: values.tolist() for name, values in made.channels.items()} == {
        "feature": [0, 13, 14, 5, 12],
        "value": [0, 0, 0, 1.5, 2.5],
        "phenotype": [0, 4, 5, 0, 0],
    }
    assert made.channels["value"].dtype == np.float32


@given(st.lists(st.integers(0, 9), max_size=6), st.booleans())
def test_what_the_tokenizer_emitted_is_still_there(lengths, end):
    offsets = np.concatenate([[0], np.cumsum([1 + length for length in lengths])]).astype(np.int64)
    rng = np.random.default_rng(len(lengths))
    channels = {"feature": rng.integers(3, 13, offsets[-1]), "value": rng.random(offsets[-1]).astype(np.float32)}
    channels["feature"][offsets[:-1]] = 0
    codes = rng.integers(2, 8, (len(lengths), 2))
    made = add_phenotypes(Tokens(channels, offsets), codes, extend_layout(NUMBERS, PHENOTYPES, end=end))
    assert np.diff(made.offsets).tolist() == [1 + 2 + length + end for length in lengths]
    for sample in range(len(lengths)):
        own = slice(made.offsets[sample], made.offsets[sample + 1])
        theirs = slice(offsets[sample], offsets[sample + 1])
        body = [0, *range(3, 3 + lengths[sample])]
        for name in ("feature", "value"):
            assert made.channels[name][own][body].tolist() == channels[name][theirs].tolist()
        assert made.channels["phenotype"][own][[1, 2]].tolist() == codes[sample].tolist()
        assert made.channels["phenotype"][own].sum() == codes[sample].sum()


def test_codes_of_another_shape_are_refused():
    tokens = Tokens({"feature": np.array([0]), "value": np.zeros(1, dtype=np.float32)}, np.array([0, 1]))
    with pytest.raises(ValueError, match="codes"):
        add_phenotypes(tokens, np.array([[4], [5]]), extend_layout(NUMBERS, PHENOTYPES, end=False))


@pytest.mark.parametrize(
    ("max_tokens", "num_phenotypes", "end", "expected"),
    [(0, 3, True, 0), (2048, 5, True, 2042), (2048, 5, False, 2043), (5, 2, True, 2)],
)
def test_room_is_left_for_phenotypes_and_the_separator(max_tokens, num_phenotypes, end, expected):
    assert tokens_left(max_tokens, num_phenotypes, end=end) == expected


def test_a_limit_without_room_for_features_is_refused():
    with pytest.raises(ConfigError, match=r"max_tokens' is 4.*at least 5"):
        tokens_left(4, 2, end=True)
    assert tokens_left(5, 2, end=True) == 2
