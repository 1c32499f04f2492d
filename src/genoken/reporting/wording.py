"""Plain words for metrics, baselines and numbers, and names made safe for plots."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

NOT_COMPUTED = "–"
"""What a table shows for a value that could not be computed."""


@dataclass(frozen=True)
class Metric:
    """How a metric is called and read.

    Parameters
    ----------
    title
        Name for readers.
    hint
        One sentence on what it measures.
    higher_is_better
        Direction; ``None`` for a metric without one.
    """

    title: str
    hint: str
    higher_is_better: bool | None = True


METRICS: dict[str, Metric] = {
    "accuracy": Metric("Accuracy", "Share of samples predicted correctly; large classes dominate it."),
    "balanced_accuracy": Metric(
        "Balanced accuracy", "Recall averaged over classes, so that small classes count as much as large ones."
    ),
    "macro_f1": Metric("Macro F1", "F1 (harmonic mean of precision and recall) averaged over classes."),
    "roc_auc": Metric("ROC AUC", "Chance that a sample of a class is ranked above one of another class; 0.5 is guessing."),
    "average_precision": Metric("Average precision", "Area under the precision-recall curve, averaged over classes."),
    "mcc": Metric("Matthews correlation", "Correlation of true and predicted classes; 0 is guessing, 1 is perfect."),
    "brier": Metric("Brier score", "Mean squared error of the probabilities; lower is better.", higher_is_better=False),
    "log_loss": Metric("Log loss", "Mean of −ln(probability of the true class); lower is better.", higher_is_better=False),
    "ece": Metric("Calibration error (ECE)", "Mean gap between confidence and accuracy; lower is better.", higher_is_better=False),
    "predicted_positive_rate": Metric("Predicted positive", "Share of samples predicted as positive.", higher_is_better=None),
    "r2": Metric("R²", "Share of the label's variance that is explained; 0 is the mean of the test labels."),
    "pearson": Metric("Pearson correlation", "Linear correlation of true and predicted values."),
    "spearman": Metric("Spearman correlation", "Rank correlation of true and predicted values."),
    "mae": Metric(
        "Mean absolute error", "Mean distance to the true value, in the label's unit; lower is better.", higher_is_better=False
    ),
    "rmse": Metric("Root mean squared error", "Like the mean absolute error, but large errors weigh more.", higher_is_better=False),
    "precision": Metric("Precision", "Of the samples predicted as this class, the share that belong to it."),
    "recall": Metric("Recall", "Of the samples of this class, the share that were found."),
    "f1": Metric("F1", "Harmonic mean of precision and recall."),
    "support": Metric("Samples", "Test samples of this class.", higher_is_better=None),
    "predicted_rate": Metric("Predicted", "Share of all test samples that were predicted as this class.", higher_is_better=None),
    "cross_entropy": Metric("Cross-entropy", "Mean of −ln(probability of the truth); lower is better.", higher_is_better=False),
    "correct": Metric("Hits", "Share of the targets whose first guess is right."),
    "top5": Metric("Hits in the first five", "Share of the targets that are among the first five guesses."),
    "rank_error": Metric("Rank error", "Mean number of candidates ranked above the truth; 0 is best.", higher_is_better=False),
    "skill": Metric(
        "Skill", "One minus the squared error over that of the denoised current cell: 0 is knowing the present alone, 1 is perfect."
    ),
    "squared_error": Metric("Mean squared error", "Mean squared distance to the true value.", higher_is_better=False),
    "negative_log_likelihood": Metric(
        "Negative log-likelihood", "Mean of −ln(probability of the count); lower is better.", higher_is_better=False
    ),
    "correlation": Metric("Correlation", "Linear correlation of true and predicted values over all features together."),
    "centered_correlation": Metric(
        "Correlation, gene-centered", "The same after each gene's train mean is taken off, which alone correlates highly."
    ),
    "change_correlation": Metric(
        "Correlation of changes",
        "Of predicted and true changes from the denoised current cell; compare it with that of the floors.",
    ),
    "loss": Metric("Loss", "What training minimizes; lower is better.", higher_is_better=False),
}
"""Metrics that genoken knows, in the order in which they are shown."""

_PREDICTORS = {
    "model": "Model",
    "majority": "Majority class",
    "mean": "Mean of training labels",
    "linear": "Logistic regression",
    "pca_linear": "PCA + logistic regression",
    "boosting": "Gradient boosting",
    "covariates": "Covariates alone",
    "covariates_pcs": "Covariates + ancestry PCs",
    "gblup": "GBLUP",
    "elastic_net": "Elastic net",
    "linear_network": "Linear network",
    "without_linear_path": "Encoder alone",
    "linear_path_alone": "Linear path alone",
    "scratch": "The same from scratch",
    "logistic": "Logistic regression",
    "logistic_regression": "Logistic regression",
    "pca_logistic": "PCA + logistic regression",
    "ridge": "Ridge regression",
    "pca_ridge": "PCA + ridge regression",
    "knn": "k-nearest neighbors",
    "nearest_neighbors": "k-nearest neighbors",
    "mlp": "Multilayer perceptron",
    "uniform": "Guessing",
    "set_complement": "Guessing among the missing",
    "position_frequency": "Train frequency by rank",
    "position_frequency_by_group": "Train frequency by rank and group",
    "linear_gaussian": "Linear Gaussian over ranks",
    "linear_student": "Linear model of ranks, Student's t",
    "most_frequent": "Most frequent category",
    "most_frequent_per_feature": "Most frequent per feature",
    "train_mean": "Train mean of each feature",
    "copy_current": "Copy of the current cell",
    "denoised_current": "Denoised current cell",
    "mean_successor": "Mean successor",
    "type_mean_successor": "Mean successor of the type",
    "knn_mean_successor": "Mean successor of neighbors",
    "ridge_successor": "Ridge to the next cell",
}

_OBJECTIVES = {
    "masked_feature": "Masked features",
    "masked_value": "Masked values",
    "phenotype": "Masked phenotypes",
    "next_cell": "Next cells",
    "next_value": "Values of next cells",
}


def metric(name: str) -> Metric:
    """Return how a metric is called; an unknown one keeps its own name, with underscores as spaces."""
    return METRICS.get(name) or Metric(name.replace("_", " ").capitalize(), "", None)


def predictor(name: str) -> str:
    """Return how the model or a baseline is called."""
    return _PREDICTORS.get(name) or plain(name.replace("_", " ")).capitalize()


def objective(kind: str) -> str:
    """Return how an objective of pretraining is called."""
    return _OBJECTIVES.get(kind) or plain(kind.replace("_", " ")).capitalize()


def predictor_in_text(name: str) -> str:
    """Return how a baseline is called in the middle of a sentence: ``logistic regression``, but ``PCA + logistic regression``."""
    title = predictor(name)
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


_SPLIT_KINDS = {
    "auto": "chosen from the data",
    "group": "whole groups held out",
    "folds": "folds",
    "random": "samples at random",
    "column": "given in the data",
}


_RANKINGS = {
    "ensemble": "Network: mean rank",
    "glm": "Single-variant regressions",
    "glm_without_components": "Regressions without principal components",
    "pip": "SuSiE (within the loci)",
    "permuted": "Network of permuted labels",
}


def ranking(name: str) -> str:
    """Return how a ranking of variants is called: what networks, regressions or fine-mapping make of them."""
    return _RANKINGS.get(name) or f"Network: {plain(name.replace('_', ' '))}"


def split_words(kind: Any, group: Any, folds: Any) -> str:
    """Return in a few words how samples were split, from the kind of split, the group column and the number of folds."""
    several = is_number(folds) and folds > 1
    if kind in {"folds", "auto", "group"} and group:
        words = f"whole groups ('{shorten(group, 40)}') held out"
    elif kind in {"folds", "auto"}:
        words = "samples held out at random"
    else:
        words = _SPLIT_KINDS.get(str(kind)) or plain(kind or "unknown").replace("_", " ")
    return f"{words}, {folds}-fold cross-validation" if several else words


def natural_order(text: str) -> list[tuple[int, str]]:
    """Return a sort key by which ``donor 2`` comes before ``donor 10``."""
    # the split alternates between other characters and digits
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(re.split(r"(\d+)", text))]


def metric_names(scores: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a score section, known ones first and in the order of :data:`METRICS`; intervals are left out."""
    own = [name for name in scores if not name.endswith("_interval")]
    known = list(METRICS)
    return sorted(own, key=lambda name: (known.index(name) if name in known else len(known), own.index(name)))


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether ``value`` is a finite number (booleans are not numbers)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Return a number for readers, with ``digits`` decimals below 100; what is not a finite number becomes a dash."""
    if not is_number(value):
        return NOT_COMPUTED
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if value != 0 and abs(value) < 0.5 * 10**-digits:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: Any, digits: int = 3) -> str:
    """Return a difference with its sign."""
    text = number(value, digits)
    return f"+{text}" if is_number(value) and value > 0 else text


def count(value: Any, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is one: ``1 sample``, ``2 classes``."""
    if value == 1:
        return f"1 {noun}"
    return f"{number(value)} {noun}{'es' if noun.endswith('s') else 's'}"


def percent(share: Any, digits: int = 1) -> str:
    """Return a share in [0, 1] as a percentage."""
    return f"{100 * share:.{digits}f} %" if is_number(share) else NOT_COMPUTED


def signed_percent(share: Any, digits: int = 1) -> str:
    """Return a share of any size as a percentage with its sign."""
    return f"{signed(100.0 * share, digits)} %" if is_number(share) else NOT_COMPUTED


def interval(bounds: Sequence[Any] | None, digits: int = 3) -> str:
    """Return an interval as ``0.71 to 0.83``, or an empty text when there is none."""
    if bounds is None or len(bounds) != 2 or not all(is_number(bound) for bound in bounds):
        return ""
    return f"{number(bounds[0], digits)} to {number(bounds[1], digits)}"


def contrast_sentence(name: str, held_out: Mapping[str, Any], at_random: Mapping[str, Any]) -> str:
    """Return in one or two sentences whether random samples score better than whole groups that are held out.

    Parameters
    ----------
    name
        Metric.
    held_out, at_random
        Scores of the same model under either split.
    """
    mine, theirs = held_out.get(name), at_random.get(name)
    if not (is_number(mine) and is_number(theirs)):
        return f"The same model was also scored on random samples, but {metric(name).title} is not known of both."
    start = (
        f"On random samples instead of whole groups, {metric(name).title} of the same model is {number(theirs)}, not {number(mine)}"
    )
    gain = round(mine - theirs if metric(name).higher_is_better is False else theirs - mine, 3)
    if gain <= 0:
        return f"{start}, so no better: no leak shows here."
    bounds = held_out.get(f"{name}_interval")
    if bounds and interval(bounds) and bounds[0] <= theirs <= bounds[1]:
        return (
            f"{start}: better by {number(gain)}, but within the 95 % interval of the score on whole groups, so this may be chance."
        )
    doubt = "" if interval(bounds) else " How much of it is chance is not known, because there is no interval."
    return (
        f"{start}: too good by {number(gain)}, because samples of the same groups were in training.{doubt} Only the split by "
        "groups says what to expect of a new group."
    )


def plain(text: Any) -> str:
    """Return text on one line: runs of white space become one space, control characters go."""
    return "".join(character for character in " ".join(str(text).split()) if character.isprintable())


def shorten(text: Any, limit: int = 26) -> str:
    """Return text of at most ``limit`` characters; the middle of a longer one is cut, as ends often tell names apart."""
    line = plain(text)
    if len(line) <= limit:
        return line
    tail = limit // 3
    return f"{line[: limit - tail - 1].rstrip()}…{line[-tail:].lstrip()}"


def plot_text(text: Any, limit: int = 26) -> str:
    """Return a name for plotly, which reads its texts as HTML: shortened, then escaped."""
    return html.escape(shorten(text, limit), quote=False)
