"""The model against its rivals: every score with its interval, and one sentence that says who wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from genoken.core.contracts import Task
from genoken.evaluation.baseline_words import baseline_words
from genoken.evaluation.bootstrap import LEAST_GROUPS, Bootstrap, bootstrap
from genoken.evaluation.calibration import reliability
from genoken.evaluation.metrics.classification import (
    classification_metrics,
    confusion,
    per_class_table,
    predicted_codes,
    valid_probabilities,
)
from genoken.evaluation.metrics.curves import curves
from genoken.evaluation.metrics.regression import regression_metrics
from genoken.evaluation.plausibility import plausibility_note
from genoken.evaluation.within import scores_within

MODEL = "model"
"""Name of the model among the predictors."""
ENCODER_ONLY, PATH_ONLY = "without_linear_path", "linear_path_alone"
"""Predictors that are the model with one of its two summands left out: ablations, not rivals."""
SCRATCH = "scratch"
"""Predictor that is the same network without its pretraining: no rival either."""
MAIN_METRIC: dict[Task, str] = {"classification": "macro_f1", "regression": "r2"}
"""Metric that the verdict is about."""
_METRIC_WORDS = {"macro_f1": "macro-F1", "r2": "R²"}
_KNOWN_BEFORE = {"covariates_pcs": "covariates and principal components", "covariates": "covariates"}
"""Baselines that know no single feature, the one that knows most first: what goes beyond it is the headline."""
_INCREMENTS: dict[Task, tuple[str, ...]] = {"classification": ("roc_auc", "average_precision"), "regression": ("pearson",)}
"""Metrics whose increments are given beside that of the main one."""


def evaluate_predictions(  # noqa: PLR0913 - one call scores a whole run
    *,
    task: Task,
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    classes: tuple[str, ...],
    groups: np.ndarray | None,
    seed: int,
    draws: int = 1000,
    threshold: float = 0.5,
    folds: np.ndarray | None = None,
    model_words: str = "the transformer",
    strata: tuple[str, np.ndarray] | None = None,
    is_genotypes: bool = False,
) -> dict[str, Any]:
    """Score the model and its baselines on the same test samples.

    The difference is to the best baseline by macro-F1 (R² in regression). It is chosen on the test samples themselves, which favors
    the baselines: the model has to beat the luckiest of them. The model's own summands alone, where they are among the predictions,
    are scored on the same draws but are no baselines; a second sentence of the verdict says what the encoder adds to the linear
    path. So is the same network from scratch, and a sentence says what pretraining adds to it. Where a baseline knows covariates
    alone, or covariates and principal components, another sentence says what the model adds to it. Predictions of a
    cross-validation are pooled over its folds, except that ROC-AUC and average precision rank within folds, and that correlations
    are averages of those within folds.

    Parameters
    ----------
    task
        What is predicted.
    labels
        Class codes or real targets of shape (samples,).
    predictions
        ``model``, the baselines' names, and ``without_linear_path`` and ``linear_path_alone`` where the model has two summands,
        to probabilities (samples, classes) or values (samples,). ``scratch`` where the model was pretrained.
    classes
        Class names in code order; of two, the second is the positive one. Empty for regression.
    groups
        Group of each sample, or ``None`` when samples are independent.
    seed
        Seed of the run.
    draws
        Bootstrap draws.
    threshold
        Probability of the positive class from which a binary prediction is positive.
    folds
        Fold of each sample when the predictions come from a cross-validation; ``None`` otherwise.
    model_words
        What the verdict calls the model.
    strata
        Name of a column and its value in each sample, text, within which scores are given too; ``None`` for none.
    is_genotypes
        Whether scores that are too good for inherited variants are remarked on.

    Returns
    -------
    dict
        ``{"test", "verdict", "ablation", "ablation_difference"}`` as in ``docs/run-folder.md``; ``difference`` is ``None`` without
        baselines, ``ablation`` empty and ``ablation_difference`` ``None`` where the model has no linear path. ``scratch`` and
        ``scratch_difference`` are there where the same network from scratch is. In ``test``, ``increment`` and ``within`` are
        ``None`` without such a baseline or such strata, and ``plausibility`` is empty where nothing is to be remarked.
    """
    if MODEL not in predictions:
        raise ValueError(f"predictions need the key '{MODEL}'")
    labels = np.asarray(labels)
    metric = MAIN_METRIC[task]
    fold_of = None if folds is None else dict.fromkeys(predictions, np.asarray(folds))
    resampled = bootstrap(labels, predictions, task=task, groups=groups, seed=seed, draws=draws, threshold=threshold, folds=fold_of)
    scores = {
        name: scores_with_intervals(
            name, labels, predicted, resampled, task=task, classes=classes, threshold=threshold, folds=folds
        )
        for name, predicted in predictions.items()
    }
    ablation = {name: scores[name] for name in (ENCODER_ONLY, PATH_ONLY) if name in scores}
    rivals = {name: found for name, found in scores.items() if name not in (MODEL, ENCODER_ONLY, PATH_ONLY, SCRATCH)}
    best = best_baseline(rivals, metric)
    gap = None if best is None else difference(scores, resampled, MODEL, best, metric=metric, draws=draws)
    path_gap = difference(scores, resampled, MODEL, PATH_ONLY, metric=metric, draws=draws) if PATH_ONLY in scores else None
    test: dict[str, Any] = {
        "samples": len(labels),
        "groups": None if groups is None else resampled.num_units,
        "model": scores[MODEL],
        "baselines": rivals,
        "difference": None if gap is None else {"baseline": best, **gap},
        "increment": _increment(scores, resampled, task=task, draws=draws),
        "within": None,
        "plausibility": plausibility_note(task, {MODEL: scores[MODEL], **rivals}) if is_genotypes else "",
        "per_class": {},
        "confusion": {},
        "calibration": {},
        "curves": {},
    }
    if task == "classification":
        compared = {name: predicted for name, predicted in predictions.items() if name == MODEL or name in rivals}
        test |= _details(labels, compared, classes, threshold, folds)
    if strata is not None:
        column, values = strata
        known = [name for name in (MODEL, *_KNOWN_BEFORE) if name in scores]
        names = list(dict.fromkeys([*known, *([] if best is None else [best])]))
        test["within"] = scores_within(
            task=task, labels=labels, predictions=predictions, names=names, classes=classes, strata=values, column=column,
            threshold=threshold, folds=folds,
        )  # fmt: skip
    words, found = ("", {}) if best is None else (baseline_words(best, task), scores[best])
    sentences = [verdict_sentence(model_words, words, scores[MODEL], found, gap, resampled, metric=metric)]
    if path_gap is not None:
        sentences.append(ablation_sentence(scores[MODEL], scores[PATH_ONLY], path_gap, resampled, metric=metric))
    from_scratch: dict[str, Any] = {}
    if SCRATCH in scores:
        gain = difference(scores, resampled, MODEL, SCRATCH, metric=metric, draws=draws)
        from_scratch = {SCRATCH: scores[SCRATCH], "scratch_difference": gain}
        sentences += [] if gain is None else [gain_sentence("Pretraining", "the same network from scratch", gain, resampled)]
    if added := test["increment"]:
        sentences.append(gain_sentence("The model", _KNOWN_BEFORE[added["baseline"]], added, resampled))
    sentences += [test["plausibility"]] if test["plausibility"] else []
    return {
        "test": test,
        "verdict": " ".join(sentences),
        "ablation": ablation,
        "ablation_difference": None if path_gap is None else {"part": PATH_ONLY, **path_gap},
        **from_scratch,
    }


def scores_with_intervals(
    name: str,
    labels: np.ndarray,
    predicted: np.ndarray,
    resampled: Bootstrap,
    *,
    task: Task,
    classes: tuple[str, ...],
    threshold: float,
    folds: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return each metric of one predictor and, under the metric's name with ``_interval``, its interval or ``None``.

    Parameters
    ----------
    name
        The predictor's name in ``resampled``.
    labels, predicted, task, classes, threshold, folds
        As for :func:`evaluate_predictions`.
    resampled
        The draws.
    """
    if task == "classification":
        scores = classification_metrics(labels, predicted, classes=classes, threshold=threshold, folds=folds)
    else:
        scores = regression_metrics(labels, predicted, folds=folds)
    result: dict[str, Any] = {}
    for metric, value in scores.items():
        result[metric] = value
        result[f"{metric}_interval"] = None if value is None else resampled.interval(name, metric, value)
    return result


def best_baseline(scores: Mapping[str, Mapping[str, Any]], metric: str) -> str | None:
    """Return the baseline with the highest value of a metric, the first of equal ones; ``None`` when none has a value."""
    known = {name: found[metric] for name, found in scores.items() if found[metric] is not None}
    return max(known, key=lambda name: known[name]) if known else None


def difference(
    scores: Mapping[str, Mapping[str, Any]], resampled: Bootstrap, one: str, other: str, *, metric: str, draws: int
) -> dict[str, Any] | None:
    """Return one predictor's metric minus another's with its paired interval; ``None`` when either has no value.

    Returns
    -------
    dict
        ``{"metric", "value", "interval", "unit", "draws"}``.
    """
    first, second = scores[one][metric], scores[other][metric]
    if first is None or second is None:
        return None
    return {
        "metric": metric,
        "value": first - second,
        "interval": resampled.difference_interval(one, other, metric),
        "unit": resampled.unit,
        "draws": draws,
    }


def _details(
    labels: np.ndarray, predictions: Mapping[str, np.ndarray], classes: tuple[str, ...], threshold: float, folds: np.ndarray | None
) -> dict[str, Any]:
    """Return what only a classification has: tables per class, confusion, calibration, and the model's curves."""
    codes = labels.astype(np.int64)
    details: dict[str, Any] = {"per_class": {}, "confusion": {}, "calibration": {}}
    for name, given in predictions.items():
        probabilities = valid_probabilities(given, len(codes), len(classes))
        predicted = predicted_codes(probabilities, threshold)
        details["per_class"][name] = per_class_table(codes, probabilities, classes=classes, threshold=threshold, folds=folds)
        details["confusion"][name] = confusion(codes, predicted, len(classes)).tolist()
        details["calibration"][name] = reliability(codes, probabilities, predicted)
    details["curves"] = {MODEL: curves(codes, predictions[MODEL], classes=classes, folds=folds)}
    return details


def verdict_sentence(
    model: str,
    rival: str,
    model_scores: Mapping[str, Any],
    rival_scores: Mapping[str, Any],
    gap: Mapping[str, Any] | None,
    resampled: Bootstrap,
    *,
    metric: str,
) -> str:
    """Return one plain sentence on who wins.

    A win is only called when the whole interval of the difference lies on one side of zero.

    Parameters
    ----------
    model, rival
        What the two are called, in lower case as within a sentence; an empty rival when there is none.
    model_scores, rival_scores
        Their scores.
    gap
        What :func:`difference` returned.
    resampled
        The draws, for their unit and number.
    metric
        The metric that the sentence is about.
    """
    word = _METRIC_WORDS[metric]
    if gap is None:
        if model_scores[metric] is None:
            return f"{_capital(model)} has no {word} on these samples, so nothing can be compared."
        against = "no baseline was fitted" if not rival else f"{rival} has none to compare it with"
        return f"{_capital(model)} reaches {word} {model_scores[metric]:.3f}; {against}."
    numbers = _numbers(model_scores, rival_scores, gap, resampled, metric)
    if gap["interval"] is None:
        return f"{_without_interval(model, rival, gap['value'])}: {numbers}"
    low, high = gap["interval"]
    if low > 0:
        return f"{_capital(model)} beats {rival}: {numbers}"
    if high < 0:
        return f"{_capital(rival)} wins; {model} does not beat it: {numbers}"
    return f"{_capital(model)} cannot be told apart from {rival}: {numbers}"


def ablation_sentence(
    model_scores: Mapping[str, Any], path_scores: Mapping[str, Any], gap: Mapping[str, Any], resampled: Bootstrap, *, metric: str
) -> str:
    """Return one plain sentence on whether the encoder adds anything to the model's own linear path.

    Parameters
    ----------
    model_scores, path_scores
        Scores of the whole model and of its linear path alone.
    gap
        What :func:`difference` returned for the two.
    resampled
        The draws, for their unit and number.
    metric
        The metric that the sentence is about.
    """
    numbers = _numbers(model_scores, path_scores, gap, resampled, metric)
    if gap["interval"] is None:
        return f"{_without_interval('the model', 'its own linear path alone', gap['value'])}: {numbers}"
    low, high = gap["interval"]
    if low > 0:
        return f"The encoder adds to the model's own linear path: {numbers}"
    if high < 0:
        return f"The encoder makes the model's own linear path worse: {numbers}"
    return f"The model cannot be told apart from its own linear path alone: {numbers}"


def _increment(scores: Mapping[str, Mapping[str, Any]], resampled: Bootstrap, *, task: Task, draws: int) -> dict[str, Any] | None:
    """Return what the model adds to the baseline that knows most without single features; ``None`` without such a one."""
    known = next((name for name in _KNOWN_BEFORE if name in scores), None)
    if known is None:
        return None
    gap = difference(scores, resampled, MODEL, known, metric=MAIN_METRIC[task], draws=draws)
    if gap is None:
        return None
    others = {name: difference(scores, resampled, MODEL, known, metric=name, draws=draws) for name in _INCREMENTS[task]}
    return {
        "baseline": known,
        **gap,
        "others": {name: {key: gap[key] for key in ("value", "interval")} for name, gap in others.items() if gap is not None},
    }


def gain_sentence(who: str, against: str, gain: Mapping[str, Any], resampled: Bootstrap) -> str:
    """Return one plain sentence on whether one thing adds anything to another.

    Parameters
    ----------
    who
        What may add something, capitalized, such as ``Pretraining``.
    against
        What it may add to.
    gain
        What :func:`difference` returned for the model and the predictor without it.
    resampled
        The draws, for their unit and number.
    """
    value, word = _signed(gain["value"]), _METRIC_WORDS[gain["metric"]]
    if gain["interval"] is None:
        return f"{who} changes {word} by {value} against {against}; {_why_no_interval(resampled)}, so this may be chance."
    low, high = gain["interval"]
    numbers = f"{value} [{_signed(low)}, {_signed(high)}] {word}"
    if low > 0:
        return f"{who} adds {numbers} over {against}."
    if high < 0:
        return f"{who} does harm: {numbers} against {against}."
    return f"{who} does not add anything beyond chance: {numbers} over {against}."


def _numbers(one: Mapping[str, Any], other: Mapping[str, Any], gap: Mapping[str, Any], resampled: Bootstrap, metric: str) -> str:
    """Return both scores, their difference, and its interval or why there is none; a period at the end."""
    text = f"{_METRIC_WORDS[metric]} {one[metric]:.3f} against {other[metric]:.3f}, a difference of {_signed(gap['value'])}"
    if gap["interval"] is None:
        return f"{text}; {_why_no_interval(resampled)}, so this may be chance."
    low, high = gap["interval"]
    return f"{text} (95 % interval {_signed(low)} to {_signed(high)} over {resampled.num_units:,} {resampled.unit})."


def _without_interval(model: str, rival: str, value: float) -> str:
    if value == 0:
        return f"{_capital(model)} scores the same as {rival}"
    return f"{_capital(model)} scores {'higher' if value > 0 else 'lower'} than {rival}"


def _why_no_interval(resampled: Bootstrap) -> str:
    if resampled.unit == "groups" and resampled.num_units < LEAST_GROUPS:
        return f"no interval is given from fewer than {LEAST_GROUPS} groups (here {resampled.num_units})"
    return "no interval could be computed"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"
