"""Pretraining that goes on from an earlier run: what is taken over, what is fitted anew, and who stays in which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from genoken.core.config import PretrainConfig
from genoken.core.errors import ConfigError
from genoken.core.feature_words import noun_of_samples
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.data.holdout import hold_out_new
from genoken.data.successors import Successors
from genoken.models.embeddings import EmbeddingStart
from genoken.models.token_network import TokenNetwork
from genoken.vocabulary.align import Alignment, align
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.gaussian_start import gaussian_start
from genoken.workflows.pretrained import PretrainedModel, new_network
from genoken.workflows.pretraining_parts import Division
from genoken.workflows.seen import parts_in_pretraining
from genoken.workflows.show import Show
from genoken.workflows.start import PretrainedStart
from genoken.workflows.successor_start import successor_start

_PATH = "linear_path."


def with_earlier_phenotypes(config: PretrainConfig, start: PretrainedStart) -> PretrainConfig:
    """Return the configuration with the phenotypes of the earlier run, which it may name again but not change.

    Raises
    ------
    ConfigError
        When it names other columns, or other values for them.
    """
    known, data = start.model.phenotypes, config.data
    columns = () if known is None else known.columns
    remedy = "leave it out: phenotypes are taken from the earlier run"
    if data.phenotypes and tuple(sorted(data.phenotypes)) != columns:
        theirs = ", ".join(columns) or "none"
        named = ", ".join(data.phenotypes)
        raise ConfigError(f"'data.phenotypes' is {named}, but the earlier run has {theirs}", where=str(start.folder), remedy=remedy)
    if data.phenotype_map and PhenotypeVocabulary.read(Path(data.phenotype_map)) != known:
        raise ConfigError(
            f"'data.phenotype_map' is {data.phenotype_map}, but the earlier run has other phenotypes or values",
            where=str(start.folder),
            remedy=remedy,
        )
    return replace(config, data=replace(data, phenotypes=columns))


def with_known_parts(
    division: Division, config: PretrainConfig, start: PretrainedStart, show: Show, *, has_own_parts: bool = False
) -> Division:
    """Return the division with the parts that the earlier run knows as they were; only new samples are drawn, if any.

    Parameters
    ----------
    division
        As it would be without an earlier run.
    config
        Says the shares, the seed and the group column.
    start
        The earlier run.
    show
        Where the counts go.
    has_own_parts
        Whether train and validation are files of their own: new samples then stay in the part of theirs.

    Raises
    ------
    ConfigError
        When files to report on hold samples that the earlier run learned from.
    DataError
        When a part that shall hold samples stays empty.
    """
    samples, of_eval = division.source.samples, division.of_eval
    columns = _vocabulary_in(samples, config, start).columns
    parts = parts_in_pretraining(start.folder, samples, columns, start.model.state)
    learned = int((of_eval & np.isin(parts, ("train", "val"))).sum())
    if learned:
        raise ConfigError(
            f"{learned:,} of {int(of_eval.sum()):,} samples to report on were learned from by the earlier run, "
            "so this would be no test",
            where="--eval",
            remedy=f"leave these samples out, or pretrain without --from {start.folder}",
        )
    own = ~of_eval
    known = parts[own]
    count = int((known != "").sum())
    if not count:
        show.line("The earlier run knows none of the samples.")
        return division
    words = division.words.copy()
    words[own] = hold_out_new(
        known,
        samples.table[config.data.group].astype(str).to_numpy()[own] if config.data.group else None,
        copies=division.own_copies(),
        test=0.0 if of_eval.any() else config.data.test,
        val=config.data.val,
        seed=config.training.seed,
        where=samples.origin,
        given=words[own] if has_own_parts else None,
    )
    shares = " / ".join(f"{int((known == part).sum()):,} {part}" for part in ("train", "val", "test"))
    show.line(
        f"The earlier run knows {count:,} of {len(known):,} samples, which keep their part ({shares}); "
        f"{len(known) - count:,} new ones {'stay in the part of their file' if has_own_parts else 'are divided'}."
    )
    return replace(division, words=words)


def _vocabulary_in(samples: Samples, config: PretrainConfig, start: PretrainedStart) -> Alignment:
    """Return where the earlier run's vocabulary is in samples; refuse those that have too little of it."""
    sought, symbols = start.model.state.sought(start.model.symbols)
    return align(
        sought,
        samples.features,
        minimum_coverage=config.data.min_coverage,
        where=samples.origin,
        symbols=symbols,
        noun=noun_of_samples(samples),
    )


def continued_model(
    config: PretrainConfig,
    start: PretrainedStart,
    samples: Samples,
    rows: Mapping[str, np.ndarray],
    units: np.ndarray | None,
    successors: Successors | None,
    show: Show,
) -> tuple[PretrainedModel, TokenDataset]:
    """Return the earlier vocabulary and weights with this run's objectives, and all samples as its tokens.

    Heads of other outputs start anew. So does the Gaussian of panels, with its cross-fit folds: the earlier one has seen some of
    these samples, and would guess them too well.

    Parameters
    ----------
    config
        Of the new run.
    start
        The earlier run.
    samples
        All samples of the new run.
    rows
        Rows of each part.
    units
        Of each train sample, what the split holds out together.
    successors
        Who comes next, without edges between parts; ``None`` where samples stand alone.
    show
        Where it is said what was found and which heads start anew.
    """
    earlier = start.model
    found = _vocabulary_in(samples, config, start)
    show.line(f"  {found.line}.")
    dataset = earlier.dataset(samples, found.columns)
    own = replace(
        EmbeddingStart.from_state(dataset.state.per_feature),
        gaussian=gaussian_start(config, dataset, rows["train"], units) if config.model.linear_path else None,
        successor=successor_start(config, dataset, rows, successors),
    )
    network = _continued_network(config, earlier.network, dataset, own, show)
    return replace(earlier, config=config, network=network), dataset


def _continued_network(
    config: PretrainConfig, earlier: TokenNetwork, dataset: TokenDataset, own: EmbeddingStart, show: Show
) -> TokenNetwork:
    network = new_network(config, dataset, own)
    theirs = earlier.state_dict()
    anew = sorted(name for name in network.heads if not _is_like(network.heads[name].state_dict(), theirs, f"heads.{name}."))
    left_out = [f"heads.{name}." for name in anew]
    if network.linear_path is not None and (own.gaussian is not None or own.successor is not None):
        left_out += [f"{_PATH}{name}" for name, _ in network.linear_path.named_buffers()]
    kept = {name: value for name, value in theirs.items() if not name.startswith(tuple(left_out))}
    network.load_state_dict(kept, strict=False)
    if anew:
        show.line(f"  The earlier run has no such head for {', '.join(anew)}: it starts anew.")
    return network


def _is_like(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], prefix: str) -> bool:
    """Return whether a part of the network has the very weights, by names and shapes, that another has below ``prefix``."""
    found = {name.removeprefix(prefix): value.shape for name, value in theirs.items() if name.startswith(prefix)}
    return found == {name: value.shape for name, value in own.items()}
