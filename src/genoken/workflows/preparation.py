"""What comes before pretraining: the configuration that was asked for, samples in parts, a network at its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genoken.core.config import PretrainConfig
from genoken.core.layout import NUM_SPECIALS
from genoken.data.dataset import TokenDataset
from genoken.data.holdout import draw_within
from genoken.models.embeddings import EmbeddingStart, svd_start
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.continued import continued_model, with_earlier_phenotypes, with_known_parts
from genoken.workflows.encoder import Encoder, room_for_phenotypes
from genoken.workflows.gaussian_start import gaussian_start
from genoken.workflows.next_cell import pairs_for, successors_in_parts, with_successors
from genoken.workflows.next_cell_folder import folder_named, read_next_cell_folder
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import PretrainedModel, new_network
from genoken.workflows.pretraining_data import Files, Reading
from genoken.workflows.pretraining_parts import Division, divide, drawn_to_learn_from
from genoken.workflows.pretraining_request import Hiding, resolve_pretraining, with_mapped_phenotypes, with_objectives
from genoken.workflows.show import Show
from genoken.workflows.start import PretrainedStart
from genoken.workflows.successor_start import successor_start

if TYPE_CHECKING:
    from anndata import AnnData

_MOST_COUNTED = 20_000
"""Samples whose tokens are counted."""
_COUNTED_AT_ONCE = 512


def requested(
    data: Files | AnnData | None,
    *,
    group: str,
    phenotypes: Sequence[str],
    preset: str,
    config: str | Path | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    hiding: Hiding,
    start: PretrainedStart | None,
) -> PretrainConfig:
    """Return the whole configuration that was asked for; see :func:`genoken.workflows.pretrain.pretrain` for its parts.

    Raises
    ------
    GenokenError
        When a name or a value is wrong, or one contradicts the earlier run.
    """
    folder = folder_named(data)
    layout = None if folder is None else read_next_cell_folder(folder)
    resolved = resolve_pretraining(preset, config, settings, start, layout)
    columns = tuple(phenotypes) or resolved.data.phenotypes
    resolved = replace(resolved, data=replace(resolved.data, group=group or resolved.data.group, phenotypes=columns))
    if start is not None:
        resolved = with_earlier_phenotypes(resolved, start)
    return with_objectives(with_mapped_phenotypes(resolved), hiding)


def divided(
    reading: Reading, config: PretrainConfig, data: Any, start: PretrainedStart | None, *, cache: Path, show: Show
) -> Division:
    """Return the samples in parts, with who comes next among them where the settings say it.

    Parameters
    ----------
    reading
        A first look at all files.
    config
        Settings of the run.
    data
        The object in memory, where there are no files.
    start
        The earlier run, whose parts stay; ``None`` for none.
    cache
        Folder for values that do not fit into memory.
    show
        Where it is said what was found.
    """
    division = divide(reading.complete(cache), reading.paths, config)
    if start is not None:
        division = with_known_parts(division, config, start, show, has_own_parts=bool(reading.paths["val"]))
    if config.successors.key:
        division = with_successors(division, config, [*reading.paths["data"], *reading.paths["eval"]] or data, show)
    return division


def prepare(division: Division, config: PretrainConfig, start: PretrainedStart | None, show: Show) -> Prepared:
    """Fit tokenizer and phenotypes on the train part, and start the network, or take both from an earlier run.

    Parameters
    ----------
    division
        All samples, in parts.
    config
        Settings of the run.
    start
        The earlier run that this one goes on from; ``None`` for none.
    show
        Where it is said what was found.
    """
    samples = division.source.samples
    rows = {part: np.flatnonzero(division.words == part) for part in ("train", "val", "test")}
    units = None if not config.data.group else samples.table[config.data.group].astype(str).to_numpy()[rows["train"]]
    successors = successors_in_parts(division, config)
    if start is not None:
        model, dataset = continued_model(config, start, samples, rows, units, successors, show)
        return _paired(division, Prepared(model, dataset, rows))
    phenotypes = None
    if config.data.phenotype_map:
        phenotypes = PhenotypeVocabulary.read(Path(config.data.phenotype_map))
    elif config.data.phenotypes:
        phenotypes = PhenotypeVocabulary.fit(samples.table.iloc[rows["train"]], config.data.phenotypes, where=samples.origin)
    learned_from = rows["train"][drawn_to_learn_from(config, len(rows["train"]))]
    if len(learned_from) < len(rows["train"]):
        show.line(
            f"  {len(learned_from):,} of the {len(rows['train']):,} train samples are drawn (data.fit_samples), from which the "
            "vocabulary and start values are learned."
        )
    train = samples.take(learned_from).in_memory()
    encoder, found = Encoder.of_samples(room_for_phenotypes(config.tokenizer, phenotypes), train, phenotypes)
    if found.missing:  # a vocabulary from a file
        show.line(f"  {found.line}.")
    dataset = encoder.dataset(samples, found.columns)
    beginning = replace(
        _start(config, dataset, rows["train"], learned_from, units), successor=successor_start(config, dataset, rows, successors)
    )
    network = new_network(config, dataset, beginning)
    return _paired(division, Prepared(PretrainedModel(config, encoder.state, encoder.symbols, phenotypes, network), dataset, rows))


def _paired(division: Division, prepared: Prepared) -> Prepared:
    """Return what is trained on with pairs, where it is said which samples come next."""
    within = successors_in_parts(division, prepared.model.config)
    if division.successors is None or within is None:
        return prepared
    pairs = pairs_for(prepared.model, prepared.dataset, within, where=division.source.samples.origin)
    across = division.successors.num_edges - division.successors.within(division.words).num_edges
    return replace(prepared, pairs=pairs, edges_across_parts=across)


def _start(
    config: PretrainConfig, dataset: TokenDataset, train: np.ndarray, learned_from: np.ndarray, units: np.ndarray | None
) -> EmbeddingStart:
    """Return what the network starts from: moments of the features, perhaps their vectors, of panels a Gaussian."""
    features = None
    if config.model.embedding.init == "svd":
        width = config.model.width // 2 if config.model.embedding.combine == "concatenate" else config.model.width
        features = svd_start(dataset.take(learned_from).values, width, config.training.seed)
    start = EmbeddingStart.from_state(dataset.state.per_feature, features)
    gaussian = gaussian_start(config, dataset, train, units) if config.model.linear_path else None
    return replace(start, gaussian=gaussian, feature_counts=_feature_counts(dataset, learned_from, config.training.seed))


def _feature_counts(dataset: TokenDataset, rows: np.ndarray, seed: int) -> np.ndarray | None:
    """Return how many tokens of these samples, or of a draw of them, are of each feature, int64 (features,).

    ``None`` where every sample has all of them, so that all are equally many.
    """
    identity = dataset.layout.channel("identity")
    assert identity is not None  # noqa: S101
    if dataset.layout.is_panel or dataset.layout.emits_every_feature:
        return None
    counts = np.zeros(dataset.layout.num_features, dtype=np.int64)
    drawn = draw_within(rows, _MOST_COUNTED, seed=seed, purpose="feature counts")
    for start in range(0, len(drawn), _COUNTED_AT_ONCE):
        features = dataset.tokens(drawn[start : start + _COUNTED_AT_ONCE]).channels[identity.name] - NUM_SPECIALS
        is_feature = (features >= 0) & (features < len(counts))  # the others are specials and phenotypes
        counts += np.bincount(features[is_feature], minlength=len(counts))
    return counts
