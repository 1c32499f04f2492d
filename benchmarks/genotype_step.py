"""Speed, memory and accuracy of training steps on genotypes, by the number of variants, against plain full attention.

Every network of genoken that takes genotypes, in each number format that the device has, at 1,000 to 100,000 variants. The plain
way is the same embedding under ``torch.nn.TransformerEncoder``, in which every variant attends to every other; it has the width,
depth and heads of the windowed transformer, and is left out where a step, by the square of the variants, would take over a minute
or more memory than there is. Each measurement has a process of its own; peak memory is beyond what that held before the network
was made. One step warms up, then three are timed (fewer where they are slow).

``memory growth`` is the memory per variant at the most variants over that at the next fewer: 1 where memory is linear. Accuracy is
that on people who were not trained on, after 100 steps on 1,000 variants five of which tell the label.

    python benchmarks/genotype_step.py [--quick] [--threads N] [--only cnn,gnn]
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from _results import figures_before, options, table, write
from _steps import Side, peak_memory_mb
from genoken.core.config import EmbeddingSettings, ModelSettings, component_from_dict
from genoken.core.contracts import TokenizerState
from genoken.core.genotypes import sparse_dosages
from genoken.core.layout import HeadSpec
from genoken.core.random import generator
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart
from genoken.models.network import seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.tokenizers.genotype import GenotypeTokenizer
from genoken.training.memory import is_out_of_memory
from genoken.training.precision import choose_device, choose_precision

WIDTH, LAYERS, HEADS, FEED_FORWARD = 64, 2, 4, 128
NETWORKS = {
    "linear": {"kind": "linear"},
    "mlp": {"kind": "mlp"},
    "cnn": {"kind": "cnn", "channels": [16, 32, 64], "dropout": 0.0},
    "cnn_transformer": {"kind": "cnn_transformer", "channels": [16, 32], "patch": 32, "layers": LAYERS, "heads": HEADS,
                        "feed_forward": FEED_FORWARD, "dropout": 0.0},
    "gnn": {"kind": "gnn", "dropout": 0.0},
    "windowed transformer": {"kind": "transformer", "layers": LAYERS, "heads": HEADS, "feed_forward": FEED_FORWARD, "window": 128,
                             "dropout": 0.0},
}  # fmt: skip
PLAIN = "plain transformer"
TOLD_BY = 5
LONGEST_STEP = 60.0


@dataclass(frozen=True)
class Case:
    """What one process measures."""

    network: str
    variants: int
    precision: str
    batch: int
    threads: int
    steps: int = 3
    learns: bool = False


def people(variants: int, samples: int) -> TokenDataset:
    """Return random dosages and the label that the first variants tell together."""
    rng = generator(0, "benchmark people", variants)
    dense = rng.binomial(2, 0.3, size=(samples, variants)).astype(np.int8)
    labels = (dense[:, :TOLD_BY].sum(axis=1) > 0.6 * TOLD_BY).astype(np.int64)
    moments = {"frequency": dense.mean(axis=0) / 2, "train_mean": dense.mean(axis=0), "train_deviation": dense.std(axis=0) + 1e-3}
    state = TokenizerState(tuple(f"rs{index}" for index in range(variants)), moments)
    return TokenDataset(GenotypeTokenizer(), state, sparse_dosages(dense), labels)


class Plain(nn.Module):
    """The plain way: a vector and a slope per variant, attention between all of them, the mean, a linear map."""

    def __init__(self, variants: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(0.1 * torch.randn(variants, WIDTH))
        self.slopes = nn.Parameter(0.1 * torch.randn(variants, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return logits (samples, 1) of dosages (samples, variants)."""
        return self.head(self.encoder(self.vectors + values.unsqueeze(2) * self.slopes).mean(dim=1))


class GenotypeSide(Side[np.ndarray]):
    """One network with its optimizer; a step is some rows."""

    def __init__(self, case: Case, data: TokenDataset) -> None:
        device = choose_device()
        torch.manual_seed(0)
        network = Plain(case.variants) if case.network == PLAIN else _network(case, data)
        super().__init__(network, device, 3e-3)
        self.precision = choose_precision(case.precision, device)
        self.data = data
        self.objective = ClassifyObjective(class_weight_power=0.0)
        self.target = self.objective.fit(data.labels, "label", ("no", "yes"))

    def outputs(self, rows: np.ndarray) -> Tensor:
        """Return logits (samples, 1)."""
        if isinstance(self.network, Plain):
            return self.network(torch.from_numpy(self.data.prepared[rows].toarray()).to(self.device))
        return self.network(self.data.batch(rows).to(self.device)).outputs

    def loss(self, step: np.ndarray) -> Tensor:
        """Return the mean loss of some people."""
        labels = torch.from_numpy(self.data.labels[step]).to(self.device).float()
        return nn.functional.binary_cross_entropy_with_logits(self.outputs(step).squeeze(1).float(), labels)

    def accuracy(self, rows: np.ndarray) -> float:
        """Return the share of people who are told right."""
        self.network.eval()
        with torch.no_grad(), torch.autocast(self.device.type, dtype=self.precision.dtype, enabled=self.precision.name != "fp32"):
            found = torch.cat([self.outputs(part).squeeze(1).float() for part in np.array_split(rows, 10)]) > 0
        return float((found.cpu().numpy() == self.data.labels[rows]).mean())


def _network(case: Case, data: TokenDataset) -> nn.Module:
    encoder = component_from_dict("encoders", NETWORKS[case.network])
    model = ModelSettings(
        width=WIDTH, encoder=encoder, embedding=EmbeddingSettings(init="random", token_dropout=0.0), head_dropout=0.0,
        head="linear" if case.network == "linear" else "mlp", linear_path=case.learns and encoder.takes != "bag",
    )  # fmt: skip
    start = EmbeddingStart.from_state(data.state.per_feature)
    if case.network == "gnn":  # each variant with the two in front of it, as where linkage is strong
        near = [np.stack([np.arange(case.variants - gap), np.arange(gap, case.variants)]) for gap in (1, 2)]
        start = EmbeddingStart(**{**vars(start), "edges": np.concatenate(near, axis=1)})
    return seeded_network(model, data.layout, HeadSpec(outputs=1), start, 0)


def measure(case: Case) -> dict[str, float]:
    """Return samples per second and peak memory, or the accuracy, of one case; run in a process of its own."""
    torch.set_num_threads(case.threads)
    device = choose_device()
    if case.learns:
        data = people(case.variants, 600)
        side = GenotypeSide(case, data)
        rng = generator(0, "benchmark steps")
        for _ in range(case.steps):
            side.train(rng.integers(0, 400, case.batch))
        return {"accuracy": side.accuracy(np.arange(400, 600))}
    data = people(case.variants, case.batch)
    rows, seconds = np.arange(case.batch), []

    def work() -> None:
        side = GenotypeSide(case, data)
        for _ in range(1 + case.steps):
            began = time.perf_counter()
            side.train(rows)
            seconds.append(time.perf_counter() - began)
            if sum(seconds[1:]) > LONGEST_STEP / 2:
                break

    try:
        memory = peak_memory_mb(work, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return {}
    return {"samples_per_second": case.batch / float(np.median(seconds[1:] or seconds)), "memory_mb": memory}


def in_fresh_process(case: Case) -> dict[str, float]:
    """Return what a new process measures."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (case,))


def precisions() -> tuple[str, ...]:
    """Return the number formats that the device has."""
    if not torch.cuda.is_available():
        return ("fp32", "bf16")
    return ("fp32", "bf16", "fp16") if torch.cuda.get_device_capability()[0] >= 8 else ("fp32", "fp16")


def measured(name: str, sizes: tuple[int, ...], precision: str, batch: int, threads: int) -> dict[int, dict[str, float]]:
    """Return what one network takes at each number of variants, as far as it can be run."""
    found: dict[int, dict[str, float]] = {}
    for variants in sizes:
        if name == PLAIN and found:
            largest = max(found)
            if batch / found[largest]["samples_per_second"] * (variants / largest) ** 2 > LONGEST_STEP:
                break
        one = in_fresh_process(Case(name, variants, precision, batch, threads))
        if not one:
            break
        found[variants] = one
        print(f"{name}, {precision}, {variants:,} variants: {one}", flush=True)
    return found


def growth(found: dict[int, dict[str, float]]) -> float | None:
    """Return the memory per variant at the most variants over that at the next fewer; ``None`` where there are not two."""
    if len(found) < 2:
        return None
    fewer, most = sorted(found)[-2:]
    return (found[most]["memory_mb"] / most) / (found[fewer]["memory_mb"] / fewer)


def main() -> None:
    """Measure all cases and write the table."""
    chosen = options(__doc__ or "")
    sizes = (1_000, 2_000) if chosen.quick else (1_000, 10_000, 50_000, 100_000)
    batch = 16 if torch.cuda.is_available() else 2
    names = [name for name in (*NETWORKS, PLAIN) if not chosen.only or name in chosen.only.split(",")]
    figures, ratios, rows = figures_before("genotype_step", chosen), {}, []
    for precision in precisions()[: 1 if chosen.quick else None]:
        all_found = {name: measured(name, sizes, precision, batch, chosen.threads) for name in dict.fromkeys((*names, PLAIN))}
        plain = all_found[PLAIN]
        for name in names:
            found, per_variant = all_found[name], growth(all_found[name])
            learned = Case(name, sizes[0], precision, 16, chosen.threads, 5 if chosen.quick else 100, learns=True)
            accuracy = in_fresh_process(learned)["accuracy"]
            figures[f"{name}, {precision}"] = {
                "variants": {str(count): one for count, one in found.items()}, "memory_growth": per_variant, "accuracy": accuracy
            }  # fmt: skip
            cells = [_cell(found.get(count), plain.get(count)) for count in sizes]
            rows.append([name, precision, *cells, "-" if per_variant is None else f"{per_variant:.2f}", f"{accuracy:.3f}"])
            for count in sorted(set(found) & set(plain)) if name != PLAIN else ():
                ratios[f"{name}, {precision}, {count}: speed"] = (
                    found[count]["samples_per_second"] / plain[count]["samples_per_second"]
                )
                ratios[f"{name}, {precision}, {count}: memory"] = plain[count]["memory_mb"] / max(found[count]["memory_mb"], 1.0)
    columns = [f"{count:,} variants: samples/s, MB" for count in sizes]
    print(table(["network", "format", *columns, "memory growth", "accuracy"], rows))
    write("genotype_step", ratios, figures, chosen=chosen)


def _cell(found: dict[str, float] | None, plain: dict[str, float] | None) -> str:
    if found is None:
        return "not run"
    ratio = f" ({found['samples_per_second'] / plain['samples_per_second']:.1f}x)" if plain is not None else ""
    return f"{found['samples_per_second']:.2f}{ratio}, {found['memory_mb']:,.0f}"


if __name__ == "__main__":
    main()
