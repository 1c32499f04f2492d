"""Which features the next cell has: only its tokens are hidden and asked for, all of them masked by default."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from genoken.core.contracts import MaskDraw
from genoken.core.errors import ConfigError
from genoken.core.layout import HeadSpec
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.objectives.next_cell import NextCellObjective

ALL = MaskDraw(seed=0, epoch=0, probability=1.0)


def test_what_is_hidden_is_typed_by_hand(pair_layout, make_pairs):
    layout = pair_layout(5)
    batch = make_pairs(layout, [([4, 0], [1, 2]), ([2], [4]), ([3], [])])
    assert batch.channels["feature"].tolist() == [0, 7, 3, 2, 4, 5, 0, 5, 2, 7, 0, 6, 2]
    hidden = NextCellObjective().hide(batch, layout, ALL)
    assert hidden.channels["feature"].tolist() == [0, 7, 3, 2, 1, 1, 0, 5, 2, 1, 0, 6, 2]
    assert hidden.targets["next_cell.places"].tolist() == [4, 5, 9]
    assert hidden.targets["next_cell.labels"].tolist() == [1, 2, 4]
    assert hidden.targets["next_cell.identities"].tolist() == [4, 5, 7]
    assert hidden.visible is None


def test_by_default_15_percent_are_masked_and_none_replaced_or_kept():
    objective = NextCellObjective()
    assert (objective.probability, objective.mask_share, objective.random_share, objective.weight) == (0.15, 1.0, 0.0, 1.0)


def test_only_the_source_s_shares_leave_tokens_as_they_are(pair_layout, make_pairs):
    layout = pair_layout(30)
    batch = make_pairs(layout, [(list(range(30)), list(range(30)))] * 100)
    mixed = NextCellObjective(mask_share=0.8, random_share=0.1).hide(batch, layout, ALL)
    shown = mixed.channels["feature"][mixed.targets["next_cell.places"]]
    assert (shown == 1).float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert (shown == mixed.targets["next_cell.identities"]).float().mean().item() == pytest.approx(0.1 + 0.1 / 30, abs=0.03)
    default = NextCellObjective().hide(batch, layout, ALL)
    assert (default.channels["feature"][default.targets["next_cell.places"]] == 1).all()


def test_a_share_of_the_next_tokens_is_counted_without_the_current_ones(pair_layout, make_pairs):
    layout = pair_layout(20)
    batch = make_pairs(layout, [(list(range(20)), list(range(20))), ([0], list(range(10)))])
    hidden = NextCellObjective().hide(batch, layout, MaskDraw(0, -1, 0.15))
    places = hidden.targets["next_cell.places"]
    assert [int((places < 42).sum()), int((places >= 42).sum())] == [3, 2]


def test_masks_of_the_current_cell_and_of_the_next_do_not_mix(pair_layout, make_pairs):
    layout = pair_layout(5)
    batch = make_pairs(layout, [([4, 0], [1, 2])])
    masked = MaskedFeatureObjective(mask_share=1.0, random_share=0.0).hide(batch, layout, ALL)
    assert masked.targets["masked_feature.places"].tolist() == [1, 2]
    both = NextCellObjective().hide(masked, layout, ALL)
    assert both.channels["feature"].tolist() == [0, 1, 1, 2, 1, 1]
    assert both.targets["next_cell.labels"].tolist() == [1, 2]
    restricted = MaskedFeatureObjective(restrict_to_missing=True)
    one = dataclasses.replace(masked, targets={name: tensor[:1] for name, tensor in masked.targets.items()})
    one.channels["feature"][2] = 3  # the second current token, feature 0, is seen again
    measured = restricted.measure(torch.zeros(1, 5), one, layout)
    assert measured["num_missing"].tolist() == [4], "what the next cell has is not ruled out"


def test_without_a_next_cell_nothing_is_asked(pair_layout, make_batch, make_layout):
    batch = make_batch(make_layout(5), [[4, 0]])
    hidden = NextCellObjective().hide(batch, pair_layout(5), ALL)
    assert hidden.targets["next_cell.places"].tolist() == []
    assert torch.equal(hidden.channels["feature"], batch.channels["feature"])
    assert NextCellObjective().loss(torch.zeros(0, 5), hidden, pair_layout(5)).count == 0


def test_the_head(pair_layout, make_layout):
    assert NextCellObjective().head(pair_layout(5)) == HeadSpec(outputs=5, level="token", tied_to="identity")
    assert NextCellObjective(tied=False).head(pair_layout(5, "scalar")) == HeadSpec(outputs=5, level="token")
    with pytest.raises(ConfigError, match="'next_cell' needs tokens with a segment channel, and there is none — say which cells"):
        NextCellObjective().head(make_layout(5))


def test_loss_and_measures(pair_layout, make_pairs):
    layout = pair_layout(4)
    batch = NextCellObjective().hide(make_pairs(layout, [([3], [1]), ([0, 2], [2, 0])]), layout, ALL)
    outputs = torch.tensor([[0.0, 2.0, 0.0, 0.0], [3.0, 1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    expected = functional.cross_entropy(outputs, torch.tensor([1, 2, 0]), reduction="none")
    term = NextCellObjective().loss(outputs, batch, layout)
    torch.testing.assert_close(term.total, expected.sum())
    assert term.count == 3
    measured = NextCellObjective().measure(outputs, batch, layout)
    torch.testing.assert_close(measured["cross_entropy"], expected)
    assert measured["correct"].tolist() == [True, False, False]
    assert measured["place"].tolist() == [1, 1, 2], "counted from the separator: the rank in the next cell, from 1"


SHARES = [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]


@pytest.mark.parametrize("shares", SHARES, ids=["masked", "replaced", "kept"])
def test_the_bin_of_a_hidden_token_is_hidden_too(shares, pair_layout, make_pairs):
    layout = pair_layout(5, "category", bins=3)
    batch = make_pairs(layout, [([4], [1, 2])], [([1], [2, 1])])
    assert batch.channels["bin"].tolist() == [0, 3, 0, 4, 3]
    objective = NextCellObjective(mask_share=shares[0], random_share=shares[1])
    assert objective.hide(batch, layout, ALL).channels["bin"].tolist() == [0, 3, 0, 1, 1]
    half = objective.hide(batch, layout, MaskDraw(0, 0, 0.5))
    (place,) = half.targets["next_cell.places"].tolist()
    assert half.channels["bin"].tolist() == [0, 3, 0, *(1 if own == place else given for own, given in ((3, 4), (4, 3)))]


def test_the_number_of_a_hidden_token_is_hidden_too(pair_layout, make_pairs):
    layout = pair_layout(5, "scalar")
    batch = make_pairs(layout, [([4], [1, 2])], [([0.5], [2.5, 1.5])])
    hidden = NextCellObjective().hide(batch, layout, ALL).channels["value"]
    assert hidden.isnan().tolist() == [False, False, False, True, True]
    assert hidden[:3].tolist() == [0, 0.5, 0]
