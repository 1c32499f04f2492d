"""YAML: the scalars of version 1.2, read and written so that nothing changes on the way."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from genoken.core._yaml import dump, load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e-4", 0.0001),
        ("5E+2", 500.0),
        ("-1e3", -1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("0.1", 0.1),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("010", 10),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("e5", "e5"),
        ("1e", "1e"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("'1e-3'", "1e-3"),
        ("[1e-3, a]", [0.001, "a"]),
        ("{kind: rank, p: 1e-1}", {"kind": "rank", "p": 0.1}),
    ],
)
def test_scalars(text, value):
    read = load(text)
    assert read == value
    assert type(read) is type(value)


def test_not_finite():
    assert load(".inf") == math.inf
    assert load("-.Inf") == -math.inf
    assert math.isnan(load(".nan"))


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: {b: 1, b: 1}", "- {x: 1, 'x': 2}"])
def test_a_name_given_twice_is_an_error(text):
    with pytest.raises(yaml.YAMLError, match="is given twice"):
        load(text)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!python/tuple [1]", "!thing {a: 1}", "a: [1"]
)
def test_tags_and_broken_text_are_errors(text):
    with pytest.raises(yaml.YAMLError):
        load(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_written_values_are_read_back(content):
    assert load(dump(content)) == content


@given(
    st.from_regex(r"\A[-+]?[0-9.]{0,4}([eE][-+]?[0-9]{0,2})?\Z")
    | st.sampled_from(["yes", "No", "true", "null", "~", "1:30", "0o7", "<<", "="])
)
def test_strings_that_look_like_something_else_stay_strings(text):
    assert load(dump({"value": text})) == {"value": text}
