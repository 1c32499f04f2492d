r"""Trivial floors of masked objectives: what is scored without a network, at the very same targets.

A masked model has learned something only if it beats the strongest of them. All are fitted on train alone, and get what the model
gets: the tokens of the sample that are not hidden. A token that an objective replaced or kept counts as hidden.

- ``uniform``, ``set_complement``: guessing among all, or among what is not visible in the sample: :math:`\ln k` of k missing ones.
- ``position_frequency``, ``position_frequency_by_group``: train frequencies of the features at a rank, smoothed over ranks.
- ``linear_gaussian``: ranks of all features, as normal scores, are a Gaussian vector; the hidden ones follow from the visible ones
  by linear regression, and feature m stands at place h with a probability proportional to the density of h under the conditional
  Gaussian of m. ``linear_student`` has Student's t in the Gaussian's place. Only for panels: samples that hold every feature.
- ``most_frequent``, ``most_frequent_per_feature``: train frequencies of categories.
- ``train_mean``, ``ridge``: the feature's train mean, and ridge regression on all visible values of the sample.

Where some targets ask for features that the sample does not hold (``absent_swap``), the answers are not in its tokens:
:func:`swapped_category_floors` and :func:`swapped_value_floors` learn the frequencies and means of answers from the same kind of
questions about train samples.

Those of phenotypes are in :mod:`genoken.evaluation.phenotype_floors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genoken.evaluation import _chances, _linear_floors
from genoken.evaluation._linear_floors import linear_floor_note, rank_gaussian, value_gaussian
from genoken.evaluation._packed import PackedTokens, Targets, missing_features
from genoken.evaluation._profiles import Points, Profile, fit_profile
from genoken.evaluation.phenotype_floors import Floors

__all__ = [
    "Floors",
    "PackedTokens",
    "Questions",
    "Targets",
    "category_floors",
    "feature_floors",
    "linear_floor_note",
    "rank_gaussian",
    "swapped_category_floors",
    "swapped_value_floors",
    "value_floors",
    "value_gaussian",
]

_MOST_GROUPS = 50


@dataclass(frozen=True)
class Questions:
    """What is asked about some samples, with the answers.

    Parameters
    ----------
    features
        int64 (targets,): feature that is asked for; one that the sample does not hold has category 0, or the number 0.
    answers
        Its category, int64, or its value, of shape (targets,).
    samples
        int64 (targets,): sample that it is asked about.
    """

    features: np.ndarray
    answers: np.ndarray
    samples: np.ndarray


def feature_floors(
    train: PackedTokens,
    test: PackedTokens,
    targets: Targets,
    num_features: int,
    *,
    groups_train: np.ndarray | None = None,
    groups_test: np.ndarray | None = None,
    restricted: bool,
    units_train: np.ndarray | None = None,
) -> Floors:
    """Return what trivial rules score at "which feature stands here".

    Parameters
    ----------
    train, test
        Complete tokens of both parts.
    targets
        Which tokens of ``test`` are asked for.
    num_features
        Size of the vocabulary.
    groups_train, groups_test
        Group of each sample, for example the cell line, for rank profiles by group.
    restricted
        Whether the model is told which features are missing from the visible ones.
    units_train
        Of each train sample, what the split holds out together; floors are tuned on whole units left out.

    Returns
    -------
    dict
        Floor to ``cross_entropy``, ``correct`` and ``top5`` of each target. Where a floor guesses among several, ``correct`` and
        ``top5`` are the chance of a hit.
    """
    labels = test.features[targets.places]
    per_sample = targets.per_sample(test)
    num_missing = np.empty(len(labels))
    for sample, own in enumerate(per_sample):
        num_missing[own] = len(missing_features(test, targets, sample, num_features))
    floors = {
        "uniform": _chances.uniform(num_missing if restricted else np.full(len(labels), num_features)),
        "set_complement": _chances.uniform(num_missing),
    }
    num_places = int(train.ranks[train.feature_places].max(initial=0)) + 1
    points = Points.of(train, train.ranks)
    ranks = test.ranks[targets.places]

    def frequencies(chosen: Points, units: np.ndarray | None, positions: np.ndarray) -> dict[str, np.ndarray]:
        profile = fit_profile(chosen, num_features, num_places, over="features", units=units)
        if not restricted:
            return _chances.from_table(profile.log_probabilities.T, profile.bins(ranks[positions]), labels[positions])
        return _among_missing(profile, test, targets, num_features, positions)

    floors["position_frequency"] = frequencies(points, units_train, np.arange(len(labels)))
    if groups_train is not None and groups_test is not None:
        groups = np.unique(groups_test)
        if len(groups) <= _MOST_GROUPS and np.isin(groups, groups_train).all():
            of_targets = groups_test[test.samples[targets.places]]
            floors["position_frequency_by_group"] = _by_group(frequencies, points, groups_train, units_train, of_targets, groups)
    if train.is_panel(num_features) and test.is_panel(num_features) and not linear_floor_note(train, test, targets, num_features):
        floors |= _linear_floors.linear_ranks(
            train.table(train.ranks, num_features),
            test.table(test.ranks, num_features),
            [labels[own] for own in per_sample],
            units_train,
            asked_for="feature",
        )
    return floors


def category_floors(
    train: PackedTokens,
    test: PackedTokens,
    targets: Targets,
    num_features: int,
    num_categories: int,
    *,
    units_train: np.ndarray | None = None,
) -> Floors:
    """Return what trivial rules score at "which bin or rank does this feature have here".

    Where samples are panels whose categories are ranks, each once, what is missing is known here too: there is ``set_complement``,
    and ``linear_gaussian`` chooses among the missing ranks.

    Parameters
    ----------
    train, test, targets, num_features, units_train
        As for :func:`feature_floors`; both parts have categories.
    num_categories
        Number of categories, in their order.
    """
    known, asked = _required(train.categories), _required(test.categories)
    labels, features = asked[targets.places], test.features[targets.places]
    if len(labels) and (labels.min() < 0 or labels.max() >= num_categories):
        raise ValueError("targets need a category")
    floors = _category_frequencies(Points.of(train, known), features, labels, num_features, num_categories, units_train)
    if all(_are_permutations(part, num_features, num_categories) for part in (train, test)):
        per_sample = np.diff(np.searchsorted(targets.places, test.offsets))
        floors["set_complement"] = _chances.uniform(np.repeat(per_sample, per_sample))
        if not linear_floor_note(train, test, targets, num_features):
            floors |= _linear_floors.linear_ranks(
                train.table(known, num_features),
                test.table(asked, num_features),
                [features[own] for own in targets.per_sample(test)],
                units_train,
                asked_for="rank",
            )
    return floors


def swapped_category_floors(
    train: Questions, test: Questions, num_features: int, num_categories: int, *, units_train: np.ndarray | None = None
) -> Floors:
    """Return what trivial rules score at "which bin does this feature have here, if any".

    Parameters
    ----------
    train, test
        What is asked about the samples of both parts.
    num_features, num_categories, units_train
        As for :func:`category_floors`.
    """
    points = Points(train.features, train.answers, train.samples)
    return _category_frequencies(points, test.features, test.answers, num_features, num_categories, units_train)


def swapped_value_floors(train: Questions, test: Questions, num_features: int) -> Floors:
    """Return what each feature's mean answer in train scores at "which value does this feature have here, if any"."""
    predicted = _means(train.features, train.answers.astype(np.float64), num_features)[test.features]
    return {"train_mean": {"prediction": predicted, "squared_error": (predicted - test.answers) ** 2}}


def _category_frequencies(
    points: Points,
    features: np.ndarray,
    labels: np.ndarray,
    num_features: int,
    num_categories: int,
    units: np.ndarray | None,
) -> Floors:
    """Return what guessing and the frequencies of the points' categories, of all and by feature, score at some targets."""
    overall = np.bincount(points.places, minlength=num_categories) + 0.5
    by_feature = fit_profile(points, num_features, num_categories, over="places", units=units).log_probabilities
    return {
        "uniform": _chances.uniform(np.full(len(labels), num_categories)),
        "most_frequent": _chances.from_table(np.log(overall / overall.sum())[None], np.zeros(len(labels), np.int64), labels),
        "most_frequent_per_feature": _chances.from_table(by_feature, features, labels),
    }


def value_floors(
    train: PackedTokens,
    test: PackedTokens,
    targets: Targets,
    num_features: int,
    *,
    units_train: np.ndarray | None = None,
) -> Floors:
    """Return what trivial rules score at "which value does this feature have here".

    Where samples hold expressed features only, a feature without a token has the value 0 for ``ridge``, and its predictions are put
    on the scale of expressed values by a regression of its own on train.

    Parameters
    ----------
    train, test, targets, num_features, units_train
        As for :func:`feature_floors`; both parts have values.

    Returns
    -------
    dict
        Floor to ``prediction`` and ``squared_error`` of each target. ``ridge`` is absent where :func:`linear_floor_note` says why.
    """
    known, asked = _required(train.values).astype(np.float64), _required(test.values).astype(np.float64)
    truth, features = asked[targets.places], test.features[targets.places]
    means = _means(train.features[train.feature_places], known[train.feature_places], num_features)
    predictions = {"train_mean": means[features]}
    if not linear_floor_note(train, test, targets, num_features):
        is_panel = train.is_panel(num_features) and test.is_panel(num_features)
        present = None if is_panel else train.table(np.ones(len(known)), num_features) > 0
        hidden = [features[own] for own in targets.per_sample(test)]
        share = len(truth) / max(len(test.feature_places), 1)
        tables = train.table(known, num_features), test.table(asked, num_features)
        predictions["ridge"] = _linear_floors.ridge(*tables, hidden, share, means, present, units_train)
    return {name: {"prediction": found, "squared_error": (found - truth) ** 2} for name, found in predictions.items()}


def _required(channel: np.ndarray | None) -> np.ndarray:
    if channel is None:
        raise ValueError("the tokens lack the channel that is asked for")
    return channel


def _among_missing(
    profile: Profile, test: PackedTokens, targets: Targets, num_features: int, positions: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the measures of a profile at some targets, normalized over the features that are missing from each sample."""
    is_asked = np.zeros(len(targets.places), dtype=bool)
    is_asked[positions] = True
    parts = []
    for sample, own in enumerate(targets.per_sample(test)):
        places = targets.places[own[is_asked[own]]]
        if len(places):
            features = missing_features(test, targets, sample, num_features)
            weights = profile.log_probabilities[np.ix_(features, profile.bins(test.ranks[places]))].T
            parts.append(_chances.among(weights, np.searchsorted(features, test.features[places])))
    return _chances.joined(parts)


def _by_group(
    frequencies: Callable[[Points, np.ndarray | None, np.ndarray], dict[str, np.ndarray]],
    points: Points,
    groups_train: np.ndarray,
    units_train: np.ndarray | None,
    groups_of_targets: np.ndarray,
    groups: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the measures of each group's own profile at its targets."""
    result = {name: np.empty(len(groups_of_targets)) for name in _chances.MEASURES}
    for group in groups:
        in_group = groups_train == group
        chosen = points.take(in_group[points.samples])
        renumbered = Points(chosen.features, chosen.places, (np.cumsum(in_group) - 1)[chosen.samples])
        positions = np.flatnonzero(groups_of_targets == group)
        units = None if units_train is None else units_train[in_group]
        for name, found in frequencies(renumbered, units, positions).items():
            result[name][positions] = found
    return result


def _are_permutations(tokens: PackedTokens, num_features: int, num_categories: int) -> bool:
    """Return whether samples are panels in which each category stands exactly once."""
    if num_features != num_categories or not tokens.is_panel(num_features):
        return False
    ranks = np.sort(tokens.table(_required(tokens.categories), num_features), axis=1)
    return bool((ranks == np.arange(num_categories)).all())


def _means(features: np.ndarray, values: np.ndarray, num_features: int) -> np.ndarray:
    """Return each feature's mean over its tokens; a feature without any gets the mean over all tokens."""
    counts = np.bincount(features, minlength=num_features)
    sums = np.bincount(features, weights=values, minlength=num_features)
    overall = float(values.mean()) if len(values) else 0.0
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall)
