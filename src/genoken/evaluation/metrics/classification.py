"""Scores of class probabilities: scikit-learn's, checked against the confusion matrix."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

from genoken.evaluation.calibration import calibration_error

CONFUSION_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")
"""Metrics that the confusion matrix decides."""
_SUM_TOLERANCE = 1e-3


def valid_probabilities(probabilities: np.ndarray, num_samples: int, num_classes: int) -> np.ndarray:
    """Return probabilities as float64 with rows that sum to exactly 1 up to rounding.

    Raises
    ------
    ValueError
        When the shape is wrong, a value is not finite or negative, or a row's sum is not 1 within 0.001.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    if found.shape != (num_samples, num_classes):
        raise ValueError(f"probabilities of shape {found.shape} for {num_samples} samples and {num_classes} classes")
    sums = found.sum(axis=1)
    if not np.isfinite(found).all() or (found < 0).any() or (np.abs(sums - 1) > _SUM_TOLERANCE).any():
        raise ValueError("probabilities must be finite, not negative, and sum to 1 in each row")
    return found / sums[:, None]


def predicted_codes(probabilities: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return the predicted class of each sample.

    With two columns: class 1 when its probability is at least ``threshold``; otherwise the class of the highest probability (the
    first of equal ones).
    """
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] >= threshold).astype(np.int64)
    return probabilities.argmax(axis=1)


def classification_metrics(
    codes: np.ndarray,
    probabilities: np.ndarray,
    *,
    classes: tuple[str, ...],
    threshold: float = 0.5,
    folds: np.ndarray | None = None,
) -> dict[str, float | None]:
    r"""Return the scalar metrics of a classification.

    ``accuracy``; ``balanced_accuracy`` (recall averaged over the classes in the truth); ``macro_f1`` (F1 averaged over the
    classes in truth or predictions); ``mcc``; ``roc_auc`` and ``average_precision`` (two classes: of class 1; more: each class
    against the rest, averaged over the classes that have both positives and negatives); ``brier`` (two classes: mean of
    :math:`(p_1 - y)^2`; more: mean over samples of :math:`\sum_c (p_c - y_c)^2`, which for two classes would be twice that);
    ``log_loss`` (natural logarithm; probabilities below 2.2e-16 count as that); ``ece`` (see
    :mod:`genoken.evaluation.calibration`); ``predicted_positive_rate`` (two classes only). A value that is not defined is
    ``None``: with a single class in the truth there is no ROC-AUC, average precision or MCC.

    Parameters
    ----------
    codes
        True classes, indices into ``classes``, of shape (samples,).
    probabilities
        Of shape (samples, classes); with two classes, class 1 is the positive one.
    classes
        Class names in code order.
    threshold
        Probability of the positive class from which a binary prediction is positive.
    folds
        Fold of each sample when they were predicted by the models of a cross-validation: ``roc_auc`` and ``average_precision`` then
        rank samples within each fold only, see :func:`ranking_scores`.

    Returns
    -------
    dict
        Metric name to value.

    Raises
    ------
    ValueError
        When there are no samples or the probabilities are none.
    AssertionError
        When scikit-learn's values disagree with the confusion matrix: a defect of genoken.
    """
    codes = np.asarray(codes, dtype=np.int64)
    if not len(codes):
        raise ValueError("there are no samples to score")
    probabilities = valid_probabilities(probabilities, len(codes), len(classes))
    predicted = predicted_codes(probabilities, threshold)
    ranking = _ranking_metrics(codes, probabilities, one_fold(codes) if folds is None else folds)
    result: dict[str, float | None] = {
        "accuracy": float(sk.accuracy_score(codes, predicted)),
        "balanced_accuracy": float(sk.recall_score(codes, predicted, labels=np.unique(codes), average="macro", zero_division=0)),
        "macro_f1": float(sk.f1_score(codes, predicted, average="macro", zero_division=0)),
        "roc_auc": ranking["roc_auc"],
        "average_precision": ranking["average_precision"],
        "mcc": float(sk.matthews_corrcoef(codes, predicted)) if np.ptp(codes) > 0 else None,
        "brier": float(np.mean(squared_errors(codes, probabilities))),
        "log_loss": float(np.mean(log_losses(codes, probabilities))),
        "ece": calibration_error(codes, probabilities, predicted),
    }
    if len(classes) == 2:
        result["predicted_positive_rate"] = float(predicted.mean())
    _check_against_confusion(result, confusion(codes, predicted, len(classes)))
    return result


def squared_errors(codes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return each sample's share of the Brier score, of shape (samples,)."""
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] - codes) ** 2
    return ((probabilities - np.eye(probabilities.shape[1])[codes]) ** 2).sum(axis=1)


def log_losses(codes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return minus the logarithm of each sample's probability of its true class, of shape (samples,)."""
    chosen = probabilities[np.arange(len(codes)), codes]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps))


def ranked_classes(codes: np.ndarray, num_classes: int) -> list[int]:
    """Return the classes that are ranked against the rest: those with positives and negatives; of two classes, class 1 only."""
    candidates = [1] if num_classes == 2 else list(range(num_classes))
    return [code for code in candidates if 0 < int((codes == code).sum()) < len(codes)]


def one_fold(codes: np.ndarray) -> np.ndarray:
    """Return the folds of samples that were all predicted by one model."""
    return np.zeros(len(codes), dtype=np.int64)


def ranking_scores(is_positive: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> tuple[float, float] | None:
    r"""Return ROC-AUC and average precision of one class against the rest, ranking samples within folds.

    The models of different folds are different functions: their scores have no common scale, and where the train part of a fold
    holds more of a class its test part holds less, so that ranking across folds puts even the majority baseline below 0.5. With
    :math:`P_f` positives and :math:`N_f` negatives in fold f,

    .. math::

        \mathrm{AUC} = \frac{\sum_f P_f N_f \mathrm{AUC}_f}{\sum_f P_f N_f}, \quad
        \mathrm{AP} = \frac{\sum_f P_f \mathrm{AP}_f}{\sum_f P_f}

    over the folds that have both; with one fold these are scikit-learn's values.

    Parameters
    ----------
    is_positive, scores, folds
        Of shape (samples,).

    Returns
    -------
    tuple of float or None
        ``None`` when no fold has both positives and negatives.
    """
    pairs = positives = area = precision = 0.0
    for fold in np.unique(folds):
        inside = folds == fold
        truth = is_positive[inside]
        num_positives, num_negatives = int(truth.sum()), int((~truth).sum())
        if num_positives and num_negatives:
            pairs += num_positives * num_negatives
            positives += num_positives
            area += num_positives * num_negatives * sk.roc_auc_score(truth, scores[inside])
            precision += num_positives * sk.average_precision_score(truth, scores[inside])
    return (float(area / pairs), float(precision / positives)) if pairs else None


def _ranking_metrics(codes: np.ndarray, probabilities: np.ndarray, folds: np.ndarray) -> dict[str, float | None]:
    every = [ranking_scores(codes == code, probabilities[:, code], folds) for code in ranked_classes(codes, probabilities.shape[1])]
    found = [scores for scores in every if scores is not None]
    if not found:
        return {"roc_auc": None, "average_precision": None}
    return {
        "roc_auc": float(np.mean([auc for auc, _ in found])),
        "average_precision": float(np.mean([precision for _, precision in found])),
    }


def confusion(codes: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix, int64 of shape (true classes, predicted classes)."""
    return np.bincount(codes * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def metrics_of_confusion(matrices: np.ndarray) -> dict[str, np.ndarray]:
    r"""Return the metrics that confusion matrices decide, for many matrices at once.

    With n samples, :math:`t_c` of class c, :math:`p_c` predicted as c and :math:`h_c` of both: accuracy :math:`\sum_c h_c / n`;
    balanced accuracy: mean of :math:`h_c / t_c` over :math:`t_c > 0`; macro-F1: mean of :math:`2 h_c / (t_c + p_c)` over
    :math:`t_c + p_c > 0`; MCC: :math:`(n \sum_c h_c - \sum_c t_c p_c) / \sqrt{(n^2 - \sum_c p_c^2)(n^2 - \sum_c t_c^2)}`, 0 when
    a single class is predicted, NaN when the truth holds a single class.

    Parameters
    ----------
    matrices
        Of shape (draws, true classes, predicted classes); each has a sample.

    Returns
    -------
    dict
        Metric name to float64 of shape (draws,).
    """
    matrices = np.asarray(matrices, dtype=np.float64)
    total = matrices.sum(axis=(1, 2))
    true, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    truth_spread = total**2 - (true**2).sum(axis=1)
    denominator = np.sqrt((total**2 - (predicted**2).sum(axis=1)) * truth_spread)
    numerator = total * hits.sum(axis=1) - (true * predicted).sum(axis=1)
    return {
        "accuracy": hits.sum(axis=1) / total,
        "balanced_accuracy": _mean_of_ratios(hits, true),
        "macro_f1": _mean_of_ratios(2 * hits, true + predicted),
        "mcc": np.divide(numerator, denominator, out=np.where(truth_spread > 0, 0.0, np.nan), where=denominator > 0),
    }


def _mean_of_ratios(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Return the mean over classes of the ratios whose denominator is positive."""
    ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0)
    return ratios.sum(axis=1) / (denominators > 0).sum(axis=1)


def _check_against_confusion(result: dict[str, float | None], matrix: np.ndarray) -> None:
    for name, values in metrics_of_confusion(matrix[None]).items():
        value = result[name]
        if not np.isclose(np.nan if value is None else value, values[0], rtol=0, atol=1e-9, equal_nan=True):
            raise AssertionError(f"{name} is {value}, but the confusion matrix says {values[0]}")


def per_class_table(
    codes: np.ndarray,
    probabilities: np.ndarray,
    *,
    classes: tuple[str, ...],
    threshold: float = 0.5,
    folds: np.ndarray | None = None,
) -> dict[str, dict[str, float | int | None]]:
    """Return the scores of each class against the rest.

    Parameters
    ----------
    codes, probabilities, classes, threshold, folds
        As for :func:`classification_metrics`.

    Returns
    -------
    dict
        Class name to ``precision`` (``None`` when never predicted), ``recall`` (``None`` without samples), ``f1`` (``None`` when
        neither), ``average_precision`` and ``roc_auc`` (``None`` without positives or negatives), ``support`` (samples) and
        ``predicted_rate`` (share of all samples).
    """
    codes = np.asarray(codes, dtype=np.int64)
    probabilities = valid_probabilities(probabilities, len(codes), len(classes))
    matrix = confusion(codes, predicted_codes(probabilities, threshold), len(classes))
    table: dict[str, dict[str, float | int | None]] = {}
    for code, name in enumerate(classes):
        hits, true, predicted = int(matrix[code, code]), int(matrix[code].sum()), int(matrix[:, code].sum())
        ranking = ranking_scores(codes == code, probabilities[:, code], one_fold(codes) if folds is None else folds)
        table[name] = {
            "precision": hits / predicted if predicted else None,
            "recall": hits / true if true else None,
            "f1": 2 * hits / (true + predicted) if true + predicted else None,
            "average_precision": ranking[1] if ranking else None,
            "roc_auc": ranking[0] if ranking else None,
            "support": true,
            "predicted_rate": predicted / len(codes),
        }
    return table
