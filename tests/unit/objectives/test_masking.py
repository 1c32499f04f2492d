"""Which tokens are hidden: a pure function of seed, epoch, row, place and objective; counts, shares, schedules."""

from __future__ import annotations

import math

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.contracts import MaskDraw
from genoken.core.errors import ConfigError
from genoken.core.random import seed_for
from genoken.objectives import _masking
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.objectives.masked_value import MaskedValueObjective


def features_of(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.permutation(1000)[:length].tolist() for length in lengths]


@pytest.fixture(scope="session")
def hidden_by_row(make_layout, make_batch):
    """Return for each row the places within the sample, and the identities that now stand there; there are 1,000 features."""

    def hide(objective, samples, rows, draw):
        layout = make_layout(1000)
        batch = objective.hide(make_batch(layout, samples, rows=rows), layout, draw)
        offsets, places = batch.offsets.numpy(), batch.targets["masked_feature.places"].numpy()
        identities, bounds = batch.channels["feature"].numpy(), np.searchsorted(places, offsets)
        return {
            row: [(int(place - offsets[i]), int(identities[place])) for place in places[bounds[i] : bounds[i + 1]]]
            for i, row in enumerate(rows)
        }

    return hide


def steps(*numbers: int) -> int:
    """The hash chain in whole numbers: each number is mixed into the state of those before it."""
    state, *rest = numbers
    for number in rest:
        state = (state + number * 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state


@pytest.mark.parametrize("count", ["exact", "bernoulli"])
@pytest.mark.parametrize("same", [False, True])
def test_the_choice_is_the_one_that_the_definition_gives(hidden_by_row, count, same):
    lengths, rows, probability = [7, 1, 0, 23, 40], [4, 9, 2, 0, 77], 0.3
    objective = MaskedFeatureObjective(count=count, same_positions=same, mask_share=1.0, random_share=0.0)
    found = hidden_by_row(objective, features_of(lengths), rows, MaskDraw(5, 3, probability))
    key = seed_for(5, "mask", "masked_feature", 3)
    for row, length in zip(rows, lengths, strict=True):
        hashes = {place: steps(key, 0 if same else row, place) for place in range(1, length + 1)}
        if count == "exact":
            expected = sorted(sorted(hashes, key=hashes.get)[: math.ceil(probability * length)])
        else:
            expected = [place for place, value in hashes.items() if (value >> 11) / 2**53 < probability]
        assert [place for place, _ in found[row]] == expected


@pytest.mark.parametrize(
    ("length", "probability", "expected"),
    [
        (978, 0.1, 98),
        (10, 0.1, 1),
        (20, 0.15, 3),
        (100, 0.07, 7),
        (3, 1e-12, 1),
        (1, 0.5, 1),
        (7, 1.0, 7),
        (7, 0.0, 0),
        (0, 0.5, 0),
    ],
)
def test_the_exact_count_is_the_share_rounded_up(hidden_by_row, length, probability, expected):
    found = hidden_by_row(MaskedFeatureObjective(), features_of([length, length]), [0, 1], MaskDraw(0, 0, probability))
    assert [len(places) for places in found.values()] == [expected, expected]


def test_single_draws_hide_about_the_share(hidden_by_row):
    objective = MaskedFeatureObjective(count="bernoulli")
    found = hidden_by_row(objective, features_of([500] * 60), list(range(60)), MaskDraw(0, 0, 0.15))
    counts = [len(places) for places in found.values()]
    assert sum(counts) / 30_000 == pytest.approx(0.15, abs=4 * math.sqrt(0.15 * 0.85 / 30_000))
    assert np.var(counts) == pytest.approx(500 * 0.15 * 0.85, rel=0.75)  # single draws, not a fixed number


def test_every_place_is_as_likely(hidden_by_row):
    found = hidden_by_row(MaskedFeatureObjective(), features_of([20] * 4000), list(range(4000)), MaskDraw(0, 0, 0.25))
    counts = np.bincount([place for places in found.values() for place, _ in places], minlength=21)
    assert counts[0] == 0
    assert np.abs(counts[1:] / 4000 - 0.25).max() < 4.5 * math.sqrt(0.25 * 0.75 / 4000)


@pytest.mark.parametrize(("mask", "random"), [(0.8, 0.1), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.2)])
def test_hidden_tokens_are_masked_replaced_and_kept_in_these_shares(hidden_by_row, mask, random):
    samples = features_of([900] * 40)
    objective = MaskedFeatureObjective(mask_share=mask, random_share=random)
    found = hidden_by_row(objective, samples, list(range(40)), MaskDraw(0, 0, 0.5))
    pairs = [(identity, 3 + samples[row][place - 1]) for row, places in found.items() for place, identity in places]
    total = len(pairs)
    assert total == 18_000
    kept = sum(identity == own for identity, own in pairs) / total
    masked = sum(identity == 1 for identity, _ in pairs) / total
    for share, expected in [(masked, mask), (kept, 1 - mask - random + random / 1000)]:
        assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / total) + 2e-4)


def test_evaluation_masks_every_hidden_token_and_is_the_same_every_time(hidden_by_row):
    objective = MaskedFeatureObjective()
    draw = objective.draw(seed=3, epoch=-1, num_epochs=8)
    samples = features_of([200, 300])
    found = hidden_by_row(objective, samples, [0, 1], draw)
    assert {identity for places in found.values() for _, identity in places} == {1}
    assert found == hidden_by_row(objective, samples, [0, 1], draw)
    training = hidden_by_row(objective, samples, [0, 1], objective.draw(3, 0, 8))
    assert [place for place, _ in training[0]] != [place for place, _ in found[0]]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=7), st.sampled_from(["exact", "bernoulli"]), st.integers(0, 2), st.data())
def test_the_batch_and_its_order_change_nothing(hidden_by_row, lengths, count, epoch, data):
    objective = MaskedFeatureObjective(count=count, mask_share=0.5, random_share=0.3)
    rows, samples = list(range(10, 10 + len(lengths))), features_of(lengths)
    draw = MaskDraw(1, epoch, 0.4)
    together = hidden_by_row(objective, samples, rows, draw)
    order = data.draw(st.permutations(range(len(rows))))
    cut = data.draw(st.integers(1, len(rows) - 1))
    apart = {}
    for part in (order[:cut], order[cut:]):
        apart |= hidden_by_row(objective, [samples[i] for i in part], [rows[i] for i in part], draw)
    assert apart == together


def test_seeds_epochs_rows_and_kinds_give_independent_choices(make_layout, make_batch):
    layout = make_layout(1000, "scalar")
    features, numbers = features_of([900]), [[1.0] * 900]

    def chosen(objective, row, draw):
        batch = objective.hide(make_batch(layout, features, numbers, rows=[row]), layout, draw)
        return set(next(places for name, places in batch.targets.items() if name.endswith(".places")).tolist())

    feature, value = MaskedFeatureObjective(), MaskedValueObjective(standardize=False)
    draws = [
        chosen(feature, 0, MaskDraw(0, 0, 0.5)),
        chosen(feature, 1, MaskDraw(0, 0, 0.5)),
        chosen(feature, 0, MaskDraw(1, 0, 0.5)),
        chosen(feature, 0, MaskDraw(0, 1, 0.5)),
        chosen(feature, 0, MaskDraw(0, -1, 0.5)),
        chosen(value, 0, MaskDraw(0, 0, 0.5)),
    ]
    for one in range(len(draws)):
        for other in range(one):
            # Half of one half: 225 shared places with a deviation of 7.5.
            assert abs(len(draws[one] & draws[other]) - 225) < 35


def test_a_lower_probability_hides_fewer_of_the_same_tokens(hidden_by_row):
    for count in ("exact", "bernoulli"):
        objective = MaskedFeatureObjective(count=count)
        some, more = (
            {place for place, _ in hidden_by_row(objective, features_of([400]), [3], MaskDraw(0, 0, share))[3]}
            for share in (0.2, 0.5)
        )
        assert some < more


def test_static_masks_are_those_of_the_first_epoch():
    static, dynamic = MaskedFeatureObjective(static=True), MaskedFeatureObjective()
    assert static.draw(7, 0, 10) == static.draw(7, 5, 10) == MaskDraw(7, 0, 0.15)
    assert static.draw(7, -1, 10) == MaskDraw(7, -1, 0.15)
    assert dynamic.draw(7, 5, 10) == MaskDraw(7, 5, 0.15)


def test_the_same_places_in_every_sample_but_not_the_same_actions(hidden_by_row):
    objective = MaskedFeatureObjective(same_positions=True, mask_share=0.5, random_share=0.0)
    found = hidden_by_row(objective, features_of([300] * 5), list(range(5)), MaskDraw(0, 0, 0.2))
    places = [tuple(place for place, _ in hidden) for hidden in found.values()]
    masked = [tuple(identity == 1 for _, identity in hidden) for hidden in found.values()]
    assert len(set(places)) == 1
    assert len(places[0]) == 60
    assert len(set(masked)) == 5


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
        ("linear", [0.5, 0.4, 0.3, 0.2, 0.1, 0.1]),
        ("cosine", [0.5, 0.3 + 0.2 * math.cos(math.pi / 4), 0.3, 0.3 - 0.2 * math.cos(math.pi / 4), 0.1, 0.1]),
    ],
)
def test_schedules_go_from_the_first_to_the_final_probability(schedule, expected):
    objective = MaskedFeatureObjective(probability=0.5, final_probability=0.1, schedule=schedule)
    found = [objective.probability_at(epoch, 5) for epoch in (0, 1, 2, 3, 4, -1)]
    assert found == pytest.approx(expected)
    assert objective.probability_at(0, 1) == 0.5


def test_specials_phenotypes_and_tokens_out_of_sight_are_never_hidden(make_layout, make_batch):
    layout = make_layout(50, phenotypes=(2, 3))
    batch = make_batch(layout, [list(range(50))] * 3, codes=[[3, 5]] * 3)
    length = batch.lengths[0]
    assert length == 1 + 2 + 50 + 1
    visible = torch.tensor([token for token in range(3 * length) if token % length not in (5, 6, 7)])
    batch = type(batch)(batch.channels, batch.lengths, batch.offsets, batch.rows, {}, visible, (length - 3,) * 3)
    hidden = MaskedFeatureObjective().hide(batch, layout, MaskDraw(0, -1, 1.0))
    expected = [place + sample * length for sample in range(3) for place in range(3, 53) if place not in (5, 6, 7)]
    assert hidden.targets["masked_feature.places"].tolist() == expected
    changed = torch.nonzero(hidden.channels["feature"] != batch.channels["feature"]).flatten()
    assert changed.tolist() == expected


def test_objectives_after_one_another_ask_for_different_tokens_and_keep_their_answers(make_layout, make_batch):
    layout = make_layout(1000, "category", bins=9)
    samples = features_of([300, 200])
    bins = [[1 + feature % 8 for feature in sample] for sample in samples]
    batch = make_batch(layout, samples, bins)
    draw = MaskDraw(0, 0, 0.5)
    feature, value = MaskedFeatureObjective(hide_value=True), MaskedValueObjective(absent_swap=0.5)
    for first, second in ((feature, value), (value, feature)):
        done = second.hide(first.hide(batch, layout, draw), layout, draw)
        places = [done.targets[f"{kind}.places"] for kind in ("masked_feature", "masked_value")]
        assert not set(places[0].tolist()) & set(places[1].tolist())
        assert len(places[0]) + len(places[1]) == 150 + 100 + 75 + 50  # half, and half of what is left
        assert done.targets["masked_feature.labels"].tolist() == (batch.channels["feature"][places[0]] - 3).tolist()
        held = [set(sample) for sample in samples]
        features, labels = done.targets["masked_value.features"].tolist(), done.targets["masked_value.labels"].tolist()
        for place, found, label in zip(places[1].tolist(), features, labels, strict=True):
            sample = int(place >= batch.offsets[1])
            is_own = found == int(batch.channels["feature"][place]) - 3
            assert is_own or found not in held[sample]
            assert label == ((1 + found % 8) if is_own else 0)
        assert _masking.true_identities(done, layout).tolist() == batch.channels["feature"].tolist()


@pytest.mark.parametrize("wrong", [{"probability": 1.2}, {"probability": -0.1}, {"count": "all"}, {"weight": 0.0}, {"share": 0.1}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        MaskedFeatureObjective(**wrong)


def test_shares_above_one_are_refused():
    with pytest.raises(ConfigError, match=r"mask_share.*random_share.*1\.1"):
        MaskedFeatureObjective(mask_share=0.9, random_share=0.2)
    assert MaskedFeatureObjective(mask_share=0.9, random_share=0.1).random_share == 0.1


def test_a_channel_that_is_missing_is_named(make_layout):
    with pytest.raises(ConfigError, match=r"'masked_value' needs tokens with a value channel"):
        MaskedValueObjective().head(make_layout(5))
