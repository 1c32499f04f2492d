"""How important each variant is by several methods and models, put together by ranks, and how far these agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from genoken.interpretation.aggregate import spearman
from genoken.interpretation.pool import PooledMatrix


def variant_importance(scores: PooledMatrix, classes: np.ndarray) -> np.ndarray:
    """Return the mean magnitude of each variant's scores within a class, averaged over the classes, float64 (variants,).

    Every class counts alike, however many samples it has. A variant has no importance in samples whose model does not know it; NaN
    where no model of any sample does.

    Parameters
    ----------
    scores
        Matrix (samples, variants), each sample explained for its own class.
    classes
        Class of each sample, shape (samples,).
    """
    magnitudes = PooledMatrix(abs(scores.matrix), scores.models, scores.known)
    per_class, known = [], []
    for code in np.unique(classes):
        own = magnitudes.take(np.flatnonzero(classes == code))
        per_class.append(own.importance("mean"))
        known.append(own.known[np.unique(own.models)].any(axis=0))
    counts = np.sum(known, axis=0)
    total = np.where(known, per_class, 0.0).sum(axis=0)
    return np.divide(total, counts, out=np.full(len(total), np.nan), where=counts > 0)


@dataclass(frozen=True)
class VariantEnsemble:
    """The mean rank of each variant over methods and models.

    Parameters
    ----------
    score
        float64 (variants,): mean rank from 0 (lowest) to 1 (highest); NaN where no model knows the variant.
    stability
        float64 (variants,): share of the rankings, one per method and model, that have the variant among their first ``top``.
    top
        How many variants count as the first ones.
    agreement_of_models
        Mean Spearman correlation between the importances that two models give by the same method; NaN for one model.
    agreement_of_methods
        The same between two methods within a model; NaN for one method.
    """

    score: np.ndarray
    stability: np.ndarray
    top: int
    agreement_of_models: float
    agreement_of_methods: float


def rank_ensemble(importance: np.ndarray, *, top: int) -> VariantEnsemble:
    """Average the ranks of variants over methods and models.

    Parameters
    ----------
    importance
        float64 (models, methods, variants), not negative; NaN where a model does not know a variant. A model is one of a seed or of
        a fold.
    top
        How many variants count as the first ones of a ranking; of equal importances the earlier variants come first.
    """
    models, methods, variants = importance.shape
    ranks = np.stack([_ranks(row) for row in importance.reshape(-1, variants)])
    is_known = ~np.isnan(ranks)
    score = np.divide(np.nansum(ranks, axis=0), is_known.sum(axis=0), out=np.full(variants, np.nan), where=is_known.any(axis=0))
    is_first = np.stack([_first(row, top) for row in importance.reshape(-1, variants)])
    by_method = [list(importance[:, method]) for method in range(methods)]
    by_model = [list(importance[model]) for model in range(models)]
    return VariantEnsemble(score, is_first.mean(axis=0), top, _agreement(by_method), _agreement(by_model))


def _ranks(importance: np.ndarray) -> np.ndarray:
    """Return ranks between 0 and 1, ties sharing their mean rank; NaN stays."""
    from scipy.stats import rankdata

    ranks = np.full(len(importance), np.nan)
    known = ~np.isnan(importance)
    count = int(known.sum())
    ranks[known] = (rankdata(importance[known]) - 1) / max(count - 1, 1)
    return ranks


def _first(importance: np.ndarray, top: int) -> np.ndarray:
    """Return which variants are among the first, bool (variants,); one without any importance is not."""
    order = np.argsort(-np.nan_to_num(importance, nan=-1.0), kind="stable")[:top]
    chosen = np.zeros(len(importance), dtype=bool)
    chosen[order] = importance[order] > 0
    return chosen


def _agreement(families: Sequence[Sequence[np.ndarray]]) -> float:
    """Return the mean correlation over all pairs within each family; NaN where there is none."""
    found = []
    for rankings in families:
        for first, second in combinations(rankings, 2):
            shared = ~(np.isnan(first) | np.isnan(second))
            found.append(spearman(first[shared], second[shared]))
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
