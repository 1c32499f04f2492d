"""Message passing between features that are connected."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class FeatureGraph(nn.Module):
    r"""The matrix :math:`D^{-1/2} (A + I) D^{-1/2}` of a graph of features, as a list of its entries.

    ``A`` has 1 where two features are connected, and ``D`` is the number of a feature's connections, itself included. A feature
    without any is passed on as it is. The entries are saved with the weights, so that a network that is read has its graph.

    Parameters
    ----------
    edges
        Pairs of features, int64 of shape (2, edges), each pair once; ``None`` for none.
    num_features
        Number of features.

    References
    ----------
    Kipf and Welling, "Semi-supervised classification with graph convolutional networks" (2017), arXiv:1609.02907.
    """

    entries: Tensor
    weights: Tensor

    def __init__(self, edges: np.ndarray | None, num_features: int) -> None:
        super().__init__()
        pairs = torch.zeros(2, 0, dtype=torch.int64) if edges is None else torch.from_numpy(np.asarray(edges, dtype=np.int64))
        own = torch.arange(num_features).expand(2, -1)
        entries = torch.cat([pairs, pairs.flip(0), own], dim=1)
        degree = torch.bincount(entries[0], minlength=num_features).float()
        self.num_features = num_features
        self.register_buffer("entries", entries)
        self.register_buffer("weights", (degree[entries[0]] * degree[entries[1]]).rsqrt())

    def forward(self, states: Tensor) -> Tensor:
        """Return what each feature gets from those that it is connected to, (samples, features, width), as the states are."""
        samples, features, width = states.shape
        with torch.autocast(states.device.type, enabled=False):  # products of sparse matrices want one type on both sides
            matrix = torch.sparse_coo_tensor(self.entries, self.weights.float(), (features, features), check_invariants=False)
            mixed = torch.sparse.mm(matrix, states.float().transpose(0, 1).reshape(features, samples * width))
        return mixed.view(features, samples, width).transpose(0, 1).to(states.dtype)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Take the size of the graph from the file: a network is built before it is known how many edges it has."""
        for name in ("entries", "weights"):
            found = state_dict.get(f"{prefix}{name}")
            if found is not None:
                setattr(self, name, getattr(self, name).new_empty(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *others)


class GraphConvolution(nn.Module):
    """``h + dropout(ELU(norm(P h W)))`` with ``P`` the graph's normalized matrix.

    Parameters
    ----------
    width
        Size of a feature's state.
    dropout
        Dropout of what is added.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.map = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, graph: FeatureGraph) -> Tensor:
        """Return states of the shape (samples, features, width) that they have."""
        return states + self.dropout(nn.functional.elu(self.norm(graph(self.map(states)))))
