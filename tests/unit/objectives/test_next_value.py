"""How strongly the next cell expresses its features: numbers, counts and bins of its tokens alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from genoken.core.contracts import FeatureStatistics, MaskDraw
from genoken.core.errors import ConfigError
from genoken.core.layout import HeadSpec
from genoken.objectives.masked_value import MaskedValueObjective
from genoken.objectives.next_value import NextValueObjective

ALL = MaskDraw(seed=0, epoch=0, probability=1.0)
STATISTICS = FeatureStatistics(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0.5, 1.0, 2.0, 4.0, 8.0]))


def test_what_is_hidden_is_typed_by_hand(pair_layout, make_pairs):
    layout = pair_layout(5, "scalar")
    batch = make_pairs(layout, [([4, 0], [1, 2]), ([2], [4])], [([0.5, 1.5], [2.5, 0.0]), ([3.5], [4.5])])
    hidden = NextValueObjective().hide(batch, layout, ALL, STATISTICS)
    values = hidden.channels["value"].numpy()
    np.testing.assert_array_equal(values, np.array([0, 0.5, 1.5, 0, np.nan, np.nan, 0, 3.5, 0, np.nan], dtype=np.float32))
    assert torch.equal(hidden.channels["feature"], batch.channels["feature"])
    assert hidden.targets["next_value.places"].tolist() == [4, 5, 9]
    assert hidden.targets["next_value.labels"].tolist() == [2.5, 0.0, 4.5]
    assert hidden.targets["next_value.features"].tolist() == [1, 2, 4]
    assert hidden.targets["next_value.center"].tolist() == [2, 3, 5]
    assert hidden.targets["next_value.scale"].tolist() == [1, 2, 8]


def test_by_default_15_percent_are_masked_and_none_replaced_or_kept():
    objective = NextValueObjective()
    assert (objective.probability, objective.mask_share, objective.random_share) == (0.15, 1.0, 0.0)


def test_values_of_the_current_cell_and_of_the_next_do_not_mix(pair_layout, make_pairs):
    layout = pair_layout(5, "scalar")
    batch = make_pairs(layout, [([4, 0], [1, 2])], [([0.5, 1.5], [2.5, 3.5])])
    current = MaskedValueObjective(standardize=False, mask_share=1.0, random_share=0.0).hide(batch, layout, ALL)
    assert current.targets["masked_value.places"].tolist() == [1, 2]
    both = NextValueObjective(standardize=False).hide(current, layout, ALL)
    assert both.targets["next_value.labels"].tolist() == [2.5, 3.5]
    assert both.channels["value"].isnan().tolist() == [False, True, True, False, True, True]


def test_a_random_replacement_is_a_value_of_the_next_cell(pair_layout, make_pairs):
    layout = pair_layout(9, "scalar")
    batch = make_pairs(layout, [(list(range(9)), list(range(9)))] * 30, [([50.0] * 9, list(np.arange(9) + 1.0))] * 30)
    hidden = NextValueObjective(standardize=False, mask_share=0.0, random_share=1.0).hide(batch, layout, ALL)
    shown = hidden.channels["value"][hidden.targets["next_value.places"]]
    assert set(shown.tolist()) == set(np.arange(9) + 1.0)
    assert (shown != hidden.targets["next_value.labels"]).all()


def test_absent_features_are_those_that_the_next_cell_lacks(pair_layout, make_pairs):
    layout = pair_layout(5, "category", bins=3)
    batch = make_pairs(layout, [([4, 0], [1, 2, 3])] * 40, [([1, 1], [2, 1, 2])] * 40)
    hidden = NextValueObjective(absent_swap=0.5).hide(batch, layout, ALL)
    features, labels = hidden.targets["next_value.features"].numpy(), hidden.targets["next_value.labels"].numpy()
    assert set(features[labels == 0]) == {0, 4}, "features of the current cell can be asked for as absent ones"
    assert set(features[labels > 0]) == {1, 2, 3}


def test_the_library_is_that_of_the_next_cell(pair_layout, make_pairs):
    layout = pair_layout(4, "scalar")
    counts = [math.log1p(count) for count in (3, 7, 10, 20)]
    batch = make_pairs(layout, [([0, 1], [0, 1, 2, 3])], [([math.log1p(900), math.log1p(90)], counts)])
    objective = NextValueObjective(likelihood="negative_binomial")
    hidden = objective.hide(batch, layout, MaskDraw(0, 0, 0.25))
    (place,) = hidden.targets["next_value.places"].tolist()
    left = 40 - round(math.expm1(counts[place - 4]))
    assert hidden.targets["next_value.library"].tolist() == [pytest.approx(left * 4 / 3, rel=1e-5)]


def test_the_head(pair_layout, make_layout):
    assert NextValueObjective().head(pair_layout(5, "scalar")) == HeadSpec(outputs=1, level="token", linear="successor")
    assert NextValueObjective(likelihood="negative_binomial").head(pair_layout(5, "scalar")) == HeadSpec(outputs=2, level="token")
    assert NextValueObjective(tied=True).head(pair_layout(5, "category", bins=5)) == HeadSpec(
        outputs=5, level="token", tied_to="value"
    )
    with pytest.raises(ConfigError, match="'next_value' needs tokens with a segment channel"):
        NextValueObjective().head(make_layout(5, "scalar"))
    with pytest.raises(ConfigError, match="'next_value' needs tokens with a value channel"):
        NextValueObjective().head(pair_layout(5))


def test_loss_and_measures(pair_layout, make_pairs):
    layout = pair_layout(5, "scalar")
    batch = make_pairs(layout, [([4], [1, 2])], [([0.5], [2.5, 0.0])])
    hidden = NextValueObjective().hide(batch, layout, ALL, STATISTICS)
    outputs = torch.tensor([[1.0], [-1.0]])
    term = NextValueObjective().loss(outputs, hidden, layout)
    assert term.count == 2
    assert float(term.total) == pytest.approx((1 - 0.5) ** 2 + (-1 + 1.5) ** 2)
    measured = NextValueObjective().measure(outputs, hidden, layout)
    assert measured["prediction"].tolist() == [3.0, 1.0]
    assert measured["squared_error"].tolist() == [0.25, 1.0]
    assert measured["feature"].tolist() == [1, 2]
    assert measured["place"].tolist() == [1, 2]


def test_expected_values_are_in_the_units_of_the_channel():
    outputs = torch.tensor([[0.0], [1.0], [-1.0], [0.5], [2.0], [1.0], [0.0], [0.0], [-0.25], [0.125]])
    expected = [[1.0, 3.0, 1.0, 6.0, 21.0], [1.5, 2.0, 3.0, 3.0, 6.0]]
    assert NextValueObjective().expected(outputs, STATISTICS).tolist() == expected
    plain = NextValueObjective(standardize=False).expected(outputs, STATISTICS)
    assert plain.tolist() == [[0.0, 1.0, -1.0, 0.5, 2.0], [1.0, 0.0, 0.0, -0.25, 0.125]]
