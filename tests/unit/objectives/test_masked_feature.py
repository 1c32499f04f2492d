"""Masked features: what is hidden, what is asked, which logits are ruled out, and the scores."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn import functional

from genoken.core.contracts import MaskDraw
from genoken.core.layout import HeadSpec
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.objectives.masked_value import MaskedValueObjective

ALL = MaskDraw(seed=0, epoch=0, probability=1.0)
ONLY_MASKS = {"mask_share": 1.0, "random_share": 0.0}


def with_targets(batch, places, labels):
    """Return the batch as if these tokens had been hidden."""
    channel = batch.channels["feature"].clone()
    channel[places] = 1
    targets = {"masked_feature.places": torch.tensor(places), "masked_feature.labels": torch.tensor(labels)}
    return dataclasses.replace(batch, channels={**batch.channels, "feature": channel}, targets=targets)


def test_what_is_hidden_is_typed_by_hand(make_layout, make_batch):
    layout = make_layout(5, "scalar", phenotypes=(2,))
    batch = make_batch(layout, [[4, 0], [2]], values=[[0.5, 1.5], [2.5]], codes=[[3], [4]])
    assert batch.channels["feature"].tolist() == [0, 8, 7, 3, 2, 0, 8, 5, 2]
    hidden = MaskedFeatureObjective(**ONLY_MASKS).hide(batch, layout, ALL)
    assert hidden.channels["feature"].tolist() == [0, 8, 1, 1, 2, 0, 8, 1, 2]
    assert hidden.targets["masked_feature.places"].tolist() == [2, 3, 7]
    assert hidden.targets["masked_feature.labels"].tolist() == [4, 0, 2]
    assert hidden.targets["masked_feature.labels"].dtype == torch.int64
    assert hidden.channels["value"].tolist() == [0, 0, 0.5, 1.5, 0, 0, 0, 2.5, 0]
    assert hidden.channels["phenotype"].tolist() == [0, 3, 0, 0, 0, 0, 4, 0, 0]
    assert batch.channels["feature"].tolist() == [0, 8, 7, 3, 2, 0, 8, 5, 2], "the batch that was given is left as it was"
    assert batch.targets == {}


def test_values_of_masked_tokens_can_be_hidden_too(make_layout, make_batch):
    layout = make_layout(5, "scalar")
    batch = make_batch(layout, [[4, 0], [2]], values=[[0.5, 1.5], [2.5]])
    hidden = MaskedFeatureObjective(hide_value=True, **ONLY_MASKS).hide(batch, layout, ALL)
    assert torch.equal(hidden.channels["value"].isnan(), torch.tensor([False, True, True, False, True]))
    kept = MaskedFeatureObjective(hide_value=True, mask_share=0.0, random_share=0.0).hide(batch, layout, ALL)
    assert kept.channels["value"].tolist() == [0, 0.5, 1.5, 0, 2.5]
    bins = make_layout(5, "category", bins=3)
    batch = make_batch(bins, [[4, 0], [2]], values=[[1, 2], [1]])
    assert batch.channels["bin"].tolist() == [0, 3, 4, 0, 3]
    hidden = MaskedFeatureObjective(hide_value=True, **ONLY_MASKS).hide(batch, bins, ALL)
    assert hidden.channels["bin"].tolist() == [0, 1, 1, 0, 1]


def test_kept_tokens_are_asked_for_and_look_as_before(make_layout, make_batch):
    layout = make_layout(5)
    batch = make_batch(layout, [[4, 0], [2]])
    hidden = MaskedFeatureObjective(mask_share=0.0, random_share=0.0).hide(batch, layout, ALL)
    assert torch.equal(hidden.channels["feature"], batch.channels["feature"])
    assert hidden.targets["masked_feature.labels"].tolist() == [4, 0, 2]


def test_random_tokens_are_any_feature_with_equal_probability(make_layout, make_batch):
    layout = make_layout(20)
    batch = make_batch(layout, [[7] * 100] * 200)
    hidden = MaskedFeatureObjective(mask_share=0.0, random_share=1.0).hide(batch, layout, ALL)
    shown = hidden.channels["feature"][hidden.targets["masked_feature.places"]]
    counts = torch.bincount(shown, minlength=23)
    assert counts[:3].tolist() == [0, 0, 0]
    assert len(counts) == 23
    deviation = math.sqrt(20_000 * 0.05 * 0.95)
    assert (counts[3:] - 1000).abs().max() < 4 * deviation
    assert set(hidden.targets["masked_feature.labels"].tolist()) == {7}


def test_nothing_to_hide_is_no_target_and_no_loss(make_layout, make_batch):
    layout, objective = make_layout(5), MaskedFeatureObjective()
    hidden = objective.hide(make_batch(layout, [[], []]), layout, ALL)
    assert hidden.targets["masked_feature.places"].shape == (0,)
    outputs = torch.zeros(0, 5, requires_grad=True)
    term = objective.loss(outputs, hidden, layout)
    term.total.backward()
    assert (float(term.total.detach()), term.count) == (0.0, 0)
    assert {name: tuple(values.shape) for name, values in objective.measure(outputs, hidden, layout).items()} == dict.fromkeys(
        ("cross_entropy", "correct", "top5", "rank_error", "prediction", "label", "place"), (0,)
    )


def test_the_head_has_one_output_per_feature(make_layout):
    layout = make_layout(7, phenotypes=(2,))
    assert MaskedFeatureObjective().head(layout) == HeadSpec(outputs=7, level="token", tied_to="identity")
    assert MaskedFeatureObjective(tied=False).head(layout) == HeadSpec(outputs=7, level="token")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_torchs(make_layout, make_batch, smoothing):
    layout = make_layout(11)
    batch = with_targets(make_batch(layout, [[4, 0, 9], [2, 10]]), [1, 3, 5], [4, 9, 2])
    outputs = torch.randn(3, 11, generator=torch.Generator().manual_seed(1), requires_grad=True)
    term = MaskedFeatureObjective(label_smoothing=smoothing).loss(outputs, batch, layout)
    expected = functional.cross_entropy(outputs, torch.tensor([4, 9, 2]), reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(term.total, expected)
    assert term.count == 3
    ours, theirs = (torch.autograd.grad(loss, outputs)[0] for loss in (term.total, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_restricted_loss_is_torchs_over_the_missing_features_alone(make_layout, make_batch, smoothing):
    layout = make_layout(6)
    # The first sample lacks 5 and shows 0 and 2; the second lacks 0, 1, 2, 3 and shows 4.
    batch = with_targets(make_batch(layout, [[3, 0, 1, 2, 4], [4, 5]]), [1, 3, 5, 8], [3, 1, 4, 5])
    outputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(2), requires_grad=True)
    objective = MaskedFeatureObjective(restrict_to_missing=True, label_smoothing=smoothing)
    first, second = [1, 3, 4, 5], [0, 1, 2, 3, 5]
    expected = functional.cross_entropy(
        outputs[:3, first], torch.tensor([1, 0, 2]), reduction="sum", label_smoothing=smoothing
    ) + functional.cross_entropy(outputs[3:, second], torch.tensor([4]), reduction="sum", label_smoothing=smoothing)
    term = objective.loss(outputs, batch, layout)
    torch.testing.assert_close(term.total, expected)
    ours, theirs = (torch.autograd.grad(loss, outputs)[0] for loss in (term.total, expected))
    torch.testing.assert_close(ours, theirs)
    assert objective.measure(outputs, batch, layout)["num_missing"].tolist() == [4, 4, 4, 5]


@pytest.mark.parametrize("shares", [ONLY_MASKS, {"mask_share": 0.4, "random_share": 0.3}])
def test_equal_logits_score_the_logarithm_of_how_many_are_missing(make_layout, make_batch, shares):
    layout = make_layout(978, every_feature=True)
    order = torch.randperm(978, generator=torch.Generator().manual_seed(0)).tolist()
    objective = MaskedFeatureObjective(restrict_to_missing=True, probability=0.1, **shares)
    batch = objective.hide(make_batch(layout, [order, order[::-1]]), layout, objective.draw(0, 0, 1))
    outputs = torch.zeros(2 * 98, 978)
    measures = objective.measure(outputs, batch, layout)
    assert measures["num_missing"].tolist() == [98] * 196
    torch.testing.assert_close(measures["cross_entropy"], torch.full((196,), math.log(98)))
    torch.testing.assert_close(objective.loss(outputs, batch, layout).mean, torch.tensor(math.log(98)))
    # Guessing the lowest missing id is right once per sample.
    assert int(measures["correct"].sum()) == 2
    assert int(measures["top5"].sum()) == 10
    free = MaskedFeatureObjective().measure(outputs, batch, layout)
    torch.testing.assert_close(free["cross_entropy"], torch.full((196,), math.log(978)))


def test_a_feature_that_the_encoder_does_not_see_is_missing(make_layout, make_batch):
    layout = make_layout(5)
    batch = with_targets(make_batch(layout, [[0, 1, 2, 3, 4]]), [1], [0])
    objective = MaskedFeatureObjective(restrict_to_missing=True)
    assert objective.measure(torch.zeros(1, 5), batch, layout)["num_missing"].tolist() == [1]
    batch = dataclasses.replace(batch, visible=torch.tensor([0, 1, 2, 5]), visible_lengths=(4,))
    measures = objective.measure(torch.zeros(1, 5), batch, layout)
    assert measures["num_missing"].tolist() == [3]  # 0 is asked for, 2 and 3 are out of sight
    assert float(measures["cross_entropy"][0]) == pytest.approx(math.log(3))


def test_a_label_that_stands_in_the_sample_twice_is_not_ruled_out(make_layout, make_batch):
    layout = make_layout(5)
    batch = with_targets(make_batch(layout, [[2, 2, 3]]), [1], [2])
    measures = MaskedFeatureObjective(restrict_to_missing=True).measure(torch.zeros(1, 5), batch, layout)
    assert measures["num_missing"].tolist() == [4]
    assert float(measures["cross_entropy"][0]) == pytest.approx(math.log(4))


def test_no_label_is_ruled_out_by_what_other_objectives_show(make_layout, make_batch):
    layout = make_layout(30, "category", bins=3)
    batch = make_batch(layout, [list(range(25))] * 20, values=[[1] * 25] * 20)
    draw = MaskDraw(0, 0, 0.5)
    objective = MaskedFeatureObjective(restrict_to_missing=True, mask_share=0.2, random_share=0.6)
    for first, second in [(objective, MaskedValueObjective(absent_swap=1.0)), (MaskedValueObjective(absent_swap=1.0), objective)]:
        done = second.hide(first.hide(batch, layout, draw), layout, draw)
        outputs = torch.zeros(len(done.targets["masked_feature.places"]), 30)
        assert len(outputs) > 100
        assert bool(objective.measure(outputs, done, layout)["cross_entropy"].isfinite().all())


def test_measures_are_typed_by_hand(make_layout, make_batch):
    layout = make_layout(7)
    batch = with_targets(make_batch(layout, [[6, 5], [1, 2, 3]]), [1, 4, 6], [6, 1, 3])
    outputs = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0],
            [5.0, 1.0, 4.0, 3.0, 2.0, 1.5, 1.2],
            [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    measures = MaskedFeatureObjective(label_smoothing=0.3).measure(outputs, batch, layout)
    assert measures["label"].tolist() == [6, 1, 3]
    assert measures["place"].tolist() == [1, 1, 3]
    assert measures["prediction"].tolist() == [6, 0, 0]
    assert measures["correct"].tolist() == [True, False, False]
    assert measures["rank_error"].tolist() == [0, 6, 1]
    assert measures["top5"].tolist() == [True, False, True]
    second = math.log(sum(math.exp(logit) for logit in (5, 1, 4, 3, 2, 1.5, 1.2))) - 1
    expected = [math.log(6 + math.exp(3)) - 3, second, math.log(6 + math.e)]
    assert measures["cross_entropy"].tolist() == pytest.approx(expected, rel=1e-6)
    assert "num_missing" not in measures
    restricted = MaskedFeatureObjective(restrict_to_missing=True).measure(outputs, batch, layout)
    # The second sample shows feature 2 alone, the first one feature 5.
    assert restricted["num_missing"].tolist() == [6, 6, 6]
    assert restricted["rank_error"].tolist() == [0, 5, 1]
    assert float(restricted["cross_entropy"][0]) == pytest.approx(math.log(5 + math.exp(3)) - 3, rel=1e-6)


def test_logits_in_half_precision_are_scored_in_full(make_layout, make_batch):
    layout = make_layout(7)
    batch = with_targets(make_batch(layout, [[6, 5]]), [1], [6])
    outputs = torch.randn(1, 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    term = MaskedFeatureObjective(restrict_to_missing=True).loss(outputs, batch, layout)
    assert term.total.dtype == torch.float32
    possible = outputs.float()[:, [0, 1, 2, 3, 4, 6]]
    torch.testing.assert_close(term.total, functional.cross_entropy(possible, torch.tensor([5]), reduction="sum"))
