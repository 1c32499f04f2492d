"""A model of next cells against what is known without one, and whether it learned the direction of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from genoken.evaluation._unit_draws import UnitDraws, drawn_interval
from genoken.evaluation.bootstrap import LEAST_GROUPS
from genoken.evaluation.linear_direction import LinearControls, interval_words, linear_sentence, summarize_linear
from genoken.evaluation.masked_verdict import MODEL, floor_words
from genoken.evaluation.next_cell_floors import DENOISED
from genoken.evaluation.next_cell_scores import CellScores

Unit = Literal["groups", "blocks"]

_MEASURES = ("squared_error", "correlation", "centered_correlation", "change_correlation")
_METRIC_WORDS = {"squared_error": "mean squared error", "cross_entropy": "cross-entropy"}


@dataclass(frozen=True)
class TimeControls:
    """Losses at the same targets of the model and of the same model trained on other successors.

    Parameters
    ----------
    metric
        Which loss it is.
    true, reversed_, shuffled
        (targets,): loss of the model trained on true successors, on predecessors in their place, and on successors that were
        shuffled among the cells of a type, or of a part where types are not known; the last two are ``None`` where they were not
        trained.
    units
        (targets,): group or block of each target's cell.
    unit
        What these are.
    denoised
        (targets,): loss of the denoised current cell at the same targets, where it is known.
    linear
        Errors of ridge regression alone, trained on true and on reversed successors.
    has_types
        Whether successors were shuffled within types.
    sees_next
        Whether the models see tokens of the next cell itself: their losses then say nothing about time.
    """

    metric: Literal["squared_error", "cross_entropy"]
    true: np.ndarray
    reversed_: np.ndarray | None
    shuffled: np.ndarray | None
    units: np.ndarray
    unit: Unit
    denoised: np.ndarray | None = None
    linear: LinearControls | None = None
    has_types: bool = True
    sees_next: bool = False


def summarize_profiles(
    scores: Mapping[str, CellScores],
    units: np.ndarray,
    *,
    unit: Unit,
    seed: int,
    notes: Sequence[str] = (),
    draws: int = 1000,
) -> dict[str, Any]:
    """Return the scores of predicted profiles of a model and of its floors, all over the same cells.

    ``skill`` is one minus the mean squared error over that of the denoised current cell: 0 for what knows nothing but the present,
    1 for a perfect prediction. The strongest floor is chosen on the test cells themselves, which favors the floors. Intervals
    resample whole groups or blocks and are paired.

    Parameters
    ----------
    scores
        Predictor to measure to one value per cell, as :func:`genoken.evaluation.next_cell_scores.score_part` returns; ``model`` and
        ``denoised_current`` are among the predictors.
    units
        Group or block of each cell.
    unit
        Which of both they are.
    seed
        Seed of the run.
    notes
        Sentences on what could not be done.
    draws
        Bootstrap draws.

    Returns
    -------
    dict
        ``cells``, ``unit``, ``units`` (how many), ``metric``; ``model`` and ``floors``: measure to mean, and measure with
        ``_interval``, ``skill`` among them; ``difference`` of the model to the strongest ``floor``; ``notes``; ``verdict``.
    """
    resampled = UnitDraws(np.asarray(units).astype(str), unit, seed, draws)
    drawn = {name: resampled.mean(found["squared_error"])[1] for name, found in scores.items()}
    summary = {name: _means(found, resampled) for name, found in scores.items()}
    denoised = summary[DENOISED]["squared_error"]
    for name in scores:
        summary[name] |= _skill(summary[name]["squared_error"], drawn[name], denoised, drawn[DENOISED])
    floors = [name for name in scores if name != MODEL]
    best = min(floors, key=lambda name: summary[name]["squared_error"])
    compared = _difference(scores[MODEL]["squared_error"], scores[best]["squared_error"], resampled)
    difference = {"floor": best, "metric": "squared_error", **compared, "unit": unit, "draws": draws}
    sentences = [_skill_sentence(summary[MODEL], resampled), _floor_sentence(summary, difference), *notes]
    return {
        "cells": len(units),
        "unit": unit,
        "units": resampled.num_units,
        "metric": "squared_error",
        "model": summary[MODEL],
        "floors": {name: summary[name] for name in floors},
        "difference": difference,
        "notes": list(notes),
        "verdict": " ".join(sentence for sentence in sentences if sentence),
    }


def summarize_direction(controls: TimeControls, *, seed: int, draws: int = 1000) -> dict[str, Any]:
    """Return whether the direction of time was learned, by the controls.

    It counts as learned only if the model trained on true successors has a lower loss than the one trained on reversed ones, by
    an interval that is wholly below zero. That alone is little: predecessors differ from successors on the whole, for example
    because none of them are of the last type. So where the model is no better than the denoised current cell, a sentence says that
    what it learned does not show where cells go. Another sentence says whether ridge regression alone shows the same.

    Parameters
    ----------
    controls
        The losses of all models.
    seed
        Seed of the run.
    draws
        Bootstrap draws.

    Returns
    -------
    dict
        ``metric``, ``unit``, ``units``, ``learned`` (bool, ``None`` without reversed successors or an interval, or where the model
        sees the next cell), ``true`` (mean loss); ``reversed``, ``shuffled`` and ``denoised``: ``value`` (mean loss), its
        ``difference`` (true minus this) and the ``interval`` of that; ``linear``: what
        :func:`genoken.evaluation.linear_direction.summarize_linear` returns; each of these four may be ``None``; ``verdict``, some
        sentences.
    """
    resampled = UnitDraws(np.asarray(controls.units).astype(str), controls.unit, seed, draws)

    def against(losses: np.ndarray | None) -> dict[str, Any] | None:
        if losses is None:
            return None
        compared = _difference(controls.true, losses, resampled)
        return {"value": float(losses.mean()), "difference": compared["value"], "interval": compared["interval"]}

    in_reverse, linear = against(controls.reversed_), controls.linear
    interval = None if in_reverse is None else in_reverse["interval"]
    found = {
        "metric": controls.metric,
        "unit": controls.unit,
        "units": resampled.num_units,
        "learned": None if interval is None or controls.sees_next else bool(interval[1] < 0),
        "true": float(controls.true.mean()),
        "reversed": in_reverse,
        "shuffled": against(controls.shuffled),
        "denoised": against(controls.denoised),
        "linear": None if linear is None else summarize_linear(linear, unit=controls.unit, seed=seed, draws=draws),
    }
    return found | {"verdict": _direction_sentences(found, controls)}


def blocks_sentence(num_groups: int, num_blocks: int, made_of: Sequence[str]) -> str:
    """Return what intervals leave out that resample blocks of cells within too few groups; nothing where there are no intervals.

    Parameters
    ----------
    num_groups
        Groups that were held out, fewer than an interval needs; 0 where no groups are named.
    num_blocks
        Blocks that are resampled in their place.
    made_of
        What the cells of a block have in common: ``type``, ``time`` or both.
    """
    if not num_groups or num_blocks < LEAST_GROUPS:
        return ""
    within = f"{num_groups} {'group' if num_groups == 1 else 'groups'}"
    return f"Intervals resample blocks of {' and '.join(made_of)} within {within}; other groups would differ by more."


def leak_sentence(attention: str) -> str:
    """Return a warning for the attention that shows the model the next cell's other tokens; else nothing.

    Parameters
    ----------
    attention
        ``strict``, ``self`` or ``full``.
    """
    if attention != "full":
        return ""
    return (
        "With full attention the model sees the tokens of the next cell that are not hidden: it fills in gaps of a cell that it is "
        "shown, so its losses at the targets say nothing about how well next cells are predicted. Whole profiles are predicted "
        "with all of the next cell hidden, which it was not trained for."
    )


def _means(found: CellScores, resampled: UnitDraws) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for measure in _MEASURES:
        values = found[measure]
        value, drawn = (None, None) if np.isnan(values).any() else resampled.mean(values)
        result |= {measure: value, f"{measure}_interval": drawn_interval(drawn)}
    return result


def _skill(own: float, drawn: np.ndarray | None, denoised: float, denoised_drawn: np.ndarray | None) -> dict[str, Any]:
    if not denoised > 0:
        return {"skill": None, "skill_interval": None}
    ratios = None if drawn is None or denoised_drawn is None else 1 - drawn / denoised_drawn
    return {"skill": 1 - own / denoised, "skill_interval": drawn_interval(ratios)}


def _difference(one: np.ndarray, other: np.ndarray, resampled: UnitDraws) -> dict[str, Any]:
    value, drawn = resampled.mean(np.asarray(one, dtype=np.float64) - other)
    return {"value": value, "interval": drawn_interval(drawn)}


def _skill_sentence(model: Mapping[str, Any], resampled: UnitDraws) -> str:
    skill, interval = model["skill"], model["skill_interval"]
    if skill is None:
        return "The denoised current cell predicts next cells without any error; there is no skill above it."
    start = f"Skill over the denoised current cell is {skill:+.1%}"
    if interval is None:
        return f"{start}; no interval is given from fewer than {LEAST_GROUPS} {resampled.unit} (here {resampled.num_units})."
    low, high = interval
    meaning = (
        "better than knowing the present alone"
        if low > 0
        else "worse than the present alone"
        if high < 0
        else "no more than chance"
    )
    return f"{start}, 95 % interval {low:+.1%} to {high:+.1%} over {resampled.num_units:,} {resampled.unit}: {meaning}."


def _floor_sentence(summary: Mapping[str, Mapping[str, Any]], difference: Mapping[str, Any]) -> str:
    best, interval = difference["floor"], difference["interval"]
    wins = difference["value"] < 0 if interval is None else interval[1] < 0
    verb = "beats" if wins and interval is not None else "scores better than" if wins else "does not beat"
    chance = "" if interval is None or interval[0] > 0 or interval[1] < 0 else ", beyond chance"
    return (
        f"The model {verb} the strongest floor, {floor_words(best)}{chance}: mean squared error "
        f"{summary[MODEL]['squared_error']:.4f} against {summary[best]['squared_error']:.4f} "
        f"(difference {difference['value']:+.4f}{interval_words(interval)})."
    )


def _direction_sentences(found: Mapping[str, Any], controls: TimeControls) -> str:
    in_reverse = found["reversed"]
    numbers = f"trained on true successors the {_METRIC_WORDS[found['metric']]} is {found['true']:.4f}"
    if in_reverse is not None:
        numbers += (
            f", on reversed ones {in_reverse['value']:.4f} "
            f"(difference {in_reverse['difference']:+.4f}{interval_words(in_reverse['interval'])})"
        )
    if in_reverse is None:
        text = (
            "Whether the direction of time was learned was not checked: nothing was trained on reversed successors. "
            f"{numbers[0].upper()}{numbers[1:]}."
        )
    elif controls.sees_next:
        text = f"Whether the direction of time was learned cannot be said of models that see the next cell: {numbers}."
    elif found["learned"] is None:
        text = (
            f"Whether the direction of time was learned cannot be said from fewer than {LEAST_GROUPS} {found['unit']} "
            f"(here {found['units']}): {numbers}."
        )
    else:
        text = f"The direction of time was {'' if found['learned'] else 'not '}learned: {numbers}."
    shuffled = _shuffled_sentence(found["shuffled"], has_types=controls.has_types, sees_next=controls.sees_next)
    parts = text, linear_sentence(found["linear"], found["learned"]), shuffled, _denoised_sentence(found)
    return " ".join(part for part in parts if part)


def _shuffled_sentence(shuffled: Mapping[str, Any] | None, *, has_types: bool, sees_next: bool) -> str:
    """Return what the loss with shuffled successors is, and, as far as that can be said, what true ones teach beyond them."""
    if shuffled is None:
        return ""
    interval = shuffled["interval"]
    among, known = "among all cells", "what next cells are like"
    if has_types:
        among, known = "within cell types", "which type follows which"
    difference = f"difference {shuffled['difference']:+.4f}{interval_words(interval)}"
    numbers = f"Successors shuffled {among} give {shuffled['value']:.4f} ({difference})"
    if interval is None or sees_next:
        return f"{numbers}."
    return f"{numbers}: true ones teach {'more' if interval[1] < 0 else 'no more'} than {known}."


def _denoised_sentence(found: Mapping[str, Any]) -> str:
    """Return what takes back a learned direction that is of no use."""
    denoised = found["denoised"]
    if not found["learned"] or denoised is None or denoised["interval"][1] < 0:
        return ""
    return (
        f"But the denoised current cell alone gives {denoised['value']:.4f} (difference {denoised['difference']:+.4f}"
        f"{interval_words(denoised['interval'])}): what was learned of time does not show where cells go better than where they "
        "are."
    )
