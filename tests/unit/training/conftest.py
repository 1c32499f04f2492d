"""A data set of twelve samples, typed or drawn, and a network of width 8."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.config import ModelSettings
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.objectives.classify import ClassifyObjective
from genoken.tokenizers.continuous import ContinuousTokenizer


@pytest.fixture
def dataset() -> TokenDataset:
    """Twelve samples with 1 to 12 of 12 genes, two classes."""
    dense = np.tril(np.random.default_rng(0).uniform(0.5, 3, size=(12, 12))).astype(np.float32)
    table = pd.DataFrame(index=[str(row) for row in range(12)])
    features = pd.DataFrame(index=[f"g{column}" for column in range(12)])
    samples = Samples(values=sp.csr_matrix(dense), table=table, features=features, value_kind="log", origin="test")
    tokenizer = ContinuousTokenizer(hvgs=0)
    state = tokenizer.fit(samples)
    return TokenDataset(tokenizer, state, tokenizer.prepare(samples, np.arange(12), state), np.arange(12) % 2)


@pytest.fixture
def objective() -> ClassifyObjective:
    return ClassifyObjective()


@pytest.fixture
def target(objective, dataset):
    return objective.fit(dataset.labels, "kind", ("a", "b"))


@pytest.fixture
def network(dataset, objective, target):
    """A network whose linear path is not zero."""
    import torch

    settings = ModelSettings(encoder=TransformerEncoder(layers=1, heads=2, feed_forward=12, dropout=0.0), width=8, head_dropout=0.0)
    start = EmbeddingStart.from_state(dataset.state.per_feature)
    network = seeded_network(settings, dataset.tokenizer.layout(dataset.state), objective.head(target), start, 0)
    with torch.no_grad():
        network.linear_path.weight.copy_(torch.linspace(-1, 1, 12).unsqueeze(1))
    return network
