"""The network: embedding, encoder, head, and the linear path beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor, nn

from genoken.core.batch import Batch
from genoken.core.config import ModelSettings
from genoken.core.errors import ConfigError
from genoken.core.grid_contracts import GridEncoder, GridModule
from genoken.core.layout import HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart, FeatureBag, TokenEmbedding
from genoken.models.fitted_path import FittedPath
from genoken.models.grid_embedding import GridEmbedding
from genoken.models.heads import build_head
from genoken.models.layers.attention import SelfAttention
from genoken.models.layers.grid_networks import PatchNetwork
from genoken.models.layers.own_network import OwnNetwork
from genoken.models.layers.packing import Packing, mean_over_tokens, offsets_of, without_successors
from genoken.models.layers.stack import TransformerStack


@dataclass(frozen=True)
class Outputs:
    """What the network returns.

    Parameters
    ----------
    outputs
        Shape (samples, outputs), float32: logits or standardized predictions.
    states
        Pooled states of shape (samples, width).
    summands
        Outputs of the encoder and of the linear path, each alone and without a prior; empty without a linear path.
    prior
        What the batch says is added to them once, (samples, outputs); ``None`` for nothing.
    """

    outputs: Tensor
    states: Tensor
    summands: tuple[Tensor, ...] = ()
    prior: Tensor | None = None

    @property
    def alone(self) -> tuple[Tensor, ...]:
        """Outputs of the network if it had one of its summands only, with the prior."""
        return tuple(with_prior(summand, self.prior) for summand in self.summands)


def with_prior(outputs: Tensor, prior: Tensor | None) -> Tensor:
    """Return outputs (samples, outputs) plus what is known without them."""
    return outputs if prior is None else outputs + prior


class EncoderNetwork(nn.Module):
    """What networks with an embedding and an encoder have in common; their weights have the same names in all of them."""

    embedding: TokenEmbedding | FeatureBag | GridEmbedding
    encoder: nn.Module
    pooling: str

    @staticmethod
    def packing(batch: Batch) -> Packing:
        """Return how the tokens that the encoder sees are divided into samples, and who sees whom."""
        whole = batch.visible is None
        lengths = batch.lengths if whole else batch.visible_lengths
        offsets = batch.offsets if whole else offsets_of(lengths, batch.offsets.device)
        return Packing(lengths, offsets, batch.context_lengths, batch.pattern)

    def _pooled(self, embedded: Tensor, packing: Packing) -> Tensor:
        """Return states (samples, width) from vectors (visible tokens, width): of the CLS tokens, or means over all tokens.

        Where the samples see nothing of their successors, these are left out, so that the states are those of the samples alone.
        """
        embedded, packing = without_successors(embedded, packing)
        if self.pooling == "cls":
            return self.encoder(embedded, packing, first_token_only=True)
        return mean_over_tokens(self.encoder(embedded, packing), packing)

    def attention_layers(self) -> list[SelfAttention]:
        """Return the self-attention layers in order; empty for encoders without attention."""
        return [module for module in self.encoder.modules() if isinstance(module, SelfAttention)]

    def set_attention_backend(self, backend: str) -> None:
        """Make all layers use one backend."""
        for layer in self.attention_layers():
            layer.backend = backend

    def num_parameters(self) -> dict[str, int]:
        """Return the number of trainable parameters by part."""
        parts = dict(self.named_children()) | dict(self.named_parameters(recurse=False))
        sizes = {name: [part] if isinstance(part, nn.Parameter) else part.parameters() for name, part in parts.items()}
        return {name: sum(own.numel() for own in found if own.requires_grad) for name, found in sizes.items()}

    @property
    def feature_table(self) -> Tensor:
        """The learned feature vectors, shape (features, width), or (features, 0) where a network learns none."""
        return self.embedding.table


class Network(EncoderNetwork):
    """From packed tokens to outputs.

    ``outputs = a head(pool(encoder(embedding(tokens)))) + b linear_path(values)``; the linear path is absent unless it is set.
    ``a`` and ``b`` are 1 while the weights are learned, and chosen on the validation part afterwards. The batch's prior is added.

    Parameters
    ----------
    settings
        Sizes and choices.
    layout
        What the tokenizer emits.
    head
        What the objective asks for.
    start
        Start values from the train split.
    """

    summand_weights: Tensor

    def __init__(self, settings: ModelSettings, layout: Layout, head: HeadSpec, start: EmbeddingStart) -> None:
        super().__init__()
        self.takes = settings.encoder.takes
        self.pooling = settings.pooling
        self.summands: Literal["both", "encoder", "linear_path"] = "both"
        if self.takes == "tokens" and settings.pooling == "cls" and not layout.has_cls:
            raise ConfigError("'model.pooling: cls' needs a tokenizer that emits a CLS token", remedy="use model.pooling: mean")
        self.embedding, self.encoder = _embedding_and_encoder(settings, layout, start, head)
        has_head = settings.encoder.gives == "states"
        self.head = build_head(settings.head, settings.width, head, settings.head_dropout) if has_head else nn.Identity()
        uses_path = settings.linear_path and self.takes != "bag"
        self.linear_path = _linear_path(layout, head.outputs, start) if uses_path else None
        if uses_path:
            self.register_buffer("summand_weights", torch.ones(2))

    def forward(self, batch: Batch, embedded: Tensor | None = None) -> Outputs:
        """Return outputs and pooled states of a batch; ``embedded`` as for :meth:`pooled_states`."""
        states = self.pooled_states(batch, embedded)
        outputs = self.head(states).float()
        if self.linear_path is None:
            return Outputs(outputs=with_prior(outputs, batch.prior), states=states, prior=batch.prior)
        summands = (outputs, self.linear_path(batch))
        if self.summands == "both":
            total = self.summand_weights[0] * summands[0] + self.summand_weights[1] * summands[1]
        else:
            total = summands[0 if self.summands == "encoder" else 1]
        return Outputs(with_prior(total, batch.prior), states, summands, batch.prior)

    @contextmanager
    def only(self, summand: Literal["encoder", "linear_path"]) -> Iterator[None]:
        """Within the block, let the outputs consist of one of the two summands; without a linear path nothing changes."""
        self.summands = summand
        try:
            yield
        finally:
            self.summands = "both"

    def pooled_states(self, batch: Batch, embedded: Tensor | None = None) -> Tensor:
        """Return states of shape (samples, width).

        Parameters
        ----------
        batch
            Packed tokens.
        embedded
            Vectors (tokens, width) that take the place of :meth:`embedded_tokens`, for encoders of tokens and of grids.
        """
        if isinstance(self.embedding, FeatureBag):
            return self.encoder(self.embedding(batch))
        if isinstance(self.embedding, GridEmbedding):
            numbers = self.embedding(batch) if embedded is None else embedded
            return self.encoder(self.embedding.grid(numbers, batch.num_samples))
        packing = self.packing(batch)
        return self._pooled(self.embedding(batch, packing) if embedded is None else embedded, packing)

    def embedded_tokens(self, batch: Batch) -> Tensor:
        """Return what the encoder gets: one vector per token that it sees, (tokens, width), or all tokens' numbers, for a grid.

        Raises
        ------
        ConfigError
            When the encoder gets no tokens.
        """
        if isinstance(self.embedding, FeatureBag):
            raise _no_token_states()
        if isinstance(self.embedding, GridEmbedding):
            return self.embedding(batch)
        return self.embedding(batch, self.packing(batch))

    @property
    def has_pooling_weights(self) -> bool:
        """Whether the encoder pools features with weights of their own."""
        return isinstance(self.embedding, GridEmbedding) and not isinstance(self.encoder, OwnNetwork)

    def pooling_weights(self, batch: Batch) -> Tensor:
        """Return how much each token counts in its sample's state, shape (tokens,); CLS has 0.

        The others of a sample are shares that sum to 1, or probabilities, see :meth:`GridModule.pooling_weights`.

        Raises
        ------
        ConfigError
            When the encoder does not pool features with weights.
        """
        if not isinstance(self.embedding, GridEmbedding) or not self.has_pooling_weights:
            raise ConfigError(
                "this encoder has no pooling weights", remedy="use model.encoder.kind: cnn, cnn_transformer, gnn or single_effect"
            )
        grid = self.embedding.grid(self.embedding(batch), batch.num_samples)
        return self.embedding.on_tokens(cast("GridModule", self.encoder).pooling_weights(grid))

    @property
    def has_place_attention(self) -> bool:
        """Whether the encoder has attention between places, each of which stands for several features."""
        return isinstance(self.encoder, PatchNetwork)

    def place_weights(self, batch: Batch) -> Tensor:
        """Return how much each place counts in its sample's state, (samples, places), for encoders with place attention."""
        assert isinstance(self.embedding, GridEmbedding) and isinstance(self.encoder, PatchNetwork)  # noqa: S101, PT018
        return self.encoder.place_weights(self.embedding.grid(self.embedding(batch), batch.num_samples))

    def spread(self, weights: Tensor) -> Tensor:
        """Return weights of places, (samples, places), shared out equally among their tokens, (tokens,); CLS has 0."""
        assert isinstance(self.embedding, GridEmbedding) and isinstance(self.encoder, PatchNetwork)  # noqa: S101, PT018
        return self.embedding.on_tokens(self.encoder.spread(weights))

    def token_states(self, batch: Batch) -> Tensor:
        """Return the final states of all tokens, shape (tokens, width).

        Raises
        ------
        ConfigError
            When the encoder has no tokens.
        """
        if isinstance(self.embedding, GridEmbedding):
            raise _no_token_states()
        return self.encoder(self.embedded_tokens(batch), self.packing(batch))

    def training_flops(self, batch: Batch) -> int:
        """Return the operations that the encoder's matrix products take for a training step on this batch; 0 without tokens."""
        if not isinstance(self.encoder, TransformerStack):
            return 0
        return self.encoder.training_flops(self.packing(batch), first_token_only=self.pooling == "cls")

    @contextmanager
    def reading_attention(self, read: Callable[[int, int, Tensor], None]) -> Iterator[None]:
        """Hand the attention weights of every forward pass within the context to ``read``.

        ``read(layer, sample, weights)`` gets weights of shape (heads, queries, keys), one sample at a time; the eager backend
        computes them from the same projections as the others, whichever is set.
        """
        layers = self.attention_layers()
        # A compiled block would have to be compiled anew for each reader.
        with torch.compiler.set_stance("force_eager"):
            try:
                for index, layer in enumerate(layers):
                    layer.weights_reader = partial(read, index)
                yield
            finally:
                for layer in layers:
                    layer.weights_reader = None


def _linear_path(layout: Layout, outputs: int, start: EmbeddingStart) -> FeatureBag:
    """Return the path that was fitted already, or one that is learned from zero."""
    if start.path is not None:
        return FittedPath(layout, start.path, start)
    return FeatureBag(layout, outputs, start, zero_start=True)


def _embedding_and_encoder(
    settings: ModelSettings, layout: Layout, start: EmbeddingStart, head: HeadSpec
) -> tuple[TokenEmbedding | FeatureBag | GridEmbedding, nn.Module]:
    """Return what makes an encoder's input of a batch, and the encoder."""
    if isinstance(settings.encoder, GridEncoder):
        grid = GridEmbedding(layout, start)
        outputs = head.outputs if settings.encoder.gives == "outputs" else 0
        module = settings.encoder.build_grid(grid.built_for(start.edges, outputs), settings.width)
        return grid, cast("nn.Module", module)
    if settings.encoder.takes == "tokens":
        return TokenEmbedding(layout, settings.embedding, settings.width, start), settings.encoder.build(settings.width)
    return FeatureBag(layout, settings.width, start, zero_start=False), settings.encoder.build(settings.width)


def _no_token_states() -> ConfigError:
    return ConfigError("this encoder has no token states", remedy="use model.encoder.kind: transformer")


def compile_blocks(network: nn.Module) -> None:
    """Compile each block of the encoder in place with ``torch.compile``; shapes vary with the batch, so they stay dynamic."""
    for block in getattr(network.encoder, "blocks", []):
        block.compile(dynamic=True)


def set_gradient_checkpointing(network: nn.Module, enabled: bool) -> None:
    """Turn recomputation in the backward pass on or off, where the encoder knows it."""
    assert isinstance(network.encoder, nn.Module)  # noqa: S101
    for module in network.encoder.modules():
        if isinstance(module, TransformerStack):
            module.gradient_checkpointing = enabled


def seeded_network(settings: ModelSettings, layout: Layout, head: HeadSpec, start: EmbeddingStart, seed: int) -> Network:
    """Build a network whose start depends on ``seed`` alone; the global generator is left as it was."""
    with seeded_weights(seed):
        return Network(settings, layout, head, start)


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Within the block, let torch draw start weights from ``seed``; afterwards the global generator is as it was."""
    from genoken.core.random import seed_for

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(seed, "weights"))  # torch.manual_seed would touch the GPUs' too
        yield
