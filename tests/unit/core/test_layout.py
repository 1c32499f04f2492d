"""Layouts and head specifications."""

from __future__ import annotations

import dataclasses

import pytest

from genoken.core import layout
from genoken.core.layout import Channel, HeadSpec, Layout


def make_layout() -> Layout:
    return Layout(
        channels=(
            Channel(name="feature", kind="category", role="identity", size=13),
            Channel(name="level", kind="scalar", role="value"),
        ),
        num_features=10,
        has_cls=True,
        emits_every_feature=False,
        max_tokens=8,
    )


def test_channels_are_found_by_their_role():
    made = make_layout()
    assert made.channel("identity") is made.channels[0]
    assert made.channel("value") is made.channels[1]
    assert made.channel("position") is None


def test_the_first_of_two_channels_of_one_role_is_found():
    twice = dataclasses.replace(
        make_layout(), channels=(*make_layout().channels, Channel(name="other", kind="scalar", role="value"))
    )
    found = twice.channel("value")
    assert found is not None
    assert found.name == "level"


def test_special_identities_come_before_the_features():
    specials = [layout.CLS_ID, layout.MASK_ID, layout.SEPARATOR_ID]
    assert sorted(specials) == list(range(layout.NUM_SPECIALS))


def test_layouts_are_values():
    assert make_layout() == make_layout()
    assert hash(make_layout()) == hash(make_layout())
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_layout().max_tokens = 9  # type: ignore[misc]
    with pytest.raises(TypeError):
        Channel("feature", "category", "identity")  # type: ignore[misc]


def test_a_head_asks_for_samples_and_starts_at_zero():
    head = HeadSpec(outputs=4)
    assert (head.level, head.initial_bias) == ("sample", ())
