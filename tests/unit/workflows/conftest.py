"""Small samples with a table, and ten cells with those that come next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.config import PretrainConfig, build
from genoken.core.samples import Samples
from genoken.data.successors import Successors
from genoken.models.embeddings import EmbeddingStart
from genoken.workflows.encoder import Encoder
from genoken.workflows.next_cell import pairs_for
from genoken.workflows.prepared import Prepared
from genoken.workflows.pretrained import PretrainedModel, new_network


@pytest.fixture
def samples() -> Callable[..., Samples]:
    """Return a function that makes samples of four genes from the columns of their table."""

    def make(values: Any = None, **columns: Any) -> Samples:
        table = pd.DataFrame(columns)
        table.index = pd.Index([f"s{row}" for row in range(len(table))])
        values = np.ones((len(table), 4)) if values is None else values
        features = pd.DataFrame(index=["a", "b", "c", "d"])
        return Samples(sp.csr_matrix(np.asarray(values, dtype=np.float32)), table, features, "counts", "cells.h5ad:X")

    return make


LOG_VALUES = np.array(
    [[1, 0, 0], [0, 2, 0], [0, 0, 3], [2, 0, 2], [1, 1, 0], [4, 0, 0], [0, 4, 0], [1, 0, 3], [0, 2, 1], [3, 0, 1]], dtype=np.float32
)
EDGES = ((0, 1), (0, 2), (1, 2), (3, 4), (5, 6), (7, 8), (7, 9), (8, 9))


@pytest.fixture
def few_cells() -> Callable[..., tuple[Prepared, pd.DataFrame]]:
    """Return a function that makes ten cells of three genes, an untrained network, and a table of the columns that it is given.

    Rows 0 to 4 are train cells, 5 and 6 validate, 7 to 9 are tested. Who comes next is in ``EDGES``, all within parts.
    """

    def make(
        successors: Mapping[str, Any] | None = None,
        values: np.ndarray = LOG_VALUES,
        edges: Any = EDGES,
        alone: bool = False,
        **columns: Any,
    ) -> tuple[Prepared, pd.DataFrame]:
        content = {
            "successors": {"key": "next_cell_ids", "draw": "first", **(successors or {})},
            "tokenizer": columns.pop("tokenizer", {"kind": "continuous", "hvgs": 0}),
            "objectives": columns.pop("objectives", ["next_value"]),
            "data": columns.pop("data", {}),
            "model": {
                "width": 8,
                "linear_path": False,
                "encoder": {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 8},
            },
            "training": {"precision": "fp32", "seed": 3},
        }
        config = build(PretrainConfig, content)
        table = pd.DataFrame(columns, index=[f"cell_{row}" for row in range(10)])
        samples = Samples(sp.csr_matrix(values), table, pd.DataFrame(index=["a", "b", "c"]), "log", "cells.h5ad:X")
        rows = {"train": np.arange(5), "val": np.array([5, 6]), "test": np.array([7, 8, 9])}
        encoder, found = Encoder.of_samples(config.tokenizer, samples.take(rows["train"]), None)
        cells = encoder.dataset(samples, found.columns)
        network = new_network(config, cells, EmbeddingStart.from_state(encoder.state.per_feature))
        model = PretrainedModel(config, encoder.state, encoder.symbols, None, network)
        if alone:
            return Prepared(model, cells, rows), table
        starts, ends = np.array(edges).T
        graph = Successors.of_edges(starts, ends, np.arange(1.0, len(starts) + 1), 10)
        graph = graph.first() if config.successors.draw == "first" else graph
        return Prepared(model, cells, rows, pairs_for(model, cells, graph, where="cells.h5ad:X")), table

    return make
