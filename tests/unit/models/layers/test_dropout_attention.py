import numpy as np
import pytest
import torch

from genoken.core.random import generator
from genoken.models.layers import dropout_attention
from genoken.models.layers.dropout import dropped_places
from genoken.models.layers.dropout_attention import attend_with_dropout


def drawn(num_queries=7, num_keys=7, heads=(2, 3), width=4):
    torch.manual_seed(1)
    shapes = [(*heads, num, width) for num in (num_queries, num_keys, num_keys)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def plain(query, key, value, dropout, seed, blocks):
    """The formula as it stands, with all weights at once; ``blocks`` are the numbers of weights that are drawn for one by one."""
    weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1)
    assert sum(blocks) == weights.numel()
    per_head, kept = weights[0, 0].numel(), torch.ones(weights.numel(), dtype=weights.dtype)
    for end, count in zip(np.cumsum(blocks), blocks, strict=True):
        if (end - count) % per_head == 0:
            rng = generator(seed, "attention_dropout", int(end - count) // per_head)
        kept[end - count + torch.from_numpy(dropped_places(rng, count, dropout))] = 0
    assert 0 < kept.mean() < 1
    return (kept.view_as(weights) * weights / (1 - dropout)) @ value


def next_seed(generator_seed):
    """Return the seed that attention draws, with the global generator put back to before the draw."""
    torch.manual_seed(generator_seed)
    seed = int(torch.randint(1 << 62, (1,)))
    torch.manual_seed(generator_seed)
    return seed


def with_gradients(function, parts, upstream):
    output = function(*parts)
    return output, torch.autograd.grad(output, parts, upstream)


@pytest.mark.parametrize(
    ("block", "num_queries", "blocks"),
    [
        (1, 7, [7] * 42),  # a row of 7 keys is the least
        (20, 7, [14, 14, 14, 7] * 6),
        (60, 7, [49] * 6),
        (100, 7, [98] * 3),
        (10**6, 7, [294]),
        (1, 1, [7] * 6),
        (20, 1, [14] * 3),
        (10**6, 1, [42]),
    ],
)
def test_output_and_gradients_are_those_of_the_formula(monkeypatch, block, num_queries, blocks):
    monkeypatch.setattr(dropout_attention, "BLOCK", block)
    parts = drawn(num_queries)
    upstream = torch.randn(parts[0].shape, dtype=torch.float64)
    seed = next_seed(5)
    output, gradients = with_gradients(lambda *p: attend_with_dropout(*p, 0.3), parts, upstream)
    wanted, wanted_gradients = with_gradients(lambda *p: plain(*p, 0.3, seed, blocks), parts, upstream)
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(gradients, wanted_gradients)


def test_high_scores_do_not_overflow():
    query, key, value = (part.detach().float() for part in drawn())
    output = attend_with_dropout(1000 * query, key, value, 1e-9)
    torch.testing.assert_close(output, torch.nn.functional.scaled_dot_product_attention(1000 * query, key, value))


def test_draws_follow_the_global_generator():
    query, key, value = (part.detach() for part in drawn())
    outputs = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        outputs.append(attend_with_dropout(query, key, value, 0.5))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_autocast_computes_in_float32_and_returns_gradients_of_the_inputs_own_type():
    query, key, value = (part.detach().bfloat16().requires_grad_() for part in drawn())
    seed = next_seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = attend_with_dropout(query, key, value, 0.3)
    output.sum().backward()
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, plain(query.float(), key.float(), value.float(), 0.3, seed, [294]))
    assert query.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("block", [20, 100])
def test_threads_change_nothing(monkeypatch, block):
    monkeypatch.setattr(dropout_attention, "BLOCK", block)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        parts = drawn()
        torch.manual_seed(7)
        results.append(with_gradients(lambda *p: attend_with_dropout(*p, 0.3), parts, torch.ones_like(parts[0])))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    for output, gradients in results[1:]:
        assert torch.equal(output, results[0][0])
        assert all(torch.equal(*pair) for pair in zip(gradients, results[0][1], strict=True))
