"""Training speed against the plain way of writing the same classifier.

The plain way: every cell is a dense row, every gene a token, ``torch.nn.TransformerEncoder`` over a padded batch. Ours: packed
tokens. Both have the same width, depth, dropouts, start, optimizer, cells, batch size and threads; the linear path and the
averaging of weights, which the plain way does not have, are switched off. Steps of the two alternate in one process, so that a slow
minute of the machine hits both. Peak memory is that of a fresh process that runs one side alone.

    python benchmarks/classifier_step.py [--quick]
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from dataclasses import dataclass

import numpy as np
import scanpy
import torch
from torch import Tensor, nn

from _results import data_folder, options, table, write
from _steps import peak_memory_mb
from genoken.core.config import EmbeddingSettings, ModelSettings
from genoken.data.dataset import TokenDataset
from genoken.data.order import epoch_order
from genoken.models.embeddings import SLOPE_START, VALUE_LIMIT, EmbeddingStart, svd_start
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.heads import build_head
from genoken.models.network import Network, seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.readers._anndata import samples_from_anndata
from genoken.synthetic import planted_markers
from genoken.tokenizers.continuous import ContinuousTokenizer

WIDTH, HEADS, LAYERS, FEED_FORWARD, DROPOUT, BATCH = 128, 8, 3, 256, 0.1, 8
LEARNING_RATE = 5e-4


@dataclass
class Problem:
    """Cells with labels, tokenized both ways."""

    name: str
    expressed: TokenDataset
    all_genes: TokenDataset
    labels: np.ndarray
    num_train: int

    @property
    def majority(self) -> float:
        """Share of the most frequent class among the cells that are not trained on."""
        tested = self.labels[self.num_train :]
        return float(np.bincount(tested).max() / len(tested))

    @property
    def fill(self) -> float:
        """Share of the plain way's tokens that are expressed genes."""
        return float(self.expressed.lengths().mean() / self.all_genes.lengths().mean())


class Plain(nn.Module):
    """The plain way: embedding of every gene, ``nn.TransformerEncoder``, head on the CLS token.

    The embedding is the one that ours uses, so that both can learn; with the source's factor on the gene vector neither has learned
    anything yet after as few steps where zeros are tokens too.
    """

    def __init__(self, start: EmbeddingStart, spec: object) -> None:
        super().__init__()
        self.genes = nn.Parameter(torch.from_numpy(start.features.copy()))
        self.slopes = nn.Parameter(SLOPE_START * torch.randn(self.genes.shape))
        self.register_buffer("center", torch.tensor(start.expressed_mean, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(start.expressed_deviation, dtype=torch.float32))
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, DROPOUT, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        for block in self.encoder.layers:
            # Ours has none either; with it torch leaves its fast attention, and the plain way would be many times slower.
            block.self_attn.dropout = 0.0  # type: ignore[union-attr, assignment]
        self.head = build_head("mlp", WIDTH, spec, DROPOUT)  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        """Return logits for dense values (cells, genes)."""
        standardized = ((values - self.center) / self.spread).clamp(-VALUE_LIMIT, VALUE_LIMIT)
        tokens = self.genes + standardized.unsqueeze(2) * self.slopes
        states = self.encoder(torch.cat([self.cls.expand(len(values), -1, -1), tokens], dim=1))
        return self.head(states[:, 0])


def load(name: str, quick: bool) -> Problem | None:
    """Return one problem, or ``None`` when its data are not here."""
    if name == "765 genes":
        adata, label = scanpy.datasets.pbmc68k_reduced(), "bulk_labels"
    else:
        folder = data_folder()
        path = folder / "expression" / "single_cell" / "pbmc3k_raw.h5ad" if folder else None
        if path is not None and path.is_file():
            adata, label = scanpy.read_h5ad(path), "cell_type"
            adata = adata[adata.obs[label] != "unassigned"].copy()
        else:
            print(f"{name}: pbmc3k is not here, synthetic cells of the same size take its place")
            adata, label = planted_markers(samples=2000, features=2000, classes=8, depth=1500), "cell_type"
    samples = samples_from_anndata(adata)
    rows = epoch_order(samples.num_samples, 0, 0)[: 40 if quick else 600]
    samples = samples.take(rows)
    labels = samples.table[label].astype("category").cat.codes.to_numpy().astype(np.int64)
    num_train = int(0.7 * len(rows))
    both = []
    for tokens in ("expressed", "all"):
        tokenizer = ContinuousTokenizer(tokens=tokens, hvgs=2000)
        state = tokenizer.fit(samples.take(np.arange(num_train)))
        columns = samples.features.index.get_indexer(list(state.feature_ids))
        both.append(TokenDataset(tokenizer, state, tokenizer.prepare(samples, columns, state), labels))
    return Problem(name, both[0], both[1], labels, num_train)


class Side:
    """One way of training: a step on some rows, and the accuracy on the others."""

    def __init__(self, kind: str, problem: Problem) -> None:
        self.kind, self.problem = kind, problem
        self.objective = ClassifyObjective(class_weight_power=0.0)
        classes = tuple(str(code) for code in range(int(problem.labels.max()) + 1))
        self.target = self.objective.fit(problem.labels[: problem.num_train], "label", classes)
        self.dataset = problem.all_genes if kind != "expressed" else problem.expressed
        vectors = svd_start(self.dataset.prepared[: problem.num_train], WIDTH, 0)
        start = EmbeddingStart.from_state(self.dataset.state.per_feature, vectors)
        head = self.objective.head(self.target)
        self.network: Network | Plain
        torch.manual_seed(0)
        if kind == "plain":
            self.network = Plain(start, head)
            self.dense = torch.from_numpy(self.dataset.prepared.toarray())
        else:
            settings = ModelSettings(
                width=WIDTH,
                embedding=EmbeddingSettings(token_dropout=0.0),
                encoder=TransformerEncoder(layers=LAYERS, heads=HEADS, feed_forward=FEED_FORWARD, dropout=DROPOUT),
                linear_path=False,
                head_dropout=DROPOUT,
            )
            layout = self.dataset.tokenizer.layout(self.dataset.state)
            self.network = seeded_network(settings, layout, head, start, 0)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE, fused=True)
        self.network.train()

    def outputs(self, rows: np.ndarray) -> tuple[Tensor, object]:
        """Return logits and the batch with targets."""
        if isinstance(self.network, Plain):
            batch = self.objective.prepare(self.problem.expressed.batch(rows[:1]), self.problem.labels[rows], self.target)
            return self.network(self.dense[torch.from_numpy(rows)]), batch
        batch = self.objective.prepare(self.dataset.batch(rows), self.problem.labels[rows], self.target)
        return self.network(batch).outputs, batch

    def step(self, rows: np.ndarray) -> None:
        """Take one optimizer step."""
        outputs, batch = self.outputs(rows)
        loss = self.objective.loss(outputs, batch, self.target)  # type: ignore[arg-type]
        self.optimizer.zero_grad(set_to_none=True)
        loss.mean.backward()
        self.optimizer.step()

    def accuracy(self) -> float:
        """Return the accuracy on the cells that were not trained on."""
        self.network.eval()
        rows = np.arange(self.problem.num_train, len(self.problem.labels))
        right = 0
        with torch.inference_mode():
            for begin in range(0, len(rows), BATCH):
                chosen = rows[begin : begin + BATCH]
                predicted = self.objective.predict(self.outputs(chosen)[0], self.target).argmax(1).numpy()
                right += int((predicted == self.problem.labels[chosen]).sum())
        self.network.train()
        return right / len(rows)


def batches_of(problem: Problem, epochs: int) -> list[np.ndarray]:
    """Return the rows of all steps, the same for every side."""
    orders = [epoch_order(problem.num_train, 0, epoch) for epoch in range(epochs)]
    return [order[begin : begin + BATCH] for order in orders for begin in range(0, len(order) - BATCH + 1, BATCH)]


def memory_in_fresh_process(kind: str, name: str, quick: bool) -> float:
    """Return how much memory a few steps take at most in a fresh process, beyond the data that were there before, in MiB."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_memory_of, (kind, name, quick))


def _memory_of(kind: str, name: str, quick: bool) -> float:
    problem = load(name, quick)
    assert problem is not None
    side = Side(kind, problem)
    return peak_memory_mb(lambda: [side.step(rows) for rows in batches_of(problem, 1)[:4]], torch.device("cpu"))


def main() -> None:
    """Measure both problems and write the table."""
    chosen = options(__doc__ or "")
    rows_of_table, ratios, figures = [], {}, {}
    for name, epochs in (("765 genes", 4), ("2000 genes", 3)):
        if chosen.only and name not in chosen.only.split(","):
            continue
        problem = load(name, chosen.quick)
        if problem is None:
            continue
        print(f"{name}: the most frequent class alone has accuracy {problem.majority:.3f}", flush=True)
        sides = {kind: Side(kind, problem) for kind in ("plain", "expressed", "all")}
        seconds: dict[str, list[float]] = {kind: [] for kind in sides}
        steps = batches_of(problem, 1 if chosen.quick else epochs)
        for index, rows in enumerate(steps):
            for kind, side in sides.items():
                began = time.perf_counter()
                side.step(rows)
                if index >= 2:
                    seconds[kind].append(time.perf_counter() - began)
        speed = {kind: BATCH / statistics.median(values) for kind, values in seconds.items()}
        for kind, side in sides.items():
            ratio, memory = speed[kind] / speed["plain"], memory_in_fresh_process(kind, name, chosen.quick)
            accuracy = side.accuracy()
            fill = problem.fill if kind == "expressed" else 1.0
            rows_of_table.append(
                [name, kind, f"{speed[kind]:.1f}", f"{ratio:.2f}", f"{100 * fill:.0f} %", f"{memory:.0f}", f"{accuracy:.3f}"]
            )
            figures[f"{name}, {kind}"] = {
                "samples_per_second": speed[kind],
                "fill": fill,
                "memory_mb": memory,
                "accuracy": accuracy,
                "majority": problem.majority,
                "steps": len(steps),
            }
            if kind != "plain":
                ratios[f"{name}, {kind} tokens"] = ratio
    print(table(["data", "tokens", "samples/s", "ratio to plain", "tokens of plain's", "memory MB", "accuracy"], rows_of_table))
    write("classifier_step", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
