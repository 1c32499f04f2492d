import numpy as np
import pytest
import torch

from genoken.core.random import generator
from genoken.models.layers import dropout_attention
from genoken.models.layers.dropout_attention import attend_with_dropout, dropped_places


def drawn(num_queries=7, num_keys=7, heads=(2, 3), width=4):
    torch.manual_seed(1)
    shapes = [(*heads, num, width) for num in (num_queries, num_keys, num_keys)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def plain(query, key, value, dropout, seed, blocks):
    """The formula as it stands, with all weights at once; ``blocks`` are the numbers of weights that are drawn for one by one."""
    weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1)
    assert sum(blocks) == weights.numel()
    rng, kept = generator(seed, "attention_dropout"), torch.ones(weights.numel(), dtype=weights.dtype)
    for end, count in zip(np.cumsum(blocks), blocks, strict=True):
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


def test_dropped_places_are_ascending_and_every_place_is_dropped_equally_often():
    rng, counts, draws = generator(0, "places"), np.zeros(50, dtype=int), 4000
    for _ in range(draws):
        places = dropped_places(rng, 50, 0.2)
        assert (np.diff(places) > 0).all()
        counts[places] += 1
    # Four standard deviations of a binomial count around its mean.
    assert np.abs(counts - 0.2 * draws).max() < 4 * np.sqrt(draws * 0.2 * 0.8)


def test_dropped_places_are_drawn_independently():
    """Neighbors are both dropped with the product of the probabilities."""
    rng = generator(0, "neighbors")
    both = np.mean([np.isin([10, 11], dropped_places(rng, 50, 0.3)).all() for _ in range(4000)])
    assert abs(both - 0.09) < 4 * np.sqrt(0.09 * 0.91 / 4000)


def test_dropped_places_go_on_where_the_first_draw_falls_short():
    class Ones:
        def geometric(self, probability, size):
            return np.ones(size, dtype=np.int64)

    np.testing.assert_array_equal(dropped_places(Ones(), 1000, 0.01), np.arange(1000))


def test_no_weights_have_none_to_drop():
    assert len(dropped_places(generator(0, "none"), 0, 0.5)) == 0
