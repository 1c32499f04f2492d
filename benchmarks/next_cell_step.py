"""Speed and memory of a next-cell training step against the same network with padding and a dense 2-D mask.

Samples are ``[CLS] current [SEP] next`` with 1,024 + 1,024 tokens (CLS and SEP among them), 15 % of the next tokens are masked and
asked for. The network has 6 layers of width 256 with 4 heads and a feed-forward width of 512, 25,000 genes, learned positions and
an output table tied to the embedding; no dropout, so that both sides have to have the same losses. They start from the same weights
and are trained with the same fused AdamW and the same threads.

``dense`` is how the source of this task would compute its temporal mask: samples padded to the longest, a boolean mask (samples,
tokens, tokens) through PyTorch's ``scaled_dot_product_attention`` in each layer, all next tokens computed. ``dense, float mask``
turns the mask into numbers once instead of in each layer. Logits are computed at the targets alone on all sides. Ours computes the
context and what stands behind it apart, and leaves out the next tokens that are not asked for, which no target sees (patterns
``strict`` and ``self``). With ``full`` every token sees every other, so that nothing can be left out; it is there for comparison.

Steps of all sides alternate in one process. Speeds are the tokens of both cells over all seconds, left out or not. Peak memory is
that of a fresh process that runs one side alone, beyond what it held before the network was made. On a GPU all compute in bf16 with
autocast.

    python benchmarks/next_cell_step.py [--quick] [--threads N]
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from _results import options, table, write
from _steps import Side, peak_memory_mb, run_steps
from genoken.core.batch import Batch, Tokens
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.layout import (
    CLS_ID,
    FIRST_CATEGORY,
    MASK_ID,
    NUM_SPECIALS,
    SEPARATOR_ID,
    AttentionPattern,
    Channel,
    HeadSpec,
    Layout,
)
from genoken.core.random import generator
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.attention import choose_backend
from genoken.models.layers.block import TransformerBlock
from genoken.models.layers.stack import TransformerStack
from genoken.models.token_network import TokenNetwork, seeded_token_network
from genoken.training.precision import choose_device

WIDTH, HEADS, LAYERS, FEED_FORWARD = 256, 4, 6, 512
LEARNING_RATE = 1e-3
MASKED = 0.15
WARM_UP = 1
"""Steps that do not count."""
MEASURED_FOR_MEMORY = 2
"""The first step makes the optimizer's state."""
SIDES = ("genoken", "dense", "dense, float mask")


@dataclass(frozen=True)
class Scale:
    """How large everything is; ``tokens`` are those of one cell, its special token among them."""

    genes: int
    batch: int
    steps: int
    tokens: int

    @classmethod
    def of(cls, quick: bool, device: torch.device) -> Scale:
        """Return the sizes; 8 is the source's own batch."""
        if quick:
            return cls(genes=2000, batch=2, steps=2, tokens=100)
        return cls(genes=25_000, batch=8, steps=30 if device.type == "cuda" else 4, tokens=1024)

    @property
    def layout(self) -> Layout:
        """What the tokens hold."""
        identity = Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + self.genes)
        segment = Channel(name="segment", kind="category", role="segment", size=FIRST_CATEGORY + 1)
        return Layout(
            channels=(identity, segment),
            num_features=self.genes,
            has_cls=True,
            emits_every_feature=False,
            max_tokens=2 * self.tokens,
        )


@dataclass(frozen=True)
class Step:
    """One batch as both sides take it: without the next tokens that nobody sees, and whole."""

    packed: Batch
    whole: Batch
    labels: Tensor


def make_steps(scale: Scale, pattern: AttentionPattern, device: torch.device) -> list[Step]:
    """Return batches of pairs whose genes are drawn by abundance."""
    rng = generator(0, "next_cell_step")
    abundance = rng.normal(0, 1.5, scale.genes)

    def cell(special: int) -> np.ndarray:
        order = np.argsort(-rng.gumbel(size=scale.genes) - abundance)
        return np.concatenate([[special], NUM_SPECIALS + order[: scale.tokens - 1]])

    steps = []
    for _ in range(scale.steps):
        identities = np.concatenate([cell(special) for _ in range(scale.batch) for special in (CLS_ID, SEPARATOR_ID)])
        steps.append(_step(identities, scale, pattern, rng, device))
    return steps


def _step(identities: np.ndarray, scale: Scale, pattern: AttentionPattern, rng: np.random.Generator, device: torch.device) -> Step:
    num_masked = round(MASKED * (scale.tokens - 1))
    separators = np.flatnonzero(identities == SEPARATOR_ID)
    chosen = [separator + 1 + rng.permutation(scale.tokens - 1)[:num_masked] for separator in separators]
    places = np.sort(np.concatenate(chosen))
    labels = identities[places] - NUM_SPECIALS
    identities[places] = MASK_ID
    in_next = np.arange(len(identities)) // scale.tokens % 2 == 1
    channels = {"feature": identities, "segment": np.where(in_next, FIRST_CATEGORY, 0)}
    offsets = np.arange(scale.batch + 1) * 2 * scale.tokens
    whole = replace(
        Batch.from_tokens(Tokens(channels, offsets), np.arange(scale.batch)),
        context_lengths=(scale.tokens,) * scale.batch,
        pattern=pattern,
        targets={"next_cell.places": torch.from_numpy(places)},
    )
    packed = whole
    if pattern != "full":
        seen = np.union1d(np.flatnonzero(~in_next), np.union1d(separators, places))
        bounds = np.searchsorted(seen, offsets).tolist()
        lengths = tuple(end - begin for begin, end in pairwise(bounds))
        packed = replace(whole, visible=torch.from_numpy(seen), visible_lengths=lengths)
    return Step(packed.to(device), whole.to(device), torch.from_numpy(labels).to(device))


def make_network(scale: Scale) -> TokenNetwork:
    """Return the network at its start, the same for all sides."""
    encoder = TransformerEncoder(layers=LAYERS, heads=HEADS, feed_forward=FEED_FORWARD, dropout=0.0)
    embedding = EmbeddingSettings(init="random", position="learned")
    settings = ModelSettings(width=WIDTH, embedding=embedding, encoder=encoder, linear_path=False)
    heads = {"next_cell": HeadSpec(outputs=scale.genes, level="token", tied_to="identity")}
    return seeded_token_network(settings, scale.layout, heads, EmbeddingStart(), 0)


class Ours(Side[Step]):
    """Packed tokens, two parts."""

    def __init__(self, scale: Scale, device: torch.device) -> None:
        super().__init__(make_network(scale), device, LEARNING_RATE)
        cast("TokenNetwork", self.network).set_attention_backend(choose_backend("auto", device, self.precision.dtype).backend)

    def loss(self, step: Step) -> Tensor:
        """Return the mean cross-entropy of the masked genes."""
        return functional.cross_entropy(self.network(step.packed)["next_cell"], step.labels)


class Dense(Side[Step]):
    """The same network on padded samples, with a dense mask."""

    def __init__(self, scale: Scale, device: torch.device, float_mask: bool) -> None:
        super().__init__(make_network(scale), device, LEARNING_RATE)
        self.float_mask = float_mask

    def loss(self, step: Step) -> Tensor:
        """Return the mean cross-entropy of the masked genes."""
        network, batch = cast("TokenNetwork", self.network), step.whole
        vectors = network.embedding(batch, network.packing(batch))
        states = nn.utils.rnn.pad_sequence(vectors.split(list(batch.lengths)), batch_first=True)
        real = torch.arange(states.shape[1], device=self.device) < torch.tensor(batch.lengths, device=self.device).unsqueeze(1)
        mask = dense_mask(batch, real)
        if self.float_mask:
            mask = torch.zeros(mask.shape, device=self.device).masked_fill(~mask, float("-inf")).to(self._computed_in(states))
        for block in cast("Sequence[TransformerBlock]", cast("TransformerStack", network.encoder).blocks):
            states = self._through(block, states, mask)
        asked = states[real].index_select(0, batch.targets["next_cell.places"])
        table_of_genes = network.embedding.identity.weight[NUM_SPECIALS:]
        return functional.cross_entropy(network.heads["next_cell"](asked, table_of_genes).float(), step.labels)

    def _computed_in(self, states: Tensor) -> torch.dtype:
        return states.dtype if self.precision.name == "fp32" else self.precision.dtype

    @staticmethod
    def _through(block: TransformerBlock, states: Tensor, mask: Tensor) -> Tensor:
        projected = block.attention.query_key_value(block.attention_norm(states))
        query, key, value = projected.view(*states.shape[:2], 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask.unsqueeze(1))
        states = states + block.attention.output(mixed.transpose(1, 2).flatten(2))
        return states + block.feed_forward(block.feed_forward_norm(states))


def dense_mask(batch: Batch, real: Tensor) -> Tensor:
    """Return who sees whom, bool (samples, queries, keys); padding sees itself, lest its rows are empty."""
    place = torch.arange(real.shape[1], device=real.device)
    is_self = place.unsqueeze(1) == place
    if batch.pattern == "full":
        return real.unsqueeze(1) & real.unsqueeze(2) | is_self
    context = torch.tensor(batch.context_lengths, device=real.device).view(-1, 1, 1)
    seen = (place < context) | ((place == context) & (place.unsqueeze(1) >= context))
    if batch.pattern == "next_cell_self":
        seen = seen | is_self
    return seen & real.unsqueeze(1) & real.unsqueeze(2) | (is_self & ~real.unsqueeze(1))


def make_side(name: str, scale: Scale, device: torch.device) -> Side[Step]:
    """Return one of ``SIDES`` at its start."""
    return Ours(scale, device) if name == "genoken" else Dense(scale, device, float_mask=name != "dense")


def memory_in_fresh_process(name: str, scale: Scale, pattern: AttentionPattern, threads: int) -> float:
    """Return how much memory a few steps take at most, network and optimizer included, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory_of, (name, scale, pattern, threads))


def _memory_of(name: str, scale: Scale, pattern: AttentionPattern, threads: int) -> float:
    torch.set_num_threads(threads)
    device = choose_device()
    steps = make_steps(replace(scale, steps=MEASURED_FOR_MEMORY), pattern, device)
    return peak_memory_mb(lambda: run_steps({name: make_side(name, scale, device)}, steps), device)


def compare(scale: Scale, pattern: AttentionPattern, device: torch.device, threads: int) -> dict[str, dict[str, float]]:
    """Return the figures of all sides with one pattern."""
    steps = make_steps(scale, pattern, device)
    timed = run_steps({name: make_side(name, scale, device) for name in SIDES}, steps[:1] * WARM_UP + steps)
    tokens = sum(step.whole.num_tokens for step in steps)
    reference = timed["dense"].losses
    return {
        name: {
            "tokens_per_second": tokens / sum(found.seconds[WARM_UP:]),
            "memory_mb": memory_in_fresh_process(name, scale, pattern, threads),
            "first_loss": found.losses[0],
            "last_loss": found.losses[-1],
            "largest_loss_difference": max(abs(a - b) for a, b in zip(found.losses, reference, strict=True)),
        }
        for name, found in timed.items()
    }


def main() -> None:
    """Measure with each pattern, and write the table."""
    chosen = options(__doc__ or "")
    device = choose_device()
    scale = Scale.of(chosen.quick, device)
    rows, ratios, figures = [], {}, {}
    # A trial is one pattern.
    for pattern in get_args(AttentionPattern)[::-1]:
        found = compare(scale, pattern, device, chosen.threads)
        for name, values in found.items():
            figures |= {f"{pattern}, {name}, {key}": value for key, value in values.items()}
            losses = [f"{values[key]:.5f}" for key in ("first_loss", "last_loss")]
            rows.append(
                [
                    pattern,
                    name,
                    f"{values['tokens_per_second']:,.0f}",
                    f"{values['memory_mb']:,.0f}",
                    *losses,
                    f"{values['largest_loss_difference']:.1e}",
                ]
            )
        for rival in SIDES[1:]:
            against = f"{pattern} against {rival}"
            ratios[f"{against}, speed"] = found["genoken"]["tokens_per_second"] / found[rival]["tokens_per_second"]
            ratios[f"{against}, memory"] = found[rival]["memory_mb"] / found["genoken"]["memory_mb"]
    print(table(["pattern", "side", "tokens/s", "peak memory MB", "first loss", "last loss", "largest loss difference"], rows))
    print()
    print(
        table(
            ["genoken against the same network, padded and masked (above 1: better)", "ratio"],
            [[n, f"{r:.2f}"] for n, r in ratios.items()],
        )
    )
    write("next_cell_step", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
