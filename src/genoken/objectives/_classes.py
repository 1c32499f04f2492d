"""Scores of one class among several, some of which may be ruled out by a logit of minus infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return ``-(1 - s) log p_label - s mean log p`` of each target, the mean over the classes that are not ruled out.

    Parameters
    ----------
    logits
        Shape (targets, classes).
    labels
        int64 of shape (targets,).
    smoothing
        ``s``, the share of the target that is spread evenly.
    """
    from torch.nn import functional

    if not smoothing:
        return functional.cross_entropy(logits.float(), labels, reduction="none")
    log_probabilities = logits.float().log_softmax(dim=1)
    possible = logits.isfinite()
    even = log_probabilities.masked_fill(~possible, 0.0).sum(dim=1) / possible.sum(dim=1)
    picked = log_probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
    return -(1 - smoothing) * picked - smoothing * even


def class_measures(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return ``cross_entropy``, ``correct``, ``top5``, ``rank_error``, ``prediction`` and ``label`` of each target.

    ``rank_error`` is the number of logits above the label's. Among equal logits the lower class comes first, so that a model
    without an opinion is not right.
    """
    import torch

    logits = logits.float()
    own = logits.gather(1, labels.unsqueeze(1))
    above = (logits > own).sum(dim=1)
    classes = torch.arange(logits.shape[1], device=logits.device)
    before = ((logits == own) & (classes < labels.unsqueeze(1))).sum(dim=1)
    return {
        "cross_entropy": cross_entropy(logits, labels),
        "correct": above + before == 0,
        "top5": above + before < 5,
        "rank_error": above,
        "prediction": logits.argmax(dim=1),
        "label": labels,
    }
