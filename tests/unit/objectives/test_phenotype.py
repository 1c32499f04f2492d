"""Masked phenotypes: what is hidden, dropped and asked, and which values compete."""

from __future__ import annotations

import dataclasses
import math

import pydantic
import pytest
import torch
from torch.nn import functional

from genoken.core.contracts import MaskDraw
from genoken.core.errors import ConfigError
from genoken.core.layout import HeadSpec
from genoken.objectives.phenotype import PhenotypeObjective

ALL = MaskDraw(seed=0, epoch=0, probability=1.0)
UNKNOWN = 2


@pytest.fixture
def layout(make_layout):
    """Two phenotypes, of 2 and 3 values (entries 3 and 4; 5, 6 and 7), and 4 features."""
    return make_layout(4, "category", bins=2, phenotypes=(2, 3))


@pytest.fixture
def batch(layout, make_batch):
    """Three samples; the second has no known value in its first phenotype, the third in none."""
    codes = [[4, 5], [UNKNOWN, 7], [UNKNOWN, UNKNOWN]]
    return make_batch(layout, [[0, 1], [], [3]], values=[[1, 1], [], [1]], codes=codes)


def test_what_is_hidden_is_typed_by_hand(layout, batch):
    assert batch.channels["phenotype"].tolist() == [0, 4, 5, 0, 0, 0, 0, 2, 7, 0, 0, 2, 2, 0, 0]
    hidden = PhenotypeObjective().hide(batch, layout, ALL)
    assert hidden.channels["phenotype"].tolist() == [0, 1, 1, 0, 0, 0, 0, 2, 1, 0, 0, 2, 2, 0, 0]
    assert torch.equal(hidden.channels["feature"], batch.channels["feature"])
    assert torch.equal(hidden.channels["bin"], batch.channels["bin"])
    assert hidden.visible is None
    assert {name: values.tolist() for name, values in hidden.targets.items()} == {
        "phenotype.places": [1, 2, 8],
        "phenotype.labels": [2, 3, 5],
        "phenotype.columns": [0, 1, 1],
    }
    assert batch.channels["phenotype"].tolist() == [0, 4, 5, 0, 0, 0, 0, 2, 7, 0, 0, 2, 2, 0, 0]


def test_by_default_each_known_phenotype_is_hidden_by_itself_with_probability_one_half(layout, make_batch):
    batch = make_batch(layout, [[]] * 4000, values=[[]] * 4000, codes=[[3, 6]] * 4000)
    objective = PhenotypeObjective()
    hidden = objective.hide(batch, layout, objective.draw(0, 0, 1))
    is_hidden = hidden.channels["phenotype"].reshape(4000, 4)[:, 1:3] == 1
    assert is_hidden.float().mean(dim=0).tolist() == pytest.approx([0.5, 0.5], abs=4 * 0.5 / math.sqrt(4000))
    assert float(is_hidden.all(dim=1).float().mean()) == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 4000))
    assert len(hidden.targets["phenotype.places"]) == int(is_hidden.sum())


def test_a_random_value_is_one_of_the_same_phenotype(layout, make_batch):
    batch = make_batch(layout, [[]] * 3000, values=[[]] * 3000, codes=[[3, 6]] * 3000)
    hidden = PhenotypeObjective(mask_share=0.0, random_share=1.0).hide(batch, layout, ALL)
    shown = hidden.channels["phenotype"].reshape(3000, 4)[:, 1:3]
    first, second = torch.bincount(shown[:, 0]).tolist(), torch.bincount(shown[:, 1]).tolist()
    assert first[:3] == [0, 0, 0]
    assert first[3:] == pytest.approx([1500, 1500], abs=4 * math.sqrt(750))
    assert second[:5] == [0, 0, 0, 0, 0]
    assert second[5:] == pytest.approx([1000, 1000, 1000], abs=4 * math.sqrt(667))


def test_dropped_phenotypes_are_out_of_sight_and_not_asked_for(layout, batch):
    objective = PhenotypeObjective(drop=1.0)
    hidden = objective.hide(batch, layout, ALL)
    assert hidden.targets["phenotype.places"].tolist() == []
    assert hidden.visible.tolist() == [0, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    assert hidden.visible_lengths == (4, 3, 5)
    assert 4 not in hidden.channels["phenotype"].tolist()
    evaluated = objective.hide(batch, layout, dataclasses.replace(ALL, epoch=-1))
    assert evaluated.targets["phenotype.places"].tolist() == [1, 2, 8]
    assert evaluated.visible is None


def test_dropped_phenotypes_join_what_is_out_of_sight_already(layout, batch):
    # Token 2, a phenotype, and token 3 are not seen; the first can then be neither asked for nor dropped.
    visible = torch.tensor([0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
    batch = dataclasses.replace(batch, visible=visible, visible_lengths=(4, 4, 5))
    hidden = PhenotypeObjective(drop=1.0).hide(batch, layout, ALL)
    assert hidden.visible.tolist() == [0, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    assert hidden.visible_lengths == (3, 3, 5)
    asked = PhenotypeObjective().hide(batch, layout, ALL)
    assert asked.targets["phenotype.places"].tolist() == [1, 8]
    assert asked.visible is visible


def test_the_share_that_is_dropped(layout, make_batch):
    batch = make_batch(layout, [[]] * 5000, values=[[]] * 5000, codes=[[3, 6]] * 5000)
    hidden = PhenotypeObjective(drop=0.2).hide(batch, layout, ALL)
    num_targets = len(hidden.targets["phenotype.places"])
    assert num_targets == pytest.approx(8000, abs=4 * math.sqrt(1600))
    assert sum(hidden.visible_lengths) == len(hidden.visible) == 20_000 - (10_000 - num_targets)
    assert set(hidden.targets["phenotype.places"].tolist()) <= set(hidden.visible.tolist())


def test_the_head_has_one_output_per_entry(layout):
    assert PhenotypeObjective().head(layout) == HeadSpec(outputs=6, level="token")
    assert PhenotypeObjective(tied=True).head(layout) == HeadSpec(outputs=6, level="token", tied_to="phenotype")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_torchs_over_the_values_of_the_phenotype(layout, batch, smoothing):
    hidden = PhenotypeObjective().hide(batch, layout, ALL)
    outputs = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected = functional.cross_entropy(
        outputs[:1, 1:3], torch.tensor([1]), reduction="sum", label_smoothing=smoothing
    ) + functional.cross_entropy(outputs[1:, 3:], torch.tensor([0, 2]), reduction="sum", label_smoothing=smoothing)
    term = PhenotypeObjective(label_smoothing=smoothing).loss(outputs, hidden, layout)
    torch.testing.assert_close(term.total, expected)
    assert term.count == 3
    ours, theirs = (torch.autograd.grad(loss, outputs)[0] for loss in (term.total, expected))
    torch.testing.assert_close(ours, theirs)
    free = PhenotypeObjective(label_smoothing=smoothing, restricted=False).loss(outputs, hidden, layout)
    everything = functional.cross_entropy(outputs, torch.tensor([2, 3, 5]), reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(free.total, everything)


def test_measures_are_typed_by_hand(layout, batch):
    hidden = PhenotypeObjective().hide(batch, layout, ALL)
    outputs = torch.tensor(
        [
            [9.0, 0.0, 1.0, 8.0, 0.0, 0.0],
            [9.0, 9.0, 9.0, 0.0, 2.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    measures = PhenotypeObjective().measure(outputs, hidden, layout)
    expected = [math.log(1 + math.e) - 1, math.log(2 + math.exp(2)), math.log(3)]
    assert measures.pop("cross_entropy").tolist() == pytest.approx(expected, rel=1e-6)
    assert {name: values.tolist() for name, values in measures.items()} == {
        "correct": [True, False, False],
        "top5": [True, True, True],
        "rank_error": [0, 1, 0],
        "prediction": [2, 4, 3],
        "label": [2, 3, 5],
        "place": [1, 2, 2],
        "column": [0, 1, 1],
    }
    free = PhenotypeObjective(restricted=False).measure(outputs, hidden, layout)
    assert free["prediction"].tolist() == [0, 0, 0]
    assert free["rank_error"].tolist() == [2, 4, 0]


def test_without_phenotypes_there_is_nothing_to_ask(make_layout, make_batch):
    layout = make_layout(4)
    with pytest.raises(ConfigError, match="phenotype channel"):
        PhenotypeObjective().head(layout)
    with pytest.raises(ConfigError, match="--phenotypes"):
        PhenotypeObjective().hide(make_batch(layout, [[0]]), layout, ALL)


def test_settings_are_strict():
    with pytest.raises(pydantic.ValidationError):
        PhenotypeObjective(drop=1.1)
    assert PhenotypeObjective().draw(0, 3, 5) == MaskDraw(0, 3, 0.5)
