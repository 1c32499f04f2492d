import numpy as np
import pytest
import torch

from genoken.core.random import generator
from genoken.models.layers.dropout import Dropout, draw_seed, dropped_places


def test_values_and_gradients_are_dropped_at_the_places_that_follow_from_the_global_generator():
    values = torch.arange(1.0, 41).view(5, 8).t().requires_grad_()  # not contiguous
    torch.manual_seed(2)
    kept = torch.ones(40)
    kept[torch.from_numpy(dropped_places(generator(draw_seed(), "dropout"), 40, 0.2))] = 0
    assert 25 < kept.sum() < 39
    torch.manual_seed(2)
    result = Dropout(0.2)(values)
    (gradient,) = torch.autograd.grad(result, values, torch.full((8, 5), 4.0))
    torch.testing.assert_close(result, values * kept.view(8, 5) / 0.8)
    torch.testing.assert_close(gradient, 5 * kept.view(8, 5))


@pytest.mark.parametrize(("probability", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped_and_nothing_drawn(probability, training):
    values, before = torch.ones(100), torch.get_rng_state()
    assert Dropout(probability).train(training)(values) is values
    assert torch.equal(torch.get_rng_state(), before)


def test_two_passes_drop_differently():
    dropout, values = Dropout(0.5), torch.ones(100)
    assert not torch.equal(dropout(values), dropout(values))


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
    class Small:
        def standard_exponential(self, size):
            return np.full(size, 1e-9)

    np.testing.assert_array_equal(dropped_places(Small(), 1000, 0.01), np.arange(1000))


def test_no_weights_have_none_to_drop():
    assert len(dropped_places(generator(0, "none"), 0, 0.5)) == 0
