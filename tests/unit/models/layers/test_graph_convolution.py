"""Messages along edges: by hand, parity with torch-geometric, the graph in a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genoken.models.layers.graph_convolution import FeatureGraph, GraphConvolution

EDGES = np.array([[0, 1, 0], [1, 2, 4]])


def test_messages_by_hand():
    graph = FeatureGraph(EDGES, 5)  # degrees with oneself: 3, 3, 2, 1, 2
    found = graph(torch.eye(5).unsqueeze(0))[0]
    a, b = 1 / 3, 6**-0.5
    expected = [[a, a, 0, 0, b], [a, a, b, 0, 0], [0, b, 0.5, 0, 0], [0, 0, 0, 1, 0], [b, 0, 0, 0, 0.5]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_without_edges_features_are_passed_on():
    states = torch.randn(2, 3, 4)
    torch.testing.assert_close(FeatureGraph(None, 3)(states), states)


def test_it_is_the_convolution_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is an optional extra")
    reference = geometric.GCNConv(6, 6)
    ours, graph = GraphConvolution(6, 0.0), FeatureGraph(EDGES, 5)
    with torch.no_grad():
        ours.map.weight.copy_(reference.lin.weight)
        ours.map.bias.zero_()
    states = torch.randn(2, 5, 6)
    pairs = torch.from_numpy(np.concatenate([EDGES, EDGES[::-1]], axis=1))
    expected = torch.stack([reference(sample, pairs) for sample in states]) - reference.bias
    torch.testing.assert_close(graph(ours.map(states)), expected, rtol=1e-5, atol=1e-6)
    added = torch.nn.functional.elu(ours.norm(expected))
    torch.testing.assert_close(ours(states, graph), states + added, rtol=1e-4, atol=1e-5)


def test_a_network_that_is_read_has_the_graph_of_the_file():
    written, read = FeatureGraph(EDGES, 5), FeatureGraph(None, 5)
    read.load_state_dict(written.state_dict())
    states = torch.randn(2, 5, 3)
    torch.testing.assert_close(read(states), written(states))
