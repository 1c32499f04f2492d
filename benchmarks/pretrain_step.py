"""Speed and memory of a pretraining step against ``BertForMaskedLM`` of the ``transformers`` library, as Geneformer is trained.

Both sides have 6 layers of width 256 with 4 heads and a feed-forward width of 512, 25,000 genes, learned positions, an output table
tied to the embedding, hidden dropout 0.02, the same fused AdamW and the same threads. Both learn the same task from the same tokens
with the same 15 % hidden (80 % masks, 10 % other genes, 10 % kept). Cells have 500 to 2,048 tokens and are grouped by length, as
Geneformer's training does, so that the padded side pads little. It computes logits at every position, as the library does; ours
computes them where something is hidden. There are two settings: attention dropout 0.02, as Geneformer is trained, and none. Both
sides drop attention weights alike: in ours, too, each weight by itself with that probability. The library's attention is whichever
of its own is faster here (eager or SDPA, on a GPU also FlashAttention where ``flash_attn`` is installed).

Steps of all sides alternate in one process, so that a slow minute of the machine hits all of them. Tokens are real ones, without
padding; speeds are all tokens over all seconds, in batches of short, middling and long cells alike. Batches are made beforehand on
both sides. Peak memory is that of a fresh process that runs one side alone on the longest batches, beyond what it held before the
network was made. Utilization is the share that a side reaches of a measured matrix product's speed, counting the operations that
the real tokens need: encoder, and logits at hidden places alone. At 100 % a step would take ``floor`` tokens/s. On a GPU both sides
compute in bf16 with autocast.

    python benchmarks/pretrain_step.py [--quick] [--threads N]
"""

from __future__ import annotations

import importlib.util
import math
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

from _results import options, table, write
from _steps import Side, peak_memory_mb, run_steps
from genoken.core.batch import Batch
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.core.contracts import TokenizerState
from genoken.core.layout import NUM_SPECIALS
from genoken.core.random import generator
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.layers.attention import choose_backend
from genoken.models.token_network import seeded_token_network
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.tokenizers.rank import RankTokenizer
from genoken.training.masked import MaskedTask
from genoken.training.precision import choose_device, choose_precision, matmul_flops_per_second

WIDTH, HEADS, LAYERS, FEED_FORWARD, HIDDEN_DROPOUT = 256, 4, 6, 512, 0.02
SHORTEST, LONGEST = 500, 2048
LEARNING_RATE = 1e-3
ATTENTION_DROPOUTS = (0.02, 0.0)
GROUPED = 50
"""Batches whose cells are sorted by length together, as the library's trainer does."""
OUTPUT_SPREAD = 0.02
"""Standard deviation of BERT's table at the start; ours starts with outputs of the same spread."""
WARM_UP = 2
"""Steps on the longest cells that do not count."""
MEASURED_FOR_MEMORY = 2
"""Steps on the longest cells; the first makes the optimizer's state."""


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    genes: int
    batch: int
    steps: int
    shortest: int
    longest: int

    @classmethod
    def of(cls, quick: bool, device: torch.device) -> Scale:
        """Return the sizes; a batch of 12, Geneformer's own, would not leave the library enough memory on a small machine."""
        if quick:
            return cls(genes=2000, batch=2, steps=2, shortest=50, longest=200)
        on_gpu = device.type == "cuda"
        return cls(genes=25_000, batch=32 if on_gpu else 4, steps=30 if on_gpu else 10, shortest=SHORTEST, longest=LONGEST)


@dataclass(frozen=True)
class Step:
    """One batch of cells as both sides take it."""

    packed: Batch
    identities: Tensor
    attention_mask: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Real tokens."""
        return self.packed.num_tokens

    @property
    def num_targets(self) -> int:
        """Hidden tokens."""
        return int((self.labels >= 0).sum())


@dataclass(frozen=True)
class Problem:
    """Cells of ranked genes, and the task on them."""

    scale: Scale
    device: torch.device
    dataset: TokenDataset
    task: MaskedTask

    def steps(self, count: int) -> list[Step]:
        """Return batches from the longest cells to the shortest, evenly spaced in a group of batches sorted by length."""
        batches = np.argsort(-self.dataset.lengths(), kind="stable").reshape(GROUPED, self.scale.batch)
        return [self._step(batches[index]) for index in np.linspace(0, GROUPED - 1, count).astype(int)]

    def _step(self, rows: np.ndarray) -> Step:
        packed = self.task.training_batch(self.dataset, rows, 0)
        places, labels = packed.targets["masked_feature.places"], packed.targets["masked_feature.labels"]
        flat_labels = torch.full((packed.num_tokens,), -100).index_put((places,), labels + NUM_SPECIALS)
        padding = NUM_SPECIALS + self.scale.genes
        identities = _padded(packed.channels["feature"], packed.lengths, padding)
        step = Step(packed, identities, (identities != padding).long(), _padded(flat_labels, packed.lengths, -100))
        return Step(*(part.to(self.device) for part in (step.packed, step.identities, step.attention_mask, step.labels)))


def _padded(flat: Tensor, lengths: Sequence[int], padding: int) -> Tensor:
    return nn.utils.rnn.pad_sequence(flat.split(list(lengths)), batch_first=True, padding_value=padding)


def make_problem(scale: Scale, device: torch.device) -> Problem:
    """Return cells whose genes are drawn by abundance, enough for one group of batches."""
    rng = generator(0, "pretrain_step")
    abundance = rng.normal(0, 1.5, scale.genes)
    sizes = rng.integers(scale.shortest, scale.longest, GROUPED * scale.batch, endpoint=True) - 1
    columns = [np.sort(np.argpartition(-rng.gumbel(size=scale.genes) - abundance, size)[:size]) for size in sizes]
    indices = np.concatenate(columns).astype(np.int32)
    values = np.exp(0.5 * abundance[indices] + rng.normal(0, 1, len(indices))).astype(np.float32)
    prepared = sp.csr_matrix((values, indices, np.append(0, np.cumsum(sizes))), shape=(len(sizes), scale.genes))
    tokenizer = RankTokenizer(max_tokens=scale.longest)
    dataset = TokenDataset(tokenizer, TokenizerState(tuple(f"G{gene}" for gene in range(scale.genes))), prepared)
    objectives = {"masked_feature": MaskedFeatureObjective()}
    task = MaskedTask(objectives, dataset.layout, dataset, num_held_out=0, num_epochs=1, seed=0)
    return Problem(scale, device, dataset, task)


class Library(Side[Step]):
    """``BertForMaskedLM`` on padded batches, with one of its kinds of attention."""

    def __init__(self, problem: Problem, attention_dropout: float, attention: str) -> None:
        torch.manual_seed(0)
        settings = BertConfig(
            vocab_size=NUM_SPECIALS + problem.scale.genes + 1,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=FEED_FORWARD,
            hidden_act="relu",
            hidden_dropout_prob=HIDDEN_DROPOUT,
            attention_probs_dropout_prob=attention_dropout,
            max_position_embeddings=problem.scale.longest,
            pad_token_id=NUM_SPECIALS + problem.scale.genes,
            attn_implementation=attention,
        )
        super().__init__(BertForMaskedLM(settings), problem.device, LEARNING_RATE)

    def loss(self, step: Step) -> Tensor:
        """Return the mean cross-entropy of the hidden genes, as the library computes it."""
        return self.network(input_ids=step.identities, attention_mask=step.attention_mask, labels=step.labels).loss


class Ours(Side[Step]):
    """Packed tokens, logits where something is hidden."""

    def __init__(self, problem: Problem, attention_dropout: float) -> None:
        encoder = TransformerEncoder(
            layers=LAYERS, heads=HEADS, feed_forward=FEED_FORWARD, dropout=HIDDEN_DROPOUT, attention_dropout=attention_dropout
        )
        settings = ModelSettings(width=WIDTH, embedding=EmbeddingSettings(position="learned"), encoder=encoder, linear_path=False)
        layout = problem.dataset.layout
        vectors = generator(0, "vectors").normal(0, OUTPUT_SPREAD * math.sqrt(WIDTH), (layout.num_features, WIDTH))
        start = EmbeddingStart(features=vectors.astype(np.float32))
        heads = {name: objective.head(layout) for name, objective in problem.task.objectives.items()}
        network = seeded_token_network(settings, layout, heads, start, 0)
        super().__init__(network, problem.device, LEARNING_RATE)
        network.set_attention_backend(choose_backend("auto", problem.device, self.precision.dtype, attention_dropout).backend)
        self.task = problem.task

    def loss(self, step: Step) -> Tensor:
        """Return the mean cross-entropy of the hidden genes."""
        objective = self.task.objectives["masked_feature"]
        return objective.loss(self.network(step.packed)["masked_feature"], step.packed, self.task.layout).mean


def kinds_of_attention(device: torch.device) -> list[str]:
    """Return what the library can be asked for here."""
    has_flash = device.type == "cuda" and importlib.util.find_spec("flash_attn") is not None
    return ["eager", "sdpa", *(["flash_attention_2"] if has_flash else [])]


def make_side(problem: Problem, name: str, attention_dropout: float) -> Side[Step]:
    """Return our side, or the library's with the named attention."""
    return Ours(problem, attention_dropout) if name == "genoken" else Library(problem, attention_dropout, name)


def needed_flops(side: Ours, step: Step) -> int:
    """Return the operations of the matrix products that the real tokens need: encoder, and head at hidden places."""
    head = 6 * step.num_targets * (WIDTH**2 + WIDTH * side.task.layout.num_features)
    return side.network.training_flops(step.packed) + head  # type: ignore[operator]


def memory_in_fresh_process(name: str, attention_dropout: float, scale: Scale, threads: int) -> float:
    """Return how much memory a few steps take at most in a fresh process, network and optimizer included, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory_of, (name, attention_dropout, scale, threads))


def _memory_of(name: str, attention_dropout: float, scale: Scale, threads: int) -> float:
    torch.set_num_threads(threads)
    problem = make_problem(scale, choose_device())
    steps = problem.steps(GROUPED)[:MEASURED_FOR_MEMORY]
    return peak_memory_mb(lambda: run_steps({name: make_side(problem, name, attention_dropout)}, steps), problem.device)


def check_start(losses: dict[str, float], genes: int) -> None:
    """Stop unless both sides start from guessing among all genes."""
    for name, loss in losses.items():
        if abs(loss / math.log(genes) - 1) > 0.02:
            raise SystemExit(f"{name} starts with a loss of {loss:.3f}, not ln({genes}) = {math.log(genes):.3f}")


def compare(
    problem: Problem, names: Sequence[str], attention_dropout: float, matmul: float, threads: int
) -> dict[str, dict[str, float]]:
    """Return the figures of all sides with one attention dropout."""
    sides = {name: make_side(problem, name, attention_dropout) for name in names}
    steps = problem.steps(problem.scale.steps)
    timed = run_steps(sides, steps[:1] * WARM_UP + steps)
    check_start({name: found.losses[0] for name, found in timed.items()}, problem.scale.genes)
    ours = sides["genoken"]
    assert isinstance(ours, Ours)
    tokens, flops = sum(step.num_tokens for step in steps), sum(needed_flops(ours, step) for step in steps)
    del sides, ours
    figures = {}
    for name, found in timed.items():
        seconds = sum(found.seconds[WARM_UP:])
        figures[name] = {
            "tokens_per_second": tokens / seconds,
            "floor_tokens_per_second": tokens * matmul / flops,
            "utilization": flops / seconds / matmul,
            "memory_mb": memory_in_fresh_process(name, attention_dropout, problem.scale, threads),
            "first_loss": found.losses[0],
            "last_loss": found.losses[-1],
        }
    return figures


def main() -> None:
    """Measure with and without attention dropout, and write the table."""
    chosen = options(__doc__ or "")
    device = choose_device()
    problem = make_problem(Scale.of(chosen.quick, device), device)
    matmul = matmul_flops_per_second(device, choose_precision("auto", device).dtype)
    print(f"A large matrix product reaches {matmul / 1e9:,.0f} GFLOP/s on {device.type}, {chosen.threads} threads", flush=True)
    rows, ratios, figures = [], {}, {"matmul_gflops_per_second": matmul / 1e9}
    # A trial is one setting against one kind of attention.
    dropouts, names = ATTENTION_DROPOUTS, ["genoken", *kinds_of_attention(device)]
    if chosen.quick:
        dropouts, names = dropouts[:1], names[:2]
    for dropout in dropouts:
        setting = f"attention dropout {dropout}" if dropout else "no attention dropout"
        found = compare(problem, names, dropout, matmul, chosen.threads)
        best = max((name for name in found if name != "genoken"), key=lambda name: found[name]["tokens_per_second"])
        for name, values in found.items():
            figures |= {f"{setting}, {name}, {key}": value for key, value in values.items()}
            rows.append(
                [
                    setting,
                    name if name == "genoken" else f"BERT, {name}{' (best)' if name == best else ''}",
                    f"{values['tokens_per_second']:,.0f}",
                    f"{values['floor_tokens_per_second']:,.0f}",
                    f"{100 * values['utilization']:.0f} %",
                    f"{values['memory_mb']:,.0f}",
                    f"{values['first_loss']:.2f}",
                    f"{values['last_loss']:.2f}",
                ]
            )
        ratios[f"{setting}, speed"] = found["genoken"]["tokens_per_second"] / found[best]["tokens_per_second"]
        ratios[f"{setting}, memory"] = found[best]["memory_mb"] / found["genoken"]["memory_mb"]
    print(table(["setting", "side", "tokens/s", "floor", "utilization", "peak memory MB", "first loss", "last loss"], rows))
    print()
    print(table(["genoken against the best of BERT's (above 1: better)", "ratio"], [[n, f"{r:.2f}"] for n, r in ratios.items()]))
    write("pretrain_step", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
