"""How flat tokens are divided into samples."""

from __future__ import annotations

import pytest
import torch

from genoken.models.layers.packing import Packing, mean_over_tokens


def test_a_packing_is_derived_from_its_lengths():
    packing = Packing.from_lengths((3, 1, 1, 2), torch.device("cpu"))
    assert packing.offsets.tolist() == [0, 3, 4, 5, 7]
    assert packing.offsets.dtype == torch.int32
    assert (packing.num_samples, packing.max_length) == (4, 3)
    assert packing.first_tokens.tolist() == [0, 3, 4, 5]
    assert packing.first_tokens.dtype == torch.int64
    assert packing.sample_of_token.tolist() == [0, 0, 0, 1, 2, 3, 3]
    assert packing.equal_length_runs == ((1, 3), (2, 1), (1, 2))


def test_equal_lengths_that_are_apart_are_separate_runs():
    assert Packing.from_lengths((2, 3, 2, 2), torch.device("cpu")).equal_length_runs == ((1, 2), (1, 3), (2, 2))


def test_no_samples():
    packing = Packing.from_lengths((), torch.device("cpu"))
    assert packing.offsets.tolist() == [0]
    assert (packing.num_samples, packing.max_length, packing.equal_length_runs) == (0, 0, ())
    assert packing.sample_of_token.tolist() == []


def test_the_mean_over_tokens_is_taken_sample_by_sample():
    states = torch.tensor([[1.0, 2], [3, 4], [5, 0], [10, 20]])
    packing = Packing.from_lengths((3, 1), torch.device("cpu"))
    torch.testing.assert_close(mean_over_tokens(states, packing), torch.tensor([[3.0, 2], [10, 20]]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_mean_is_summed_in_32_bits(dtype):
    states = torch.full((1001, 1), 1.0, dtype=dtype)  # in bf16, a running sum of ones would end at 256
    mean = mean_over_tokens(states, Packing.from_lengths((1001,), torch.device("cpu")))
    assert mean.dtype == dtype
    assert mean.item() == 1.0
