"""What every encoder of grids promises: samples do not meet, memory is linear, it learns, and it can be explained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genoken.core.components import kinds, resolve
from genoken.core.config import ModelSettings, component_from_dict
from genoken.core.contracts import TokenizerState
from genoken.core.errors import ConfigError
from genoken.core.genotypes import sparse_dosages
from genoken.core.grid_contracts import Grid, Penalized
from genoken.core.layout import HeadSpec
from genoken.data.dataset import TokenDataset
from genoken.interpretation.subject import Subject
from genoken.models.embeddings import EmbeddingStart
from genoken.models.network import seeded_network, set_gradient_checkpointing
from genoken.objectives.classify import ClassifyObjective
from genoken.tokenizers.genotype import GenotypeTokenizer

KINDS = tuple(kind for kind in kinds("encoders") if resolve("encoders", kind).takes == "grid" and kind != "own")
VARIANTS, SAMPLES = 37, 160
SMALL = {
    "cnn": {"channels": [8, 8], "dropout": 0.0},
    "cnn_transformer": {"channels": [8], "patch": 4, "layers": 1, "heads": 2, "feed_forward": 16, "dropout": 0.0},
    "gnn": {"layers": 1, "dropout": 0.0},
    "single_effect": {"effects": 3, "pairs": 2},
}
TAKES_COPIES = ("single_effect",)
"""Kinds that take nothing but copies of an allele."""
EDGES = np.array([[0, 1, 5], [1, 2, 6]])


def test_there_are_some():
    assert set(KINDS) == set(SMALL)


def dataset_of(encoding: str = "dosage") -> TokenDataset:
    """Return people whose class is told by variants 11 and 23 together: neither alone tells anything."""
    rng = np.random.default_rng(3)
    dense = rng.integers(0, 3, size=(SAMPLES, VARIANTS)).astype(np.int8)
    labels = ((dense[:, 11] > 0) ^ (dense[:, 23] > 0)).astype(np.int64)
    tokenizer = GenotypeTokenizer(encoding=encoding)
    called = dense.astype(np.float64)
    state = TokenizerState(
        feature_ids=tuple(f"rs{index}" for index in range(VARIANTS)),
        per_feature={
            "frequency": called.mean(axis=0) / 2,
            "train_mean": called.mean(axis=0),
            "train_deviation": called.std(axis=0),
        },
    )
    return TokenDataset(tokenizer, state, sparse_dosages(dense), labels)


def network_of(kind: str, dataset: TokenDataset, *, linear_path: bool = True, **settings):
    model = ModelSettings(
        encoder=component_from_dict("encoders", {"kind": kind, **SMALL[kind], **settings}),
        width=12,
        linear_path=linear_path,
        head_dropout=0.0,
    )
    start = replace(EmbeddingStart.from_state(dataset.state.per_feature), edges=EDGES)
    network = seeded_network(model, dataset.layout, HeadSpec(outputs=2), start, seed=0)
    if network.linear_path is not None:
        with torch.no_grad():
            network.linear_path.weight.normal_(generator=torch.Generator().manual_seed(1))
    return network.eval()


def kinds_and(*encodings: str) -> list[tuple[str, str]]:
    """Return each kind with each of these encodings that it takes."""
    return [
        (kind, encoding)
        for kind in KINDS
        for encoding in encodings
        if kind not in TAKES_COPIES or encoding in ("dosage", "additive")
    ]


@pytest.mark.parametrize(("kind", "encoding"), kinds_and("dosage", "one_hot", "genotype8"))
def test_a_sample_in_a_batch_is_the_sample_alone(kind, encoding):
    dataset = dataset_of(encoding)
    network = network_of(kind, dataset)
    rows = np.array([4, 9, 2])
    together = network(dataset.batch(rows))
    alone = torch.cat([network(dataset.batch(np.array([row]))).outputs for row in rows])
    torch.testing.assert_close(together.outputs, alone, rtol=1e-4, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 1e-3
    assert together.states.shape == (3, 12)
    assert len(together.summands) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_sample_sees_another_and_every_weight_learns(kind):
    dataset = dataset_of()
    network = network_of(kind, dataset).train()
    batch = dataset.batch(np.arange(4))
    embedded = network.embedded_tokens(batch).requires_grad_()
    outputs = network(batch, embedded).outputs
    (gradient,) = torch.autograd.grad(outputs[1].square().sum(), embedded, retain_graph=True)
    per_sample = gradient.view(4, -1).abs().sum(dim=1)
    assert per_sample[1] > 0
    assert (per_sample[[0, 2, 3]] == 0).all()
    cost = network.encoder.penalty() if isinstance(network.encoder, Penalized) else 0.0
    (outputs.square().sum() + cost).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


class Largest(TorchDispatchMode):
    """Notes the most numbers of any tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor) and leaf.layout == torch.strided]
        self.most = max([self.most, *(leaf.numel() for leaf in tensors)])
        return found


def largest_tensor(kind: str, num_features: int) -> int:
    chain = np.stack([np.arange(num_features - 1), np.arange(1, num_features)])
    encoder = component_from_dict("encoders", {"kind": kind, **SMALL[kind]})
    module = encoder.build_grid(Grid(channels=1, num_features=num_features, edges=chain), 8)
    with Largest() as largest:
        module(torch.zeros(1, num_features, 1)).sum().backward()
    return largest.most


@pytest.mark.parametrize("kind", KINDS)
def test_memory_grows_linearly_with_the_variants(kind):
    few, many = largest_tensor(kind, 10_000), largest_tensor(kind, 20_000)
    assert many <= 2.05 * few
    assert many <= 60 * 20_000  # at most so many numbers per variant, far from 20,000


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_variant_tells_alone_is_learned(kind):
    dataset = dataset_of("dosage" if kind in TAKES_COPIES else "one_hot")
    network = network_of(kind, dataset, linear_path=False).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    batch, labels = dataset.batch(np.arange(SAMPLES)), torch.from_numpy(dataset.labels)
    for _ in range(80):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(batch).outputs, labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.3  # chance: 0.69
    network.eval()
    assert (network(batch).outputs.argmax(dim=1) == labels).float().mean() > 0.9


@pytest.mark.parametrize(("kind", "encoding"), kinds_and("dosage", "additive", "one_hot"))
def test_it_is_explained(kind, encoding):
    dataset = dataset_of(encoding)
    objective = ClassifyObjective(class_weight_power=0.0)
    target = objective.fit(dataset.labels, "trait", ("no", "yes"))
    model = ModelSettings(encoder=component_from_dict("encoders", {"kind": kind, **SMALL[kind]}), width=12)
    start = replace(EmbeddingStart.from_state(dataset.state.per_feature), edges=EDGES)
    network = seeded_network(model, dataset.layout, objective.head(target), start, seed=0)
    with torch.no_grad():
        network.linear_path.weight.normal_(generator=torch.Generator().manual_seed(1))
    subject = Subject(network, dataset, objective, target)
    rows = np.array([3, 0])
    integrated = component_from_dict("attributions", {"kind": "integrated_gradients", "steps": 128})
    found = integrated.attribute(subject, rows, dataset.labels[rows])
    assert found.scores.shape == (2, VARIANTS)
    assert (found.changes > 1e-3).any()
    assert found.completeness_error < 0.02
    weights = component_from_dict("attributions", "attention").attribute(subject, rows, dataset.labels[rows]).scores
    if kind not in TAKES_COPIES:  # whose weights are probabilities, not shares
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert (weights.data >= 0).all()
    assert (weights.data <= 1).all()
    assert not subject.has_attention
    for method in ("gradient", "ensemble"):
        scores = component_from_dict("attributions", method).attribute(subject, rows, dataset.labels[rows]).scores
        assert np.abs(scores).sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_recomputation_are_the_same(kind):
    dataset = dataset_of()
    found = []
    for enabled in (False, True):
        network = network_of(kind, dataset).train()
        set_gradient_checkpointing(network, enabled)
        torch.manual_seed(0)
        network(dataset.batch(np.arange(3))).outputs.square().sum().backward()
        found.append([weight.grad for weight in network.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_single_tokens_have_no_states(kind):
    dataset = dataset_of()
    network = network_of(kind, dataset)
    with pytest.raises(ConfigError, match="no token states"):
        network.token_states(dataset.batch(np.arange(2)))
    assert network.feature_table.shape == (VARIANTS, 0)
