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


def gaussian_start(config: PretrainConfig, train: TokenDataset, units: np.ndarray | None) -> GaussianStart | None:
    """Return the start of the linear path, or ``None`` where the samples are no panels or no objective could use it.

    Parameters
    ----------
    config
        Its first objective over features says what share is hidden.
    train
        The train samples.
    units
        Of each train sample, what the split holds out together; shrinkage is tuned on whole units left out.
    """
    layout = train.layout
    shares = [float(objective.probability) for objective in config.objectives if kind_of(objective) != "phenotype"]  # type: ignore[attr-defined]
    if not has_panel_path(layout) or not shares or len(train) < 10:
        return None
    tokens, value = packed_tokens(train), layout.channel("value")
    if value is not None and value.kind == "scalar":
        assert tokens.values is not None  # noqa: S101
        fitted = value_gaussian(tokens.table(tokens.values, layout.num_features), shares[0], units)
    else:
        ranks = tokens.ranks if value is None else tokens.categories
        assert ranks is not None  # noqa: S101
        fitted = rank_gaussian(
            tokens.table(ranks, layout.num_features), shares[0], units, asked_for="feature" if value is None else "rank"
        )
    statistics = statistics_of(train.state)
    moments = (fitted.whole.mean, fitted.whole.deviation) if statistics is None else (statistics.mean, statistics.deviation)
    return GaussianStart(fitted.whole, *moments, folds=fitted.folds, fold_of_sample=fitted.fold_of_sample)
