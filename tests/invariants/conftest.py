"""A problem that trains in a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings, TrainingSettings
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import Network, seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.readers._anndata import samples_from_anndata
from genoken.synthetic import planted_markers
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.training.fit import Fit, fit
from genoken.training.task import SupervisedTask

TRAINING = {"epochs": 3, "batch_size": 8, "patience": 0, "logger": "none", "learning_rate": 1e-2, "average_decay": 0.0, "seed": 4}


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Return the share of right classes."""
    return {"accuracy": float((predictions.argmax(axis=1) == labels).mean())}


@dataclass(frozen=True)
class Problem:
    """42 train and 20 validation cells of 3 types, 32 genes, and a network of width 16."""

    train: TokenDataset
    val: TokenDataset
    objective: ClassifyObjective
    target: Any
    folder: Path
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def network(self, seed: int = 0) -> Network:
        """Return a network at its start."""
        encoder = TransformerEncoder(
            layers=2, heads=2, feed_forward=24, dropout=self.dropout, attention_dropout=self.attention_dropout
        )
        settings = ModelSettings(encoder=encoder, width=16, embedding=EmbeddingSettings(init="random"), head_dropout=self.dropout)
        start = EmbeddingStart.from_state(self.train.state.per_feature)
        return seeded_network(
            settings, self.train.tokenizer.layout(self.train.state), self.objective.head(self.target), start, seed
        )

    def fit(
        self,
        name: str,
        *,
        token_dropout: float = 0.0,
        on_epoch: Callable[[dict[str, float]], None] | None = None,
        scorer: Callable[[np.ndarray, np.ndarray], dict[str, float]] = accuracy,
        stop_after: int = 0,
        **training: Any,
    ) -> Fit:
        """Train in a folder of this name; ``training`` replaces settings."""
        settings = TrainingSettings(**(TRAINING | training))
        assert self.val.labels is not None
        task = SupervisedTask(
            self.objective, self.target, settings, len(self.train), self.val.labels, scorer, token_dropout=token_dropout
        )
        return fit(
            self.network(settings.seed),
            self.train,
            self.val,
            task,
            settings,
            folder=self.folder / name,
            on_epoch=on_epoch,
            stop_after=stop_after,
        )

    def with_dropout(self, dropout: float) -> Problem:
        """Return the same problem with dropout in the network."""
        return replace(self, dropout=dropout)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: for matrices of this size, more of them only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_parts() -> tuple[TokenDataset, TokenDataset, ClassifyObjective, Any]:
    """Return the train and the validation part, the objective and its target."""
    adata = planted_markers(samples=62, features=32, groups=4, seed=2)
    samples = samples_from_anndata(adata)
    labels = adata.obs["cell_type"].astype("category")
    codes = labels.cat.codes.to_numpy().astype(np.int64)
    order = np.random.default_rng(0).permutation(62)
    rows = {"train": order[:42], "val": order[42:]}
    tokenizer = ContinuousTokenizer(hvgs=0)
    state = tokenizer.fit(samples.take(rows["train"]))
    prepared = tokenizer.prepare(samples, samples.features.index.get_indexer(list(state.feature_ids)), state)
    objective = ClassifyObjective()
    target = objective.fit(codes[rows["train"]], "cell_type", tuple(labels.cat.categories))
    train, val = (TokenDataset(tokenizer, state, prepared[chosen], codes[chosen]) for chosen in rows.values())
    return train, val, objective, target


@pytest.fixture(scope="session")
def parts() -> tuple[TokenDataset, TokenDataset, ClassifyObjective, Any]:
    return make_parts()


@pytest.fixture
def problem(parts, tmp_path) -> Problem:
    return Problem(*parts, folder=tmp_path)


@pytest.fixture
def assert_same_weights() -> Callable[..., None]:
    """Compare the weights of two fits: bit for bit, or within a tolerance."""

    def compare(one: Fit, other: Fit, tolerance: float = 0.0) -> None:
        states = one.network.state_dict(), other.network.state_dict()
        assert list(states[0]) == list(states[1])
        for name, tensor in states[0].items():
            known = torch.ones_like(tensor, dtype=torch.bool)
            if tolerance and name.endswith("query_key_value.bias"):
                # A bias of the keys shifts all scores of a query alike: its gradient is rounding, which Adam scales up.
                known[len(tensor) // 3 : 2 * len(tensor) // 3] = False
            found, expected = states[1][name][known], tensor[known]
            torch.testing.assert_close(
                found, expected, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )

    return compare


@pytest.fixture
def distance() -> Callable[[Fit, Fit], float]:
    """Largest difference of the weights of two fits."""
    return lambda one, other: max(
        (a - b).abs().max().item() for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True)
    )
