"""Masked values: bins, numbers and counts; replacements, absent features, and the scores."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pydantic
import pytest
import torch
from scipy import stats
from torch.nn import functional

from genoken.core.contracts import FeatureStatistics, MaskDraw
from genoken.core.errors import ConfigError, DataError
from genoken.core.layout import HeadSpec
from genoken.objectives.masked_value import MaskedValueObjective

ALL = MaskDraw(seed=0, epoch=0, probability=1.0)
ONLY_MASKS = {"mask_share": 1.0, "random_share": 0.0}
STATISTICS = FeatureStatistics(mean=np.array([1.0, 2.0, 3.0, 4.0]), deviation=np.array([0.5, 1.0, 2.0, 4.0]))


def test_hidden_bins_are_typed_by_hand(make_layout, make_batch):
    layout = make_layout(5, "category", bins=4, phenotypes=(2,))
    batch = make_batch(layout, [[4, 0], [2]], values=[[1, 3], [2]], codes=[[3], [4]])
    assert batch.channels["bin"].tolist() == [0, 0, 3, 5, 0, 0, 0, 4, 0]
    hidden = MaskedValueObjective(**ONLY_MASKS).hide(batch, layout, ALL)
    assert hidden.channels["bin"].tolist() == [0, 0, 1, 1, 0, 0, 0, 1, 0]
    assert hidden.channels["feature"].tolist() == [0, 8, 7, 3, 2, 0, 8, 5, 2]
    assert {name: values.tolist() for name, values in hidden.targets.items()} == {
        "masked_value.places": [2, 3, 7],
        "masked_value.labels": [1, 3, 2],
        "masked_value.features": [4, 0, 2],
    }
    assert hidden.targets["masked_value.labels"].dtype == torch.int64
    assert batch.channels["bin"].tolist() == [0, 0, 3, 5, 0, 0, 0, 4, 0], "the batch that was given is left as it was"


def test_hidden_numbers_are_typed_by_hand(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    batch = make_batch(layout, [[3, 0], [2]], values=[[0.5, 1.5], [2.5]])
    hidden = MaskedValueObjective(**ONLY_MASKS).hide(batch, layout, ALL, STATISTICS)
    assert torch.equal(hidden.channels["value"].isnan(), torch.tensor([False, True, True, False, True]))
    assert hidden.channels["value"][[0, 3]].tolist() == [0, 0]
    assert {name: values.tolist() for name, values in hidden.targets.items()} == {
        "masked_value.places": [1, 2, 4],
        "masked_value.labels": [0.5, 1.5, 2.5],
        "masked_value.features": [3, 0, 2],
        "masked_value.center": [4, 1, 3],
        "masked_value.scale": [4, 0.5, 2],
    }
    assert hidden.targets["masked_value.labels"].dtype == torch.float32
    plain = MaskedValueObjective(standardize=False, **ONLY_MASKS).hide(batch, layout, ALL, STATISTICS)
    assert sorted(plain.targets) == ["masked_value.features", "masked_value.labels", "masked_value.places"]


def test_a_random_value_is_that_of_another_token_of_the_sample(make_layout, make_batch):
    layout = make_layout(100, "scalar")
    values = [[10.0 + place for place in range(100)], [200.0, 300.0], [400.0]]
    samples = [list(range(100)), [5, 7], [3]]
    objective = MaskedValueObjective(mask_share=0.0, random_share=1.0, standardize=False)
    others = []
    for row in range(60):
        batch = make_batch(layout, samples, values, rows=[3 * row, 3 * row + 1, 3 * row + 2])
        shown = objective.hide(batch, layout, ALL).channels["value"]
        assert torch.equal(shown[[102, 103]], torch.tensor([300.0, 200.0]))
        assert bool(shown[105].isnan())  # nothing else to show
        assert bool((shown[1:101] != batch.channels["value"][1:101]).all())
        assert shown[[0, 101, 104]].tolist() == [0, 0, 0]
        others += (shown[1:101] - 10).tolist()
    counts = np.bincount(np.array(others, dtype=int), minlength=100)
    assert len(counts) == 100
    assert np.abs(counts - 60).max() < 5 * math.sqrt(60)


def test_a_random_value_is_never_one_that_was_hidden_before(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    batch = make_batch(layout, [[0, 1, 2, 3]], values=[[1.0, float("nan"), float("nan"), 4.0]])
    hidden = MaskedValueObjective(mask_share=0.0, random_share=1.0, standardize=False).hide(batch, layout, ALL)
    assert hidden.targets["masked_value.places"].tolist() == [1, 4]
    assert hidden.channels["value"][[1, 4]].tolist() == [4.0, 1.0]


def test_absent_features_are_asked_for_as_bin_zero(make_layout, make_batch):
    layout = make_layout(6, "category", bins=2)
    batch = make_batch(layout, [[4, 0], [2, 1, 3, 5, 0]], values=[[1, 1], [1, 1, 1, 1, 1]])
    objective = MaskedValueObjective(absent_swap=1.0, mask_share=0.0, random_share=0.5)
    hidden = objective.hide(batch, layout, ALL)
    features = hidden.targets["masked_value.features"].tolist()
    assert len(set(features[:2])) == 2
    assert set(features[:2]) <= {1, 2, 3, 5}
    # The second sample lacks feature 4 alone, so that one token can ask for it; the others ask for themselves.
    assert features[2] == 4
    assert features[3:] == [1, 3, 5, 0]
    assert hidden.targets["masked_value.labels"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert (hidden.channels["feature"][hidden.targets["masked_value.places"]] - 3).tolist() == features
    assert hidden.channels["bin"][[1, 2, 4]].tolist() == [1, 1, 1], "a swapped token is masked whatever the shares"
    assert hidden.channels["bin"][[5, 6, 7, 8]].tolist() == [3, 3, 3, 3]


def test_the_share_of_swaps_and_that_every_absent_feature_is_as_likely(make_layout, make_batch):
    layout = make_layout(40, "category", bins=2)
    batch = make_batch(layout, [list(range(20))] * 1000, values=[[1] * 20] * 1000)
    hidden = MaskedValueObjective(absent_swap=0.3).hide(batch, layout, MaskDraw(0, 0, 0.5))
    features, labels = hidden.targets["masked_value.features"], hidden.targets["masked_value.labels"]
    assert len(labels) == 10_000
    assert torch.equal(labels == 0, features >= 20)
    assert float((labels == 0).float().mean()) == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 10_000))
    counts = torch.bincount(features[labels == 0] - 20, minlength=20)
    assert (counts - counts.sum() / 20).abs().max() < 4 * math.sqrt(150)


def test_no_absent_feature_is_asked_for_twice(make_layout, make_batch):
    layout = make_layout(15, "category", bins=2)
    batch = make_batch(layout, [list(range(10))] * 50, values=[[1] * 10] * 50)
    hidden = MaskedValueObjective(absent_swap=1.0).hide(batch, layout, ALL)
    for features in hidden.targets["masked_value.features"].reshape(50, 10).tolist():
        assert sorted(feature for feature in features if feature >= 10) == [10, 11, 12, 13, 14]


def test_swaps_do_not_depend_on_the_batch(make_layout, make_batch):
    layout = make_layout(50, "category", bins=2)
    samples = [list(range(start, start + 20)) for start in range(6)]
    objective = MaskedValueObjective(absent_swap=0.5, mask_share=0.4, random_share=0.4)

    def hide(rows):
        bins = [[1 + feature % 2 for feature in samples[row]] for row in rows]
        batch = objective.hide(make_batch(layout, [samples[row] for row in rows], bins, rows=rows), layout, MaskDraw(0, 2, 0.6))
        pairs = torch.stack([batch.channels["feature"], batch.channels["bin"]], dim=1).split(list(batch.lengths))
        return dict(zip(rows, [part.tolist() for part in pairs], strict=True))

    assert hide([0, 1, 2, 3, 4, 5]) == hide([5, 2]) | hide([4]) | hide([3, 0, 1])


def test_heads(make_layout):
    bins, numbers = make_layout(5, "category", bins=4), make_layout(5, "scalar")
    assert MaskedValueObjective().head(bins) == HeadSpec(outputs=4, level="token")
    assert MaskedValueObjective(tied=True).head(bins) == HeadSpec(outputs=4, level="token", tied_to="value")
    assert MaskedValueObjective(tied=True).head(numbers) == HeadSpec(outputs=1, level="token", linear="standardized")
    assert MaskedValueObjective(standardize=False).head(numbers) == HeadSpec(outputs=1, level="token", linear="value")
    ranks = make_layout(5, "category", bins=5)
    assert MaskedValueObjective().head(ranks) == HeadSpec(outputs=5, level="token", linear="rank")
    assert MaskedValueObjective(likelihood="negative_binomial").head(numbers) == HeadSpec(outputs=2, level="token")


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_the_loss_of_bins_is_torchs(make_layout, make_batch, smoothing):
    layout = make_layout(5, "category", bins=4)
    objective = MaskedValueObjective(label_smoothing=smoothing)
    hidden = objective.hide(make_batch(layout, [[4, 0], [2]], values=[[1, 3], [2]]), layout, ALL)
    outputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    term = objective.loss(outputs, hidden, layout)
    expected = functional.cross_entropy(outputs, torch.tensor([1, 3, 2]), reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(term.total, expected)
    assert term.count == 3


def test_measures_of_bins_are_typed_by_hand(make_layout, make_batch):
    layout = make_layout(5, "category", bins=3)
    hidden = MaskedValueObjective().hide(make_batch(layout, [[4, 0], [2]], values=[[1, 2], [2]]), layout, ALL)
    outputs = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    measures = MaskedValueObjective(label_smoothing=0.5).measure(outputs, hidden, layout)
    expected = [math.log(2 + math.exp(2)) - 2, math.log(2 + math.e), math.log(3)]
    assert measures.pop("cross_entropy").tolist() == pytest.approx(expected, rel=1e-6)
    assert {name: values.tolist() for name, values in measures.items()} == {
        "correct": [True, False, False],
        "top5": [True, True, True],
        "rank_error": [0, 1, 0],
        "prediction": [1, 0, 0],
        "label": [1, 2, 2],
        "value": [1, 2, 2],
        "feature": [4, 0, 2],
        "place": [1, 2, 1],
    }


@pytest.mark.parametrize(
    ("settings", "theirs"),
    [
        ({}, torch.nn.MSELoss(reduction="sum")),
        ({"likelihood": "huber"}, torch.nn.HuberLoss(reduction="sum")),
        ({"likelihood": "huber", "huber_delta": 0.3}, torch.nn.HuberLoss(reduction="sum", delta=0.3)),
    ],
)
@pytest.mark.parametrize("standardize", [True, False])
def test_regression_losses_are_torchs(make_layout, make_batch, settings, theirs, standardize):
    layout = make_layout(4, "scalar")
    objective = MaskedValueObjective(standardize=standardize, **settings)
    batch = make_batch(layout, [[3, 0], [2]], values=[[0.5, 1.5], [2.5]])
    hidden = objective.hide(batch, layout, ALL, STATISTICS)
    outputs = torch.tensor([[0.3], [-1.0], [2.0]])
    # (0.5 - 4) / 4, (1.5 - 1) / 0.5, (2.5 - 3) / 2
    expected = theirs(outputs[:, 0], torch.tensor([-0.875, 1.0, -0.25] if standardize else [0.5, 1.5, 2.5]))
    term = objective.loss(outputs, hidden, layout)
    torch.testing.assert_close(term.total, expected)
    assert term.count == 3


def test_measures_of_numbers_are_in_the_channels_units(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    batch = make_batch(layout, [[3, 0], [2]], values=[[0.5, 1.5], [2.5]])
    objective = MaskedValueObjective()
    measures = objective.measure(torch.tensor([[-1.0], [2.0], [0.0]]), objective.hide(batch, layout, ALL, STATISTICS), layout)
    assert {name: values.tolist() for name, values in measures.items()} == {
        "feature": [3, 0, 2],
        "place": [1, 2, 1],
        "value": [0.5, 1.5, 2.5],
        "prediction": [0.0, 2.0, 3.0],
        "squared_error": [0.25, 0.25, 0.25],
    }


def test_counts_are_scored_by_scipys_negative_binomial(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    counts = [[7, 0, 3], [120_000]]
    batch = make_batch(layout, [[3, 0, 1], [2]], values=[np.log1p(sample).tolist() for sample in counts])
    objective = MaskedValueObjective(likelihood="negative_binomial")
    hidden = objective.hide(batch, layout, ALL)
    library = np.array([10, 20, 30, 120_000])
    hidden.targets["masked_value.library"] = torch.from_numpy(library.astype(np.float32))
    outputs = torch.tensor([[-0.5, 0.3], [-2.0, 2.0], [-1.0, -1.0], [0.1, 1.0]], requires_grad=True)
    rates, log_r = outputs.detach().double().T.numpy()
    means, r = np.exp(rates) * library, np.exp(log_r)
    expected = stats.nbinom.logpmf([7, 0, 3, 120_000], r, r / (r + means))
    term = objective.loss(outputs, hidden, layout)
    assert float(term.total.detach()) == pytest.approx(-expected.sum(), rel=1e-5)
    term.total.backward()
    assert bool((outputs.grad != 0).all())
    measures = objective.measure(outputs.detach(), hidden, layout)
    np.testing.assert_allclose(measures["negative_log_likelihood"].numpy(), -expected, rtol=1e-5)
    np.testing.assert_allclose(measures["prediction"].numpy(), np.log1p(means), rtol=1e-5)
    np.testing.assert_allclose(measures["value"].numpy(), np.log1p([7, 0, 3, 120_000]), rtol=1e-6)
    np.testing.assert_allclose(measures["squared_error"], (measures["prediction"] - measures["value"]) ** 2)


def test_the_library_is_that_of_visible_tokens_scaled_to_all(make_layout, make_batch):
    layout = make_layout(4, "scalar", phenotypes=(2,))
    counts = np.array([2, 4, 16, 1])
    batch = make_batch(layout, [[0, 1, 2, 3], [3]], values=[np.log1p(counts).tolist(), [math.log(9)]], codes=[[3], [3]])
    objective = MaskedValueObjective(likelihood="negative_binomial")
    hidden = objective.hide(batch, layout, MaskDraw(0, 0, 0.5))
    asked = hidden.targets["masked_value.features"].tolist()[:2]
    visible = [feature for feature in range(4) if feature not in asked]
    # Two of the first sample's four counts are visible, so that their sum is doubled; the other sample's only one is hidden.
    expected = 2.0 * counts[visible].sum()
    assert hidden.targets["masked_value.library"].tolist() == [expected, expected, 1.0]
    outputs = torch.zeros(3, 2)
    assert bool(objective.measure(outputs, hidden, layout)["negative_log_likelihood"].isfinite().all())


@pytest.mark.parametrize("shares", [{}, {"mask_share": 0.0, "random_share": 0.0}, {"mask_share": 0.0, "random_share": 1.0}])
def test_the_library_does_not_tell_the_answers(make_layout, make_batch, shares):
    layout = make_layout(4, "scalar")
    objective = MaskedValueObjective(likelihood="negative_binomial", **shares)

    def libraries(counts):
        batch = make_batch(layout, [[0, 1, 2, 3]], values=[np.log1p(counts).tolist()])
        hidden = objective.hide(batch, layout, MaskDraw(0, 0, 0.5))
        return hidden.targets["masked_value.features"].tolist(), hidden.targets["masked_value.library"].tolist()

    asked, found = libraries([3.0, 5.0, 7.0, 9.0])
    changed = [100.0 if feature in asked else count for feature, count in enumerate([3.0, 5.0, 7.0, 9.0])]
    assert libraries(changed) == (asked, found)


def test_values_that_another_objective_hid_are_left_out_of_the_library(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    batch = make_batch(layout, [[0, 1, 2]], values=[[math.log(3), float("nan"), math.log(3)]])
    hidden = MaskedValueObjective(likelihood="negative_binomial").hide(batch, layout, MaskDraw(0, 0, 0.5))
    # One of two known values is hidden: the other, a count of 2, stands for all three tokens.
    assert hidden.targets["masked_value.library"].tolist() == [6.0]


def test_values_that_are_no_counts_are_refused(make_layout, make_batch):
    layout = make_layout(4, "scalar")
    objective = MaskedValueObjective(likelihood="negative_binomial")
    with pytest.raises(DataError, match="needs counts"):
        objective.hide(make_batch(layout, [[0, 1]], values=[[0.5, 1.5]]), layout, ALL)
    with pytest.raises(DataError, match="needs counts"):
        objective.hide(make_batch(layout, [[0, 1]], values=[[-50.0, math.log(2)]]), layout, ALL)


def test_what_is_needed_and_missing_is_said(make_layout, make_batch):
    numbers = make_layout(4, "scalar")
    with pytest.raises(ConfigError, match=r"standardize.*mean and deviation"):
        MaskedValueObjective().hide(make_batch(numbers, [[0]], values=[[1.0]]), numbers, ALL)
    dense = make_layout(2, "category", bins=2, every_feature=True)
    with pytest.raises(ConfigError, match="absent_swap"):
        MaskedValueObjective(absent_swap=0.1).hide(make_batch(dense, [[0, 1]], values=[[1, 1]]), dense, ALL)
    identities = make_layout(4)
    with pytest.raises(ConfigError, match="value channel"):
        MaskedValueObjective().hide(make_batch(identities, [[0]]), identities, ALL)


def test_statistics_have_one_positive_deviation_per_feature():
    with pytest.raises(ValueError, match="above zero"):
        FeatureStatistics(np.zeros(2), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="one mean"):
        FeatureStatistics(np.zeros(2), np.ones(3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        STATISTICS.mean = np.zeros(4)


def test_nothing_to_hide_is_no_target_and_no_loss(make_layout, make_batch):
    for layout, outputs in [(make_layout(5, "category", bins=3), 3), (make_layout(4, "scalar"), 1)]:
        objective = MaskedValueObjective()
        hidden = objective.hide(make_batch(layout, [[], []], values=[[], []]), layout, ALL, STATISTICS)
        term = objective.loss(torch.zeros(0, outputs), hidden, layout)
        assert (float(term.total), term.count) == (0.0, 0)
        assert all(len(values) == 0 for values in objective.measure(torch.zeros(0, outputs), hidden, layout).values())


@pytest.mark.parametrize("wrong", [{"absent_swap": 1.5}, {"likelihood": "poisson"}, {"huber_delta": 0.0}, {"label_smoothing": 1.0}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        MaskedValueObjective(**wrong)
