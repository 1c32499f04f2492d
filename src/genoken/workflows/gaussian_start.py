"""The Gaussian that a panel's linear path starts from: fitted and tuned on train samples alone, as the linear floor is."""

from __future__ import annotations

import numpy as np

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig
from genoken.data.dataset import TokenDataset
from genoken.evaluation.floors import rank_gaussian, value_gaussian
from genoken.models.panel_path import GaussianStart, has_panel_path
from genoken.workflows.pretrained import statistics_of
from genoken.workflows.pretraining_floors import packed_tokens
from genoken.workflows.pretraining_parts import drawn_to_learn_from


def gaussian_start(
    config: PretrainConfig, dataset: TokenDataset, train: np.ndarray, units: np.ndarray | None
) -> GaussianStart | None:
    """Return the start of the linear path, or ``None`` where the samples are no panels or no objective could use it.

    Parameters
    ----------
    config
        Its first objective over features says what share is hidden, ``data.fit_samples`` how many train samples are fitted on.
    dataset
        All samples.
    train
        Rows of the train samples.
    units
        Of each train sample, what the split holds out together; shrinkage is tuned on whole units left out.
    """
    layout, drawn = dataset.layout, drawn_to_learn_from(config, len(train))
    shares = [float(objective.probability) for objective in config.objectives if kind_of(objective) != "phenotype"]  # type: ignore[attr-defined]
    if not has_panel_path(layout) or not shares or len(drawn) < 10:
        return None
    tokens, value = packed_tokens(dataset.take(train[drawn])), layout.channel("value")
    units_drawn = None if units is None else units[drawn]
    if value is not None and value.kind == "scalar":
        assert tokens.values is not None  # noqa: S101
        fitted = value_gaussian(tokens.table(tokens.values, layout.num_features), shares[0], units_drawn)
    else:
        ranks = tokens.ranks if value is None else tokens.categories
        assert ranks is not None  # noqa: S101
        fitted = rank_gaussian(
            tokens.table(ranks, layout.num_features), shares[0], units_drawn, asked_for="feature" if value is None else "rank"
        )
    statistics = statistics_of(dataset.state)
    moments = (fitted.whole.mean, fitted.whole.deviation) if statistics is None else (statistics.mean, statistics.deviation)
    folds = _folds_of_all(fitted.fold_of_sample, drawn, units, len(train), len(fitted.folds))
    return GaussianStart(fitted.whole, *moments, folds=fitted.folds, fold_of_sample=folds)


def _folds_of_all(found: np.ndarray, drawn: np.ndarray, units: np.ndarray | None, num_train: int, num_folds: int) -> np.ndarray:
    """Return which Gaussian has not seen each train sample, int64 (train samples,).

    Of those that were not drawn it is the one that has not seen their unit either, or any where none has seen it.

    Parameters
    ----------
    found
        The fold of each sample that was drawn.
    drawn
        Their places in the train part.
    units
        Of each train sample, what is held out together; ``None`` when samples are independent.
    num_train, num_folds
        How many train samples and Gaussians there are.
    """
    names = np.arange(num_train) if units is None else np.unique(units, return_inverse=True)[1]
    folds = np.arange(int(names.max()) + 1) % num_folds
    folds[names[drawn]] = found
    return folds[names]
