"""Small networks with random weights, and the samples on which they are explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings, component_from_dict
from genoken.core.contracts import TokenizerState
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.data.dataset import TokenDataset
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import Explanation, explain_parts
from genoken.interpretation.subject import Subject
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.linear import LinearEncoder
from genoken.models.encoders.mlp import MlpEncoder
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.objectives.regress import RegressObjective
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.tokenizers.genotype import GenotypeTokenizer

NUM_FEATURES = 7
VALUES = np.array(
    [
        [1.0, 0.0, 2.0, 0.0, 0.5, 3.0, 0.0],
        [0.0, 1.5, 0.0, 0.7, 0.0, 0.0, 2.5],
        [2.0, 1.0, 0.3, 0.0, 1.2, 0.4, 0.9],
        [0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0],
        [0.6, 2.2, 0.0, 1.1, 0.0, 1.3, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ],
    dtype=np.float32,
)
DEVIATION = np.array([0.5, 1.0, 2.0, 0.8, 1.6, 0.4, 1.0])
MEAN = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4])
ENCODERS = {
    "transformer": TransformerEncoder(layers=2, heads=3, feed_forward=16),
    "mlp": MlpEncoder(layers=1),
    "linear": LinearEncoder(),
}


def build_subject(
    *,
    classes: int = 3,
    encoder: str = "transformer",
    tokens: str = "expressed",
    pooling: str = "cls",
    combine: str = "affine",
    values: np.ndarray = VALUES,
    labels: np.ndarray | None = None,
    feature_ids: tuple[str, ...] = (),
    seed: int = 3,
) -> Subject:
    """Return a subject with random weights in every part; ``classes=0`` makes it a regression."""
    tokenizer = ContinuousTokenizer(hvgs=0, tokens=tokens)
    state = TokenizerState(feature_ids=feature_ids or tuple(f"G{index}" for index in range(values.shape[1])))
    if classes:
        objective = ClassifyObjective()
        target = objective.fit(np.arange(12) % classes, "kind", tuple(f"class {index}" for index in range(classes)))
    else:
        objective = RegressObjective()
        target = objective.fit(np.array([1.0, 3.0, 8.0]), "age", ())
    settings = ModelSettings(
        width=12,
        embedding=EmbeddingSettings(combine=combine, init="random"),
        encoder=ENCODERS[encoder],
        head="linear" if encoder == "linear" else "mlp",
        pooling=pooling,
    )
    start = EmbeddingStart(
        mean=MEAN[: values.shape[1]],
        deviation=DEVIATION[: values.shape[1]],
        expressed_mean=MEAN[: values.shape[1]] + 0.5,
        expressed_deviation=DEVIATION[: values.shape[1]] + 0.3,
    )
    network = seeded_network(settings, tokenizer.layout(state), objective.head(target), start, seed)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draws), alpha=0.3)
    dataset = TokenDataset(tokenizer, state, sp.csr_matrix(values), labels)
    return Subject(network, dataset, objective, target)


GENOTYPES = np.array(
    [[0, 1, 2, 0, 1], [1, 1, 0, 0, 2], [2, 0, 1, 1, 0], [0, 2, 1, 2, 1], [1, 0, 0, 1, MISSING], [0, 1, 2, 1, 2]], dtype=np.int8
)
GENOTYPE_ENCODERS = {
    "linear": {"kind": "linear"},
    "cnn": {"kind": "cnn", "embedding": 4, "channels": [4, 4]},
    "cnn_transformer": {"kind": "cnn_transformer", "channels": [4], "patch": 2, "layers": 2, "heads": 2, "feed_forward": 8},
    "transformer": {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 8},
}


def build_genotype_subject(*, encoder: str = "cnn", encoding: str = "dosage", dense: np.ndarray = GENOTYPES) -> Subject:
    """Return a subject over genotypes with random weights, for two classes."""
    called = np.where(dense == MISSING, np.nan, dense.astype(np.float64))
    mean = np.nanmean(called, axis=0)
    deviation = np.where(np.isnan(called), mean, called).std(axis=0)
    token_mean = 0 * mean if encoding == "additive" else mean
    names = ("train_mean", "train_deviation", "expressed_mean", "expressed_deviation")
    per_feature = {"frequency": mean / 2} | dict(zip(names, (token_mean, deviation) * 2, strict=True))
    places = {"position_bp": 100.0 * np.arange(dense.shape[1]), "chromosome": np.array([0.0] * 3 + [1.0] * (dense.shape[1] - 3))}
    facts = {"counted_allele": ["A"] * dense.shape[1], "other_allele": ["G"] * dense.shape[1], "chromosomes": ["1", "X"]}
    ids = tuple(f"rs{index}" for index in range(dense.shape[1]))
    state = TokenizerState(feature_ids=ids, per_feature=per_feature | places, facts=facts)
    tokenizer, objective = GenotypeTokenizer(encoding=encoding), ClassifyObjective()
    labels = np.array([0, 1, 0, 1, 1, 0])
    target = objective.fit(labels, "trait", ("no", "yes"))
    settings = ModelSettings(
        width=8,
        embedding=EmbeddingSettings(init="random"),
        encoder=component_from_dict("encoders", GENOTYPE_ENCODERS[encoder]),
        head="linear" if encoder == "linear" else "mlp",
    )
    start = EmbeddingStart.from_state(per_feature)
    network = seeded_network(settings, tokenizer.layout(state), objective.head(target), start, 3)
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draws), alpha=0.3)
    return Subject(network.eval(), TokenDataset(tokenizer, state, sparse_dosages(dense), labels), objective, target)


def silence_encoder(subject: Subject) -> None:
    """Leave nothing but the linear path in the outputs."""
    with torch.no_grad():
        last = list(subject.network.head.children())[-1]
        last.weight.zero_()
        last.bias.zero_()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def subject_of() -> Callable[..., Subject]:
    return build_subject


@pytest.fixture
def genotype_subject() -> Callable[..., Subject]:
    return build_genotype_subject


@pytest.fixture
def explain_subject() -> Callable[..., Explanation]:
    """A function that explains a single model."""

    def explain(
        subject: Subject, *, rows: np.ndarray, symbols: tuple[str, ...], groups: np.ndarray | None = None, **named: Any
    ) -> Explanation:
        return explain_parts([Part(subject, rows, symbols, groups)], **named)

    return explain


@pytest.fixture
def two_folds() -> Callable[[], list[Part]]:
    """Two models with random weights, of which the second does not know G6 and knows Z; samples 0 to 2 and 3 to 5."""

    def parts() -> list[Part]:
        labels, names = np.array([2, 0, 0, 0, 0, 2]), ("G5", "Z", "G0", "G1", "G2", "G3", "G4")
        first, second = build_subject(labels=labels), build_subject(labels=labels, feature_ids=names, seed=5)
        return [Part(first, np.arange(3), tuple("ABCDEFG")), Part(second, np.arange(3, 6), tuple("FZABCDE"))]

    return parts


@pytest.fixture
def linear_subject() -> Subject:
    """Three classes, decided by the linear path alone."""
    subject = build_subject()
    silence_encoder(subject)
    return subject


@pytest.fixture
def linear_terms() -> Callable[[Subject, np.ndarray], np.ndarray]:
    """A function that returns ``x_g w_gc / s_g`` of each sample for its class: what any gradient method must find there."""

    def terms(subject: Subject, classes: np.ndarray) -> np.ndarray:
        weight = subject.network.linear_path.weight.detach().numpy().astype(np.float64)
        scale = subject.network.linear_path.scale.numpy().astype(np.float64)
        return np.stack([VALUES[row] * scale * weight[:, code] for row, code in enumerate(classes)])

    return terms
