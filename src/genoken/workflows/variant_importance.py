"""How important each variant is to a run's networks: by several methods, folds and seeds, and under permuted labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from genoken.core.calls import Calls
from genoken.core.components import resolve
from genoken.core.samples import Samples
from genoken.data.genotypes.imputation import imputed
from genoken.interpretation.attributed import attribute_draw
from genoken.interpretation.block_variants import shared_importance
from genoken.interpretation.draw import Part, draw_samples
from genoken.interpretation.variant_ensemble import VariantEnsemble, rank_ensemble, variant_importance
from genoken.tokenizers._haplotypes import block_of_variants
from genoken.workflows.fold import Course
from genoken.workflows.inputs import Study
from genoken.workflows.own_samples import fold_parts
from genoken.workflows.store import FittedModel
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variant_refits import permuted, refit

OF_BLOCKS = (
    "The network sees haplotypes of blocks: a block's importance goes to its variants as far as their copies correlate with its "
    "scores, beside the others of the block."
)
"""Sentence beside the importance of the variants of blocks."""


@dataclass(frozen=True)
class ExplainedRun:
    """The networks of a run with the samples that they were fitted and tested on.

    Parameters
    ----------
    models
        The network of each fold.
    courses
        How long each was trained.
    study, folds
        Samples, and words of shape (folds, samples).
    """

    models: Sequence[FittedModel]
    courses: Sequence[Course]
    study: Study
    folds: np.ndarray

    @property
    def parts(self) -> list[Part]:
        """Each network with its test samples."""
        return fold_parts(self.models, self.study, self.folds, by_group=False)


@dataclass(frozen=True)
class PermutedNull:
    """What networks make of labels that have nothing to do with the genotypes.

    Parameters
    ----------
    refits
        Networks fitted on permuted labels; 0 for none.
    importance
        float64 (methods, variants): the largest importance of a variant in any of them; NaN where they know it not.
    observed
        float64 (methods, variants): importance in the network that was fitted on the same fold with the true labels.
    """

    refits: int
    importance: np.ndarray
    observed: np.ndarray

    @property
    def largest(self) -> np.ndarray:
        """The largest importance of any variant, float64 (methods,); 0 without refits."""
        return np.nanmax(self.importance, axis=1, initial=0.0)

    @property
    def above(self) -> np.ndarray:
        """Which variants have more than the largest importance under permuted labels, bool (methods, variants)."""
        return self.observed > self.largest[:, None]


@dataclass(frozen=True)
class Importance:
    """Importance of variants.

    Parameters
    ----------
    methods
        Kinds of the methods.
    by_model
        float64 (models, methods, variants); a model is one of a fold and a seed.
    ensemble
        Ranks over methods and models.
    null
        The same under permuted labels.
    notes
        Sentences on what the importance is.
    """

    methods: tuple[str, ...]
    by_model: np.ndarray
    ensemble: VariantEnsemble
    null: PermutedNull
    notes: tuple[str, ...] = ()

    @property
    def by_method(self) -> np.ndarray:
        """Mean over the models that know a variant, float64 (methods, variants); NaN where none does."""
        known = ~np.isnan(self.by_model)
        total = np.where(known, self.by_model, 0.0).sum(axis=0)
        return np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0))


def importance_of_variants(
    explained: ExplainedRun,
    feature_ids: Sequence[str],
    options: VariantOptions,
    on_step: Callable[[], None] = lambda: None,
) -> Importance:
    """Explain the test samples of each fold by its network and by refits with other seeds, each sample for its own class.

    Parameters
    ----------
    explained
        Networks and samples.
    feature_ids
        The variants, in the order of the results.
    options
        Methods, seeds and refits on permuted labels.
    on_step
        Called after each network that has been explained, :func:`num_steps` times.
    """
    study, folds, courses = explained.study, explained.folds, explained.courses
    methods = _usable(options.methods, explained.parts[0])
    by_model = []
    for model, words, course in zip(explained.models, folds, courses, strict=True):
        for seed in range(options.seeds):
            network = refit(model.config, study, words, course, "seed", seed) if seed else model
            by_model.append(_explained(network, study, words, methods, feature_ids))
            on_step()
    importance, config = np.full((len(methods), len(feature_ids)), np.nan), explained.models[0].config
    for draw in range(1, options.null + 1):
        stranger = permuted(study, folds[0], strata=options.strata, seed=config.training.seed, draw=draw)
        network = refit(config, stranger, folds[0], courses[0], "permuted", draw)
        found = _explained(network, stranger, folds[0], methods, feature_ids)
        importance = np.fmax(importance, found)
        on_step()
    whole = np.stack(by_model)
    null = PermutedNull(options.null, importance, whole[0])
    notes = () if block_of_variants(explained.models[0].state.facts) is None else (OF_BLOCKS,)
    return Importance(methods, whole, rank_ensemble(whole, top=options.top), null, notes)


def num_steps(num_folds: int, options: VariantOptions) -> int:
    """Return how many networks are explained."""
    return num_folds * options.seeds + options.null


def _usable(methods: Sequence[str], part: Part) -> tuple[str, ...]:
    """Return the methods that the encoder has what it takes for."""
    reads_attention = part.subject.has_attention or part.subject.has_pooling_weights
    return tuple(method for method in methods if method != "attention" or reads_attention or len(methods) == 1)


def _explained(
    model: FittedModel, study: Study, words: np.ndarray, methods: Sequence[str], feature_ids: Sequence[str]
) -> np.ndarray:
    """Return the importance of the variants in one network's test samples, float64 (methods, variants).

    That of blocks is shared out among their variants.
    """
    parts = fold_parts([model], study, words[None], by_group=False)
    draw = draw_samples(parts, model.config.training.seed)
    known, block_of = model.state.sought()[0], block_of_variants(model.state.facts)
    place = {name: index for index, name in enumerate(known)}
    columns = np.array([place.get(name, -1) for name in feature_ids])
    drawn = study.samples.take(np.flatnonzero(words == "test")[draw.rows])
    rows = []
    for method in methods:
        scores = attribute_draw(parts, draw, resolve("attributions", method)()).scores
        if block_of is None:
            found = variant_importance(scores, draw.classes)
        else:
            found = shared_importance(scores, draw.classes, _copies(drawn, known), block_of)
        rows.append(np.where(columns >= 0, found[columns], np.nan))
    return np.stack(rows)


def _copies(samples: Samples, ids: Sequence[str]) -> np.ndarray:
    """Return the copies of these variants, float64 (samples, variants), missing ones at the mean."""
    columns = samples.features.index.astype(str).get_indexer(list(ids))
    return imputed(Calls.of(samples.values).columns(columns).dense())
