"""The network of masked objectives: embedding, encoder, and a head for each objective at the tokens that it asks about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.config import ModelSettings
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart, TokenEmbedding
from genoken.models.layers.stack import TransformerStack
from genoken.models.network import EncoderNetwork, seeded_weights
from genoken.models.panel_path import PanelPath, has_panel_path
from genoken.models.successor_path import SuccessorPath, has_successor_path

ENCODER_SHARE_START = 0.1
"""Factor of the encoder's outputs at the start, where a linear path is there to be corrected."""


class TokenHead(nn.Module):
    r"""Outputs at single tokens: linear, GELU, norm, then output weights.

    Tied output weights are rows of an embedding table, :math:`o_j = w^{-1/2}\, h \cdot e_j + b_j`; the factor makes up for table
    rows of standard deviation 1, so that the outputs start at about that scale.

    Parameters
    ----------
    width
        Width of a token's state.
    spec
        What the objective asks for.

    References
    ----------
    Press and Wolf, "Using the output embedding to improve language models" (2017), arXiv:1608.05859.
    """

    def __init__(self, width: int, spec: HeadSpec) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.output = None if spec.tied_to else nn.Linear(width, spec.outputs, bias=False)
        self.bias = nn.Parameter(torch.tensor(spec.initial_bias or [0.0] * spec.outputs))
        self.scale = width**-0.5
        nn.init.xavier_uniform_(self.transform[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.transform[0].bias)  # type: ignore[arg-type]
        if self.output is not None:
            nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, states: Tensor, table: Tensor | None) -> Tensor:
        """Return outputs (targets, outputs) of states (targets, width); ``table`` has the tied weights, (outputs, width)."""
        hidden = self.transform(states)
        if self.output is not None:
            return self.output(hidden) + self.bias
        assert table is not None  # noqa: S101
        return nn.functional.linear(hidden * self.scale, table.to(hidden.dtype), self.bias.to(hidden.dtype))


class TokenNetwork(EncoderNetwork):
    """From packed tokens, some of them hidden, to what each objective asks at its targets.

    Outputs are computed at the targets alone. Embedding and encoder have the names that they have in
    :class:`genoken.models.network.Network`, so that their weights carry over.

    Parameters
    ----------
    settings
        Sizes and choices; the head's kind is not used, the linear path for panels alone.
    layout
        What the tokenizer emits.
    heads
        What each objective asks for, by its name.
    start
        Start values from the train split.
    """

    def __init__(self, settings: ModelSettings, layout: Layout, heads: Mapping[str, HeadSpec], start: EmbeddingStart) -> None:
        super().__init__()
        if settings.encoder.takes != "tokens":
            raise ConfigError("masked objectives need an encoder of tokens", remedy="use model.encoder.kind: transformer")
        if layout.channel("genotype") is not None:
            raise ConfigError("masked objectives cannot hide this tokenizer's encoding", remedy="use tokenizer.encoding: dosage")
        self.pooling = settings.pooling
        self.embedding: TokenEmbedding = TokenEmbedding(layout, settings.embedding, settings.width, start, hides_values=True)
        self.encoder = settings.encoder.build(settings.width)
        self.specs = dict(heads)
        self.heads = nn.ModuleDict({name: TokenHead(settings.width, _started(spec, start)) for name, spec in heads.items()})
        self.value_name = self.embedding.value_name
        phenotype = layout.channel("phenotype")
        self.phenotype_name = phenotype.name if phenotype is not None else ""
        self.linear_path: PanelPath | SuccessorPath | None = None
        if settings.linear_path and has_successor_path(layout):
            self.linear_path = SuccessorPath(layout, start.successor)
        elif settings.linear_path and has_panel_path(layout):
            self.linear_path = PanelPath(layout, start.gaussian)
        if self.linear_path is not None:
            self.encoder_share = nn.Parameter(torch.tensor(ENCODER_SHARE_START))
        self.uses_encoder = True

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the outputs (targets, outputs) of each objective at its targets, in float32."""
        guess = self._guess(batch)
        states = self._states(batch, guess)
        return {name: self._outputs(name, states, guess, batch, batch.targets[f"{name}.places"]) for name in self.heads}

    def at_places(self, batch: Batch, objective: str, places: Tensor) -> Tensor:
        """Return the outputs (places, outputs) of one objective at these tokens of a batch, which need no targets."""
        guess = self._guess(batch)
        return self._outputs(objective, self._states(batch, guess), guess, batch, places)

    def _guess(self, batch: Batch) -> Any:
        """Return what the linear path makes of a batch, to be handed back to it; ``None`` without one."""
        return None if self.linear_path is None else self.linear_path(batch)

    def _outputs(self, name: str, states: Tensor, guess: Any, batch: Batch, places: Tensor) -> Tensor:
        spec = self.specs[name]
        seen = places if batch.visible is None else torch.searchsorted(batch.visible, places)
        outputs = self.heads[name](states.index_select(0, seen), self._tied(spec)).float()
        if self.linear_path is None or guess is None or not spec.linear:
            return outputs
        share = self.encoder_share if self.uses_encoder else 0.0
        return share * outputs + self.linear_path.outputs(spec.linear, guess, batch, places)

    @contextmanager
    def only_linear_path(self) -> Iterator[None]:
        """Within the block, let the outputs that have a linear path consist of it alone."""
        self.uses_encoder = False
        try:
            yield
        finally:
            self.uses_encoder = True

    def has_linear_path(self, objective: str) -> bool:
        """Return whether an objective's outputs have a linear path."""
        return self.linear_path is not None and bool(self.specs[objective].linear)

    def _tied(self, spec: HeadSpec) -> Tensor | None:
        if not spec.tied_to:
            return None
        if spec.tied_to == "identity":
            return self.embedding.identity.weight[NUM_SPECIALS : NUM_SPECIALS + spec.outputs]
        name = self.value_name if spec.tied_to == "value" else self.phenotype_name
        table = self.embedding.tables[name]
        assert isinstance(table, nn.Embedding)  # noqa: S101
        return table.weight[FIRST_CATEGORY : FIRST_CATEGORY + spec.outputs]

    def token_states(self, batch: Batch) -> Tensor:
        """Return the final states of all visible tokens, shape (tokens, width)."""
        return self._states(batch, self._guess(batch))

    def pooled_states(self, batch: Batch) -> Tensor:
        """Return states of shape (samples, width): of the CLS tokens, or means over all tokens.

        Unless the pattern is ``full``, they are those of the samples alone, whatever stands behind these.
        """
        return self._pooled(self._embedded(batch, self._guess(batch)), self.packing(batch))

    def _states(self, batch: Batch, guess: Any) -> Tensor:
        return self.encoder(self._embedded(batch, guess), self.packing(batch))

    def _embedded(self, batch: Batch, guess: Any) -> Tensor:
        """Return vectors of shape (visible tokens, width); hidden tokens are told what the linear path guesses for them."""
        packing = self.packing(batch)
        if self.linear_path is None or guess is None:
            return self.embedding(batch, packing)
        if self.linear_path.reads == "values":
            return self.embedding(batch, packing, hints=self.linear_path.hints(guess, batch))
        assert isinstance(self.linear_path, PanelPath)  # noqa: S101
        vectors = self.embedding(batch, packing)
        masked, expected = self.linear_path.expected_vectors(guess, batch, self._table_of_path())
        seen = masked if batch.visible is None else torch.searchsorted(batch.visible, masked)
        return vectors.index_add(0, seen, expected.to(vectors.dtype))

    def _table_of_path(self) -> Tensor:
        """Return the vectors of what the linear path chooses among: features or ranks."""
        if self.linear_path is not None and self.linear_path.reads == "ranks":
            table = self.embedding.tables[self.value_name]
            assert isinstance(table, nn.Embedding)  # noqa: S101
            return table.weight[FIRST_CATEGORY:]
        return self.embedding.table

    def training_flops(self, batch: Batch) -> int:
        """Return the operations that the encoder's matrix products take for a training step on this batch."""
        if not isinstance(self.encoder, TransformerStack):
            return 0
        return self.encoder.training_flops(self.packing(batch))


def _started(spec: HeadSpec, start: EmbeddingStart) -> HeadSpec:
    """Return what an objective asks for; where it chooses a feature, outputs start from how often each one occurs.

    The bias is the logarithm of the train share of a feature's tokens, each counted once more than it occurs, less the mean over
    features. What is left to be learned then is by what samples and places differ.
    """
    if spec.tied_to != "identity" or spec.initial_bias or start.feature_counts is None:
        return spec
    logarithms = np.log1p(start.feature_counts.astype(np.float64))
    return replace(spec, initial_bias=tuple((logarithms - logarithms.mean()).tolist()))


def seeded_token_network(
    settings: ModelSettings, layout: Layout, heads: Mapping[str, HeadSpec], start: EmbeddingStart, seed: int
) -> TokenNetwork:
    """Build a network whose start depends on ``seed`` alone; the global generator is left as it was."""
    with seeded_weights(seed):
        return TokenNetwork(settings, layout, heads, start)
