"""A masked model against its trivial floors: means at the targets, their intervals, and one sentence that says who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genoken.evaluation._unit_draws import UnitDraws, drawn_interval
from genoken.evaluation.bootstrap import LEAST_GROUPS, percentile_interval

MODEL = "model"
LINEAR_PATH = "linear_path_alone"
_MEANS = ("cross_entropy", "correct", "top5", "rank_error", "squared_error", "negative_log_likelihood")
_METRIC_WORDS = {"cross_entropy": "cross-entropy", "squared_error": "mean squared error"}
_MEMORIZED_BELOW = 0.8
"""A train loss below this share of the held-out loss is called memorization."""
_FLOOR_WORDS = {
    "uniform": "guessing",
    "set_complement": "guessing among the missing features",
    "position_frequency": "train frequencies by rank",
    "position_frequency_by_group": "train frequencies by rank and group",
    "linear_gaussian": "a linear Gaussian over ranks",
    "linear_student": "a linear model of ranks with Student's t",
    "most_frequent": "the most frequent category",
    "most_frequent_per_feature": "the most frequent category of each feature",
    "train_mean": "each feature's train mean",
    "ridge": "ridge regression",
    "linear": "logistic regression",
    "copy_current": "the current cell itself",
    "denoised_current": "the denoised current cell",
    "mean_successor": "the mean successor",
    "type_mean_successor": "the mean successor of the cell's type",
    "knn_mean_successor": "the mean successor of similar cells",
    "ridge_successor": "ridge regression from current to next cells",
}
_OBJECTIVE_WORDS = {
    "masked_feature": "Masked features",
    "masked_value": "Masked values",
    "phenotype": "Masked phenotypes",
    "next_cell": "Next cells",
    "next_value": "Values of next cells",
}


def floor_words(name: str) -> str:
    """Return what a floor is called in a sentence."""
    return _FLOOR_WORDS.get(name, name.replace("_", " "))


def summarize(  # noqa: PLR0913 - an objective and all that it is held against
    measured: Mapping[str, np.ndarray],
    floors: Mapping[str, Mapping[str, np.ndarray]],
    rows: np.ndarray,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    phenotypes: Sequence[str] = (),
    losses: tuple[float, float] | None = None,
    train_mean: np.ndarray | None = None,
    linear_path: Mapping[str, np.ndarray] | None = None,
    notes: Sequence[str] = (),
    draws: int = 1000,
) -> dict[str, Any]:
    """Return the scores of one objective and of its floors at the same targets.

    The strongest floor is chosen on the test samples themselves, which favors the floors. Intervals resample samples, or whole
    groups, with all their targets; they are paired. With fewer than 5 of them there are none.

    Parameters
    ----------
    measured
        Measure to array (targets,), as the objective's ``measure`` returns. With ``prediction`` and ``value`` of numbers there are
        correlations, with ``prediction``, ``label`` and ``column`` there are scores by phenotype.
    floors
        Floor to measure to array (targets,).
    rows
        int64 (targets,): test sample of each target.
    seed
        Seed of the run.
    groups
        Group of each test sample, indexed by row; ``None`` when samples are independent.
    phenotypes
        Names of the phenotypes in the order of ``column``.
    losses
        Loss on train samples and on held-out ones, with the same masks and without dropout.
    train_mean
        Each feature's train mean (features,), by which values are centered; by default the predictions of the floor of this name.
    linear_path
        What the model's linear path scores alone, where it has one.
    notes
        Sentences on floors that were left out.
    draws
        Bootstrap draws.

    Returns
    -------
    dict
        ``targets``, ``samples``, ``groups``; ``metric``, the one that decides; ``model`` and ``floors``: measure to mean, and
        measure with ``_interval``; ``difference`` of the model to the strongest ``floor``; ``phenotypes``: name to predictor to
        ``accuracy`` and ``macro_f1``; ``linear_path_alone``, its scores (may be empty), and ``encoder_difference`` of the model to
        them; ``notes``; ``verdict``, some sentences, one of which is ``memorization`` (may be empty).
    """
    units = np.asarray(rows) if groups is None else np.asarray(groups).astype(str)[rows]
    resampled = UnitDraws(units, "samples" if groups is None else "groups", seed, draws)
    predictors = {MODEL: measured, **floors, **({LINEAR_PATH: linear_path} if linear_path else {})}
    metric = "cross_entropy" if "cross_entropy" in measured else "squared_error"
    draws_of: dict[str, np.ndarray | None] = {}
    scores: dict[str, dict[str, Any]] = {}
    center = floors.get("train_mean", {}).get("prediction") if train_mean is None else train_mean[measured["feature"]]
    for name, found in predictors.items():
        scores[name] = {}
        for measure in (measure for measure in _MEANS if measure in found):
            value, drawn = resampled.mean(found[measure])
            scores[name] |= {measure: value, f"{measure}_interval": drawn_interval(drawn)}
            if measure == metric:
                draws_of[name] = drawn
        if "squared_error" in found and "value" in measured:
            scores[name] |= _correlations(resampled, measured["value"], found["prediction"], center)
    rivals = [name for name in floors if scores[name].get(metric) is not None]
    best = min(rivals, key=lambda name: scores[name][metric], default=None)
    memorization = "" if losses is None else _memorization(*losses)
    difference = None if best is None else {"floor": best} | _difference(scores, draws_of, best, metric, resampled)
    of_encoder = _difference(scores, draws_of, LINEAR_PATH, metric, resampled) if linear_path else None
    sentences = [_sentence(scores, difference, resampled, metric), _encoder_sentence(scores, of_encoder), memorization, *notes]
    return {
        "targets": len(units),
        "samples": len(np.unique(rows)),
        "groups": None if groups is None else resampled.num_units,
        "metric": metric,
        "model": scores[MODEL],
        "floors": {name: scores[name] for name in floors},
        "difference": difference,
        "phenotypes": _by_phenotype(predictors, measured["column"], phenotypes) if "column" in measured else {},
        "linear_path_alone": scores.get(LINEAR_PATH, {}),
        "encoder_difference": of_encoder,
        "notes": list(notes),
        "verdict": " ".join(sentence for sentence in sentences if sentence),
        "memorization": memorization,
    }


def verdict(summaries: Mapping[str, Mapping[str, Any]], memorization: str = "") -> str:
    """Return the verdicts of all objectives, with the objective's name in front where there are several.

    Parameters
    ----------
    summaries
        Objective to what :func:`summarize` returned.
    memorization
        What :func:`memorization_in_training` returned.
    """
    if len(summaries) == 1:
        text = str(next(iter(summaries.values()))["verdict"])
    else:
        text = " ".join(f"{_OBJECTIVE_WORDS.get(kind, kind)}: {summary['verdict']}" for kind, summary in summaries.items())
    return f"{text} {memorization}".strip()


def memorization_in_training(train_loss: float, held_out_loss: float, *, best_epoch: int, same_masks: bool) -> str:
    """Return a sentence when training ended in memorization, whichever epoch's weights were kept; else nothing.

    The loss of training has dropout and the masks of training in it. Where these are the same in every epoch, they can be
    memorized, which a loss with other masks on the same samples would not show.

    Parameters
    ----------
    train_loss, held_out_loss
        Losses of the last epoch, in training and on held-out samples.
    best_epoch
        The epoch, from 0, whose weights were kept.
    same_masks
        Whether every epoch hides the same tokens.
    """
    if not train_loss < _MEMORIZED_BELOW * held_out_loss:
        return ""
    masks = ", and every epoch hides the same tokens" if same_masks else ""
    return (
        f"Training ended in memorization: in the last epoch the loss is {train_loss:.3f} in training and "
        f"{held_out_loss:.3f} on held-out samples{masks}; the weights of epoch {best_epoch + 1} are kept."
    )


def _correlations(resampled: UnitDraws, value: np.ndarray, prediction: np.ndarray, center: np.ndarray | None) -> dict[str, Any]:
    """Return the correlation of true and predicted values, and that of what is left of both without the feature's train mean."""
    value, prediction = np.asarray(value, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    found = {"correlation": (value, prediction)}
    if center is not None:
        found["centered_correlation"] = (value - center, prediction - center)
    result: dict[str, Any] = {}
    for name, pair in found.items():
        whole, drawn = resampled.correlation(*pair) if len(value) else (None, None)
        result |= {name: whole, f"{name}_interval": drawn_interval(drawn)}
    return result


def _by_phenotype(
    predictors: Mapping[str, Mapping[str, np.ndarray]], columns: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return accuracy and macro-F1 of each predictor for each phenotype; every predictor has labels in its own codes."""
    from sklearn.metrics import f1_score

    result: dict[str, dict[str, dict[str, float]]] = {}
    for column in np.unique(columns):
        chosen = columns == column
        title = names[column] if column < len(names) else str(column)
        result[title] = {}
        for name, found in predictors.items():
            if "prediction" in found and "label" in found:
                label, prediction = found["label"][chosen], found["prediction"][chosen]
                macro_f1 = float(f1_score(label, prediction, average="macro", zero_division=0))
                result[title][name] = {"accuracy": float(np.mean(label == prediction)), "macro_f1": macro_f1}
    return result


def _difference(
    scores: Mapping[str, Mapping[str, Any]],
    draws_of: Mapping[str, np.ndarray | None],
    best: str,
    metric: str,
    resampled: UnitDraws,
) -> dict[str, Any]:
    own, other = draws_of[MODEL], draws_of[best]
    return {
        "metric": metric,
        "value": scores[MODEL][metric] - scores[best][metric],
        "interval": None if own is None or other is None else percentile_interval(own - other),
        "unit": resampled.unit,
        "draws": resampled.draws,
    }


def _sentence(
    scores: Mapping[str, Mapping[str, Any]], difference: Mapping[str, Any] | None, resampled: UnitDraws, metric: str
) -> str:
    """Return one plain sentence; lower is better in both metrics, and a win is called when the whole interval is below zero."""
    word = _METRIC_WORDS[metric]
    own = scores[MODEL].get(metric)
    if difference is None or own is None:
        return (
            "Nothing was asked for in the test samples."
            if own is None
            else f"The model reaches {word} {own:.3f}; no floor was fitted."
        )
    best, value, interval = difference["floor"], difference["value"], difference["interval"]
    numbers = f"{word} {own:.3f} against {scores[best][metric]:.3f} (difference {value:+.3f}"
    if interval is None:
        ahead = "scores better than" if value < 0 else "does not beat"
        why = f"no interval is given from fewer than {LEAST_GROUPS} {resampled.unit} (here {resampled.num_units})"
        return f"The model {ahead} the strongest floor, {floor_words(best)}: {numbers}); {why}, so this may be chance."
    low, high = interval
    wins = "beats" if high < 0 else "does not beat"
    chance = ", beyond chance" if low <= 0 <= high else ""
    return (
        f"The model {wins} the strongest floor, {floor_words(best)}{chance}: {numbers}, 95 % interval {low:+.3f} to {high:+.3f} "
        f"over {resampled.num_units:,} {resampled.unit})."
    )


def _encoder_sentence(scores: Mapping[str, Mapping[str, Any]], difference: Mapping[str, Any] | None) -> str:
    """Return what the encoder adds to the linear path of its own network, lest the path's work be taken for the encoder's."""
    if difference is None or scores[MODEL].get(difference["metric"]) is None:
        return ""
    metric, value, interval = difference["metric"], difference["value"], difference["interval"]
    improves = value < 0 if interval is None else interval[1] < 0
    within = "" if interval is None else f", 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}"
    return (
        f"Its encoder {'improves' if improves else 'does not improve'} on its own linear path alone: {_METRIC_WORDS[metric]} "
        f"{scores[MODEL][metric]:.3f} against {scores[LINEAR_PATH][metric]:.3f} (difference {value:+.3f}{within})."
    )


def _memorization(train_part_loss: float, held_out_loss: float) -> str:
    if not train_part_loss < _MEMORIZED_BELOW * held_out_loss:
        return ""
    return (
        f"The model memorizes its train samples: with the same masks its loss is {train_part_loss:.3f} on them and "
        f"{held_out_loss:.3f} on held-out ones."
    )
