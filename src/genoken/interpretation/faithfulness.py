"""Controls of an attribution: whether the prediction needs the top genes, and whether the ranking needs the learned weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from genoken.core.contracts import Attribution
from genoken.core.random import generator, seed_for
from genoken.interpretation.aggregate import Aggregate, gene_importance, spearman
from genoken.interpretation.subject import Subject
from genoken.models.network import Network

FRACTIONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of a sample's expressed genes that are removed."""
DRAWS = 5
"""Random orders that the ranking is compared with."""


@dataclass(frozen=True)
class Controlled:
    """Samples of one model on which its attribution is checked.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        The samples.
    classes
        Class of interest of each.
    scores
        Their attributions, CSR (rows, features of the network).
    """

    subject: Subject
    rows: np.ndarray
    classes: np.ndarray
    scores: sp.csr_matrix


def deletion_curve(
    parts: Sequence[Controlled],
    *,
    signed: bool,
    seed: int,
    fractions: tuple[float, ...] = FRACTIONS,
    draws: int = DRAWS,
) -> dict[str, list[float]]:
    """Return what remains of the prediction as each sample loses its top genes, or random ones among those that it expresses.

    A removed gene has value 0, so it is no token where only expressed genes are; the call of a removed variant is missing. In
    classification the score is the predicted probability of the class of interest, mean over samples, and the genes that speak
    most for the class go first. In regression it is ``1 - |change of the prediction|`` in standard deviations of the train target,
    and the largest magnitudes go first.
    Samples of different models are altered each under its own, and all count alike.

    Parameters
    ----------
    parts
        Samples to alter, with their models.
    signed
        Whether negative scores speak against the class.
    seed
        Seed of the random orders; each depends on the draw and the row alone.
    fractions
        Shares of the expressed genes to remove, rounded up to whole genes.
    draws
        Number of random orders.

    Returns
    -------
    dict
        Lists of one number per fraction: ``fractions``, ``importance`` (top genes), ``random`` (mean over draws), ``random_low``
        and ``random_high`` (lowest and highest draw).
    """
    curves = [_curves(part, signed=signed, seed=seed, fractions=fractions, draws=draws) for part in parts]
    remaining = np.average(curves, axis=0, weights=[len(part.rows) for part in parts])
    random = remaining[1:] if draws else np.full((1, len(fractions)), np.nan)
    return {
        "fractions": list(fractions),
        "importance": remaining[0].tolist(),
        "random": random.mean(axis=0).tolist(),
        "random_low": random.min(axis=0).tolist(),
        "random_high": random.max(axis=0).tolist(),
    }


def _curves(part: Controlled, *, signed: bool, seed: int, fractions: tuple[float, ...], draws: int) -> np.ndarray:
    """Return one model's mean scores by the ranking and by each random order, shape (1 + draws, fractions)."""
    by_magnitude = part.subject.target.task == "regression" or not signed
    values, removed = _removable(part)
    orders = [_order_by_scores(values, abs(part.scores) if by_magnitude else part.scores)] + [
        _random_order(values, part.rows, seed, draw) for draw in range(draws)
    ]
    curves = [[_remaining(part, _remove(values, order, fraction, removed)) for fraction in fractions] for order in orders]
    return np.array(curves)


def _removable(part: Controlled) -> tuple[sp.csr_matrix, float]:
    """Return values that have one entry for whatever can be removed, and the value of what is removed."""
    values = sp.csr_matrix(part.subject.dataset.take(part.rows).values, copy=True)
    if part.subject.population is None:
        values.eliminate_zeros()
        return values, 0.0
    places = np.arange(values.shape[1], dtype=np.int32)
    offsets = np.arange(len(part.rows) + 1) * values.shape[1]
    return sp.csr_matrix((values.toarray().ravel(), np.tile(places, len(part.rows)), offsets), shape=values.shape), np.nan


def _order_by_scores(values: sp.csr_matrix, scores: sp.csr_matrix) -> list[np.ndarray]:
    """Return for each row the places of its stored values, highest score first; a gene that is no token goes last."""
    orders = []
    for row in range(values.shape[0]):
        features = values.indices[values.indptr[row] : values.indptr[row + 1]]
        dense = np.full(values.shape[1], -np.inf)
        part = slice(scores.indptr[row], scores.indptr[row + 1])
        dense[scores.indices[part]] = scores.data[part]
        orders.append(np.argsort(-dense[features], kind="stable"))
    return orders


def _random_order(values: sp.csr_matrix, rows: np.ndarray, seed: int, draw: int) -> list[np.ndarray]:
    lengths = np.diff(values.indptr)
    return [generator(seed, "deletion", draw, int(row)).permutation(length) for row, length in zip(rows, lengths, strict=True)]


def _remove(values: sp.csr_matrix, orders: list[np.ndarray], fraction: float, removed: float) -> sp.csr_matrix:
    """Return the matrix with ``removed`` in place of the first ``fraction`` of each row's stored values, in the given order."""
    altered = values.copy()
    for row, order in enumerate(orders):
        # Rounding first: 0.1 x 30 is a little more than 3.
        altered.data[values.indptr[row] + order[: int(np.ceil(round(fraction * len(order), 9)))]] = removed
    altered.eliminate_zeros()
    return altered


def _remaining(part: Controlled, altered: sp.csr_matrix) -> float:
    """Return the mean score of altered samples."""
    subject, places = part.subject, np.arange(len(part.rows))
    predicted = subject.with_values(altered, part.rows).predictions(places)
    if subject.target.task == "regression":
        return float((1.0 - np.abs(predicted - subject.predictions(part.rows))).mean())
    return float(predicted[places, part.classes].mean())


def randomized_copy(network: Network, seed: int) -> Network:
    """Return a copy of the network in which the entries of every parameter are shuffled, those of the linear path too.

    Shuffling destroys what was learned and keeps the scale of each parameter, so that the copy is a network of the same
    architecture whose outputs are of the same order.
    """
    randomized = copy.deepcopy(network)
    device_free = torch.Generator().manual_seed(seed_for(seed, "randomized_weights"))
    with torch.no_grad():
        for parameter in randomized.parameters():
            order = torch.randperm(parameter.numel(), generator=device_free).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return randomized


def randomized_weights_correlation(parts: Sequence[Controlled], method: Attribution, *, aggregate: Aggregate, seed: int) -> float:
    """Return how much the ranking of a network with randomized weights resembles that of the trained one.

    The Spearman correlation between the magnitudes of the genes' importances under both, per class, over the genes that are a token
    of at least one sample of the class; mean over classes, then over models, weighted by their samples. Near 0: the ranking comes
    from what was learned. Near 1: it comes from the values and the architecture alone.

    Parameters
    ----------
    parts
        The trained networks and samples of each, with its attributions of them.
    method
        The attribution.
    aggregate
        How samples are put together.
    seed
        Seed of the randomized weights.

    References
    ----------
    Adebayo et al., "Sanity checks for saliency maps" (2018), arXiv:1810.03292.
    """
    found = [(_randomized_correlation(part, method, aggregate, seed), len(part.rows)) for part in parts]
    known = [(value, samples) for value, samples in found if not np.isnan(value)]
    return float(np.average([value for value, _ in known], weights=[samples for _, samples in known])) if known else float("nan")


def _randomized_correlation(part: Controlled, method: Attribution, aggregate: Aggregate, seed: int) -> float:
    """Return the mean correlation over the classes of one model's samples, NaN where none is known."""
    subject = part.subject
    stranger = Subject(randomized_copy(subject.network, seed), subject.dataset, subject.objective, subject.target)
    other = method.attribute(stranger, part.rows, part.classes).scores
    correlations = []
    for code in np.unique(part.classes):
        own = part.classes == code
        seen = np.unique(part.scores[own].indices)
        pair = (np.abs(gene_importance(scores[own], aggregate))[seen] for scores in (part.scores, other))
        correlations.append(spearman(*pair))
    known = [value for value in correlations if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
