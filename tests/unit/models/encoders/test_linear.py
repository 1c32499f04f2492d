"""Settings of the linear rival."""

from __future__ import annotations

import pydantic
import pytest
import torch

from genoken.models.encoders.linear import LinearEncoder


def test_states_are_passed_on_as_they_are():
    encoder = LinearEncoder()
    network = encoder.build(7)
    states = torch.randn(3, 7)
    assert encoder.takes == "bag"
    assert network(states) is states
    assert list(network.parameters()) == []


def test_there_is_nothing_to_set():
    with pytest.raises(pydantic.ValidationError):
        LinearEncoder(layers=1)
