"""The verdict on next cells: numbers by hand, intervals against a plain loop, and what the sentences say."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.random import generator
from genoken.evaluation.bootstrap import draw_weights
from genoken.evaluation.linear_direction import LinearControls
from genoken.evaluation.next_cell_verdict import (
    TimeControls,
    blocks_sentence,
    leak_sentence,
    summarize_direction,
    summarize_profiles,
)


def scores(**errors):
    zeros = {name: np.zeros(len(next(iter(errors.values())))) for name in ("correlation", "centered_correlation")}
    return {
        name: {"squared_error": np.array(values), **zeros, "change_correlation": np.full(len(values), np.nan)}
        for name, values in errors.items()
    }


def test_numbers_by_hand_without_an_interval():
    found = summarize_profiles(
        scores(model=[1.0, 2.0, 3.0], denoised_current=[2.0, 4.0, 6.0], ridge_successor=[1.0, 1.0, 1.0]),
        np.array(["a", "a", "b"]),
        unit="groups",
        seed=0,
        notes=["A note."],
    )
    assert (found["cells"], found["unit"], found["units"], found["metric"]) == (3, "groups", 2, "squared_error")
    assert found["model"]["squared_error"] == 2
    assert found["model"]["skill"] == 0.5
    assert found["model"]["skill_interval"] is None
    assert found["model"]["change_correlation"] is None
    assert found["floors"]["denoised_current"]["skill"] == 0
    assert found["floors"]["ridge_successor"]["skill"] == 0.75
    assert found["difference"] == {
        "floor": "ridge_successor",
        "metric": "squared_error",
        "value": 1.0,
        "interval": None,
        "unit": "groups",
        "draws": 1000,
    }
    assert found["verdict"] == (
        "Skill over the denoised current cell is +50.0%; no interval is given from fewer than 5 groups (here 2). "
        "The model does not beat the strongest floor, ridge regression from current to next cells: mean squared error 2.0000 "
        "against 1.0000 (difference +1.0000). A note."
    )


def test_the_interval_of_skill_resamples_whole_units_with_both_errors_paired():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 3, 4])
    model, denoised = rng.random(20), 1 + rng.random(20)
    found = summarize_profiles(scores(model=model, denoised_current=denoised), units, unit="blocks", seed=3, draws=200)
    weights = draw_weights(8, 200, generator(3, "bootstrap"))
    skills = []
    for draw in weights:
        drawn = np.concatenate([np.repeat(np.flatnonzero(units == unit), int(times)) for unit, times in enumerate(draw)])
        skills.append(1 - model[drawn].mean() / denoised[drawn].mean())
    assert np.allclose(found["model"]["skill_interval"], np.percentile(skills, [2.5, 97.5]))


@pytest.mark.parametrize(
    ("factor", "noise", "skill_words", "floor_words"),
    [
        (0.5, 0.0, "+50.0% to +50.0% over 20 blocks: better than knowing the present alone.", "beats the strongest floor"),
        (1.5, 0.0, "-50.0% to -50.0% over 20 blocks: worse than the present alone.", "does not beat the strongest floor, the"),
        (1.0, 0.5, "over 20 blocks: no more than chance.", "the denoised current cell, beyond chance: mean"),
    ],
)
def test_what_the_sentences_say(factor, noise, skill_words, floor_words):
    denoised = np.ones(20)
    model = factor * denoised + noise * np.tile([-1.0, 1.0], 10)
    found = summarize_profiles(scores(model=model, denoised_current=denoised), np.arange(20), unit="blocks", seed=0)
    assert skill_words in found["verdict"]
    assert floor_words in found["verdict"]


def test_without_any_error_of_the_denoised_cell_there_is_no_skill():
    found = summarize_profiles(scores(model=[1.0], denoised_current=[0.0]), np.arange(1), unit="blocks", seed=0)
    assert found["model"]["skill"] is None
    assert found["verdict"].startswith("The denoised current cell predicts next cells without any error")


def controls(true, reversed_, shuffled=None, units=None):
    units = np.arange(len(true)) if units is None else units
    return TimeControls("squared_error", np.array(true), np.array(reversed_), shuffled, units, "blocks")


def test_time_is_learned_only_if_true_successors_beat_reversed_ones_beyond_the_interval():
    rng = np.random.default_rng(0)
    true = 1 + 0.1 * rng.random(30)
    better = summarize_direction(controls(true, true + 0.2, true + 0.1), seed=0)
    assert better["learned"] is True
    assert better["true"] == pytest.approx(true.mean())
    assert better["reversed"]["difference"] == pytest.approx(-0.2)
    assert np.allclose(better["reversed"]["interval"], -0.2)
    assert better["verdict"].startswith("The direction of time was learned: trained on true successors the mean squared error is ")
    assert "(difference -0.2000, 95 % interval -0.2000 to -0.2000)." in better["verdict"]
    assert better["verdict"].endswith("true ones teach more than which type follows which.")
    noisy = true + 0.01 + 0.5 * rng.standard_normal(30)
    for losses in (noisy, true - 0.2, true):
        found = summarize_direction(controls(true, losses, losses), seed=0)
        assert found["learned"] is False
        assert found["verdict"].startswith("The direction of time was not learned: trained on true")
        assert found["verdict"].endswith("true ones teach no more than which type follows which.")


def test_a_direction_that_shows_no_more_than_the_present_is_taken_back():
    true, units = np.ones(30), np.arange(30)
    shuffled = true + 0.1
    worse = summarize_direction(TimeControls("squared_error", true, true + 0.2, shuffled, units, "blocks", true - 0.1), seed=0)
    assert worse["learned"] is True
    assert worse["denoised"] == {
        "value": pytest.approx(0.9),
        "difference": pytest.approx(0.1),
        "interval": [pytest.approx(0.1)] * 2,
    }
    assert worse["verdict"].endswith(
        "But the denoised current cell alone gives 0.9000 (difference +0.1000, 95 % interval +0.1000 to +0.1000): what was "
        "learned of time does not show where cells go better than where they are."
    )
    better = summarize_direction(TimeControls("squared_error", true, true + 0.2, None, units, "blocks", true + 0.1), seed=0)
    assert "But" not in better["verdict"]
    not_learned = summarize_direction(TimeControls("squared_error", true, true, None, units, "blocks", true - 0.1), seed=0)
    assert "But" not in not_learned["verdict"]


def test_the_verdict_says_whether_regression_alone_shows_the_same():
    true, units = np.ones(30), np.arange(30)
    linear = LinearControls(np.full(20, 0.4), np.full(20, 0.5), np.arange(20))
    found = summarize_direction(TimeControls("squared_error", true, true + 0.2, true, units, "blocks", linear=linear), seed=0)
    assert found["linear"] == {
        "true": pytest.approx(0.4),
        "reversed": pytest.approx(0.5),
        "difference": pytest.approx(-0.1),
        "interval": [pytest.approx(-0.1)] * 2,
    }
    assert found["verdict"] == (
        "The direction of time was learned: trained on true successors the mean squared error is 1.0000, on reversed ones 1.2000 "
        "(difference -0.2000, 95 % interval -0.2000 to -0.2000). Ridge regression alone shows the same: over whole profiles its "
        "mean squared error is 0.4000 on true successors, 0.5000 on reversed ones (difference -0.1000, 95 % interval -0.1000 to "
        "-0.1000), so a network is not needed to see it. Successors shuffled within cell types give 1.0000 (difference +0.0000, "
        "95 % interval +0.0000 to +0.0000): true ones teach no more than which type follows which."
    )
    missed = summarize_direction(TimeControls("squared_error", true, true, None, units, "blocks", linear=linear), seed=0)
    assert "Ridge regression alone does tell true successors from reversed ones: over whole" in missed["verdict"]
    assert summarize_direction(controls(true, true), seed=0)["linear"] is None


def test_few_units_cannot_say_whether_time_was_learned():
    found = summarize_direction(controls([1.0, 1.0], [2.0, 2.0]), seed=0)
    assert found["learned"] is None
    assert found["shuffled"] is None
    assert found["verdict"] == (
        "Whether the direction of time was learned cannot be said from fewer than 5 blocks (here 2): trained on true successors "
        "the mean squared error is 1.0000, on reversed ones 2.0000 (difference -1.0000)."
    )


def test_shuffled_successors_without_types_or_from_few_units():
    true, units = np.ones(30), np.arange(30)
    among_all = TimeControls("squared_error", true, true + 0.2, true + 0.1, units, "blocks", has_types=False)
    assert summarize_direction(among_all, seed=0)["verdict"].endswith(
        "Successors shuffled among all cells give 1.1000 (difference -0.1000, 95 % interval -0.1000 to -0.1000): true ones teach "
        "more than what next cells are like."
    )
    few = TimeControls("squared_error", true, true + 0.2, true + 0.1, units % 2, "groups")
    assert summarize_direction(few, seed=0)["verdict"].endswith(
        "(difference -0.2000). Successors shuffled within cell types give 1.1000 (difference -0.1000)."
    )


def test_a_model_that_sees_the_next_cell_learns_no_direction():
    true, units = np.ones(30), np.arange(30)
    seeing = TimeControls("squared_error", true, true + 0.2, true + 0.1, units, "blocks", true + 0.1, sees_next=True)
    found = summarize_direction(seeing, seed=0)
    assert found["learned"] is None
    assert found["verdict"] == (
        "Whether the direction of time was learned cannot be said of models that see the next cell: trained on true successors the "
        "mean squared error is 1.0000, on reversed ones 1.2000 (difference -0.2000, 95 % interval -0.2000 to -0.2000). Successors "
        "shuffled within cell types give 1.1000 (difference -0.1000, 95 % interval -0.1000 to -0.1000)."
    )


def test_without_reversed_successors_the_direction_is_not_checked_and_shuffled_ones_are_shown():
    true, units = np.ones(30), np.arange(30)
    linear = LinearControls(np.full(20, 0.4), np.full(20, 0.5), np.arange(20))
    shuffled = TimeControls("cross_entropy", true, None, true + 0.25, units, "blocks", true - 0.5, linear)
    found = summarize_direction(shuffled, seed=0)
    assert (found["learned"], found["reversed"]) == (None, None)
    assert found["shuffled"] == {"value": 1.25, "difference": -0.25, "interval": [-0.25, -0.25]}
    assert found["verdict"] == (
        "Whether the direction of time was learned was not checked: nothing was trained on reversed successors. Trained on true "
        "successors the cross-entropy is 1.0000. Ridge regression alone does tell true successors from reversed ones: over whole "
        "profiles its mean squared error is 0.4000 on true successors, 0.5000 on reversed ones (difference -0.1000, 95 % interval "
        "-0.1000 to -0.1000). Successors shuffled within cell types give 1.2500 (difference -0.2500, 95 % interval -0.2500 to "
        "-0.2500): true ones teach more than which type follows which."
    )


@pytest.mark.parametrize(
    ("num_groups", "num_blocks", "made_of", "sentence"),
    [
        (2, 5, ["type", "time"], "Intervals resample blocks of type and time within 2 groups; other groups would differ by more."),
        (1, 30, ["time"], "Intervals resample blocks of time within 1 group; other groups would differ by more."),
        (2, 4, ["type"], ""),
        (0, 30, ["type"], ""),
    ],
)
def test_blocks_within_few_groups_are_named(num_groups, num_blocks, made_of, sentence):
    assert blocks_sentence(num_groups, num_blocks, made_of) == sentence


def test_only_full_attention_leaks():
    assert leak_sentence("strict") == leak_sentence("self") == ""
    assert leak_sentence("full").startswith("With full attention the model sees the tokens of the next cell that are not hidden")
