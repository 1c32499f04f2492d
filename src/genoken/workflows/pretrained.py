"""A pretrained network with its tokenizer and phenotypes: writing, reading, and preparing samples for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from genoken.core.components import kind_of
from genoken.core.config import PretrainConfig, build, dump_yaml, read_yaml
from genoken.core.contracts import FeatureStatistics, Tokenizer, TokenizerState, TokenObjective
from genoken.core.errors import RunError
from genoken.core.files import read_json, write_json, write_text
from genoken.core.layout import Layout
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.data.pair_tokens import extend_layout
from genoken.models.embeddings import EmbeddingStart, floored
from genoken.models.pretrained_weights import freeze_layers
from genoken.models.token_network import TokenNetwork, seeded_token_network
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.encoder import Encoder, room_for_phenotypes
from genoken.workflows.state import is_pretraining
from genoken.workflows.store import read_tokenizer, read_weights, require_files, write_tokenizer, write_weights

PRETRAINED_FILES = ("config.yaml", "model.safetensors", "tokenizer.json", "vocabulary.parquet", "phenotypes.json")
"""Files that make up a pretrained model; their hashes are in the manifest."""


@dataclass(frozen=True)
class PretrainedModel:
    """A network with everything that is needed to use it.

    Parameters
    ----------
    config
        Settings of the run.
    state
        What the tokenizer learned.
    symbols
        Readable name of each feature.
    phenotypes
        The phenotypes in front of the features; ``None`` for none.
    network
        With its weights.
    """

    config: PretrainConfig
    state: TokenizerState
    symbols: tuple[str, ...]
    phenotypes: PhenotypeVocabulary | None
    network: TokenNetwork

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer's settings, with room for phenotypes."""
        return room_for_phenotypes(self.config.tokenizer, self.phenotypes)

    def with_network(self, network: TokenNetwork) -> PretrainedModel:
        """Return the model with other weights."""
        return replace(self, network=network)

    def dataset(self, samples: Samples, columns: np.ndarray) -> TokenDataset:
        """Return samples as the network takes them; ``columns[j]`` is the column of feature ``j``, or -1."""
        return self.encoder.dataset(samples, columns)

    @property
    def encoder(self) -> Encoder:
        """What turns samples into token sequences and back."""
        return Encoder(self.tokenizer, self.state, self.symbols, self.phenotypes)


def objectives_of(config: PretrainConfig) -> dict[str, TokenObjective]:
    """Return the objectives by kind."""
    return {kind_of(objective): objective for objective in config.objectives}


def layout_of(config: PretrainConfig, cells: Layout) -> Layout:
    """Return what the network's tokens consist of: those of single samples, or of pairs where successors are given."""
    return extend_layout(cells, getattr(config.tokenizer, "max_tokens", 0)) if config.successors.key else cells


def new_network(config: PretrainConfig, dataset: TokenDataset, start: EmbeddingStart) -> TokenNetwork:
    """Return a network at its start for the tokens of a data set, or of its pairs, with what shall not be learned frozen."""
    layout = layout_of(config, dataset.layout)
    heads = {name: objective.head(layout) for name, objective in objectives_of(config).items()}
    network = seeded_token_network(config.model, layout, heads, start, config.training.seed)
    freeze_layers(network, config.training.freeze_layers)
    return network


def statistics_of(state: TokenizerState, *, every_sample: bool = False) -> FeatureStatistics | None:
    """Return the moments of the train values, as far as the tokenizer noted them.

    Parameters
    ----------
    state
        What it learned.
    every_sample
        Over all samples, in place of those that express the feature: where all features are asked for.
    """
    over = "train" if every_sample else "expressed"
    if f"{over}_mean" not in state.per_feature:
        return None
    return FeatureStatistics(state.per_feature[f"{over}_mean"], floored(state.per_feature[f"{over}_deviation"]))


def write_pretrained(folder: Path, model: PretrainedModel) -> None:
    """Write the files of ``PRETRAINED_FILES``, each atomically."""
    write_text(folder / "config.yaml", dump_yaml(model.config))
    write_tokenizer(folder, model.config.tokenizer, model.state, model.symbols)
    write_json(folder / "phenotypes.json", {} if model.phenotypes is None else model.phenotypes.to_map())
    write_weights(folder, model.network)


def read_pretrained(folder: Path) -> PretrainedModel:
    """Read what :func:`write_pretrained` wrote.

    Raises
    ------
    RunError
        When a file is missing or does not fit the others.
    """
    folder = Path(folder)
    if (folder / "config.yaml").is_file() and not is_pretraining(folder):
        raise RunError("this is no pretraining run", where=str(folder), remedy="name a folder that genoken pretrain wrote")
    require_files(folder, PRETRAINED_FILES)
    config = build(PretrainConfig, read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    state, symbols = read_tokenizer(folder, config.tokenizer)
    content = read_json(folder / "phenotypes.json")
    phenotypes = PhenotypeVocabulary.from_map(content, where=str(folder / "phenotypes.json")) if content else None
    no_samples = sp.csr_matrix((0, len(state.feature_ids)), dtype=np.float32)
    tokenizer = room_for_phenotypes(config.tokenizer, phenotypes)
    layout_only = TokenDataset(tokenizer, state, no_samples, phenotypes=phenotypes)
    network = new_network(config, layout_only, EmbeddingStart.from_state(state.per_feature))
    read_weights(folder, network)
    return PretrainedModel(config, state, symbols, phenotypes, network)
