"""How flat tokens are divided into samples."""

from __future__ import annotations

import pytest
import torch

from genoken.models.layers.packing import Packing, mean_over_tokens, without_successors


def test_a_packing_is_derived_from_its_lengths():
    packing = Packing.from_lengths((3, 1, 1, 2), torch.device("cpu"))
    assert packing.offsets.tolist() == [0, 3, 4, 5, 7]
    assert packing.offsets.dtype == torch.int32
    assert (packing.num_samples, packing.max_length) == (4, 3)
    assert packing.first_tokens.tolist() == [0, 3, 4, 5]
    assert packing.first_tokens.dtype == torch.int64
    assert packing.sample_of_token.tolist() == [0, 0, 0, 1, 2, 3, 3]
    assert packing.equal_runs == ((1, 3, 3), (2, 1, 1), (1, 2, 2))


def test_equal_lengths_that_are_apart_are_separate_runs():
    assert Packing.from_lengths((2, 3, 2, 2), torch.device("cpu")).equal_runs == ((1, 2, 2), (1, 3, 3), (2, 2, 2))


# CLS a SEP x y | CLS b c | CLS SEP z: two with successors, one without
PAIRS = Packing((5, 3, 3), torch.tensor([0, 5, 8, 11], dtype=torch.int32), (2, 3, 1), "next_cell_self")


def test_the_parts_of_pairs():
    assert PAIRS.places.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2]
    assert PAIRS.part_of_token.tolist() == [0, 0, 1, 2, 2, 0, 0, 0, 0, 1, 2]
    assert PAIRS.context_tokens.tolist() == [0, 1, 5, 6, 7, 8]
    assert PAIRS.contexts.lengths == (2, 3, 1)
    assert PAIRS.mutual_lengths == (2, 3, 1)
    assert PAIRS.equal_runs == ((1, 5, 2), (1, 3, 3), (1, 3, 1))
    assert PAIRS.num_seen == (4 + 3 + 4 + 4) + 9 + (1 + 2 + 3)
    strict = Packing(PAIRS.lengths, PAIRS.offsets, PAIRS.context, "next_cell_strict")
    assert strict.num_seen == (4 + 3 + 3 + 3) + 9 + (1 + 2 + 2)
    full = Packing(PAIRS.lengths, PAIRS.offsets, PAIRS.context)
    assert full.num_seen == 25 + 9 + 9
    assert full.equal_runs == ((1, 5, 5), (2, 3, 3))
    assert full.part_of_token.tolist() == PAIRS.part_of_token.tolist()


def test_queries_that_see_the_same_keys_are_one_part():
    found = [(part.queries.tolist(), part.keys.tolist(), part.own) for part in PAIRS.parts]
    assert found == [
        ([0, 1, 5, 6, 7, 8], [0, 1, 5, 6, 7, 8], False),
        ([2, 9], [0, 1, 2, 8, 9], False),  # the second sample has nothing behind it
        ([3, 4, 10], [0, 1, 2, 11, 8, 9, 11], True),
    ]
    assert [(part.query_offsets.tolist(), part.key_offsets.tolist()) for part in PAIRS.parts] == [
        ([0, 2, 5, 6], [0, 2, 5, 6]),
        ([0, 1, 2], [0, 3, 5]),
        ([0, 2, 3], [0, 4, 7]),
    ]
    assert [(part.most_queries, part.most_keys) for part in PAIRS.parts] == [(3, 3), (1, 3), (2, 4)]
    strict = Packing(PAIRS.lengths, PAIRS.offsets, PAIRS.context, "next_cell_strict").parts
    assert [part.queries.tolist() for part in strict] == [[0, 1, 5, 6, 7, 8], [2, 3, 4, 9, 10]]
    assert [part.own for part in strict] == [False, False]


def test_successors_are_left_out_where_the_samples_see_nothing_of_them():
    states = torch.arange(11.0).unsqueeze(1)
    left, packing = without_successors(states, PAIRS)
    assert left.flatten().tolist() == [0, 1, 5, 6, 7, 8]
    assert (packing.lengths, packing.pattern, packing.offsets.tolist()) == ((2, 3, 1), "full", [0, 2, 5, 6])
    full = Packing(PAIRS.lengths, PAIRS.offsets, PAIRS.context)
    assert without_successors(states, full) == (states, full)


@pytest.mark.parametrize(("context", "pattern"), [((), "next_cell_strict"), ((1,), "full")])
def test_every_sample_has_a_context_or_none(context, pattern):
    with pytest.raises(ValueError, match="contexts of 2 samples"):
        Packing((2, 3), torch.tensor([0, 2, 5], dtype=torch.int32), context, pattern)


def test_no_samples():
    packing = Packing.from_lengths((), torch.device("cpu"))
    assert packing.offsets.tolist() == [0]
    assert (packing.num_samples, packing.max_length, packing.equal_runs) == (0, 0, ())
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
