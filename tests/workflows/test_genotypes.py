"""A fold on genotypes with every network: fitted, written, read, predicted, explained, beside baselines."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.config import RunConfig, build
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import explain_parts
from genoken.interpretation.subject import Subject
from genoken.workflows.fold import fit_fold
from genoken.workflows.results import dataset_of, write_gene_embeddings
from genoken.workflows.store import read_model
from genoken.workflows.summands import predict_model

VARIANTS, CAUSAL = 30, 9
ENCODERS = {
    "cnn": {"kind": "cnn", "channels": [8, 8]},
    "cnn_transformer": {"kind": "cnn_transformer", "channels": [8], "patch": 4, "layers": 1, "heads": 2, "feed_forward": 16},
    "gnn": {"kind": "gnn", "layers": 1, "window": 5, "threshold": 0.3},
    "single_effect": {"kind": "single_effect", "pairs": 1},
    "transformer": {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 16, "window": 4},
    "mlp": {"kind": "mlp", "layers": 1},
    "linear": {"kind": "linear"},
}


def config_of(encoder: str, encoding: str) -> RunConfig:
    return build(
        RunConfig,
        {
            "tokenizer": {"kind": "genotype", "encoding": encoding},
            "model": {"encoder": ENCODERS[encoder], "width": 12, "linear_path": encoder not in ("mlp", "linear")},
            "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "logger": "none"},
            "evaluation": {"baselines": ["majority", "linear", "pca_linear"]},
        },
    )


@pytest.mark.parametrize(
    ("encoder", "encoding"),
    [
        ("cnn", "one_hot"),
        ("cnn_transformer", "genotype8"),
        ("gnn", "dosage"),
        ("gnn", "haplotype"),
        ("single_effect", "dosage"),
        ("single_effect", "additive"),
        ("transformer", "dosage"),
        ("transformer", "haplotype"),
        ("mlp", "dosage"),
        ("linear", "additive"),
    ],
)
def test_a_fold_is_fitted_written_read_and_explained(encoder, encoding, people, tmp_path):
    config = config_of(encoder, encoding)
    words = np.array(["train"] * 160 + ["val"] * 40 + ["test"] * 40)
    result = fit_fold(config, people, words, tmp_path, on_epoch=None, save_baselines=True)
    test = np.flatnonzero(words == "test")
    for name in ("model", "linear", "pca_linear"):
        accuracy = (result.predictions[name].argmax(axis=1) == people.labels[test]).mean()
        assert accuracy > (0.55 if name == "pca_linear" else 0.7), name

    again = read_model(tmp_path)
    dataset = dataset_of(again, people, test)
    np.testing.assert_array_equal(predict_model(again.network, dataset, config, again.target), result.predictions["model"])
    if encoder == "gnn":
        assert again.network.encoder.graph.entries.shape[1] > VARIANTS  # the graph came with the weights
    write_gene_embeddings(tmp_path, again)
    assert (tmp_path / "gene_embeddings.parquet").is_file() == (encoder in ("transformer", "mlp", "linear"))

    subject = Subject(again.network, dataset, config.objective, again.target)
    explanation = explain_parts([Part(subject, np.arange(len(test)), again.symbols, None)], seed=0, top=3)
    leading = 1 if encoding in ("dosage", "additive") else 3
    top = set(explanation.ranking.groupby("class")["feature_id"].head(leading))
    assert top & {f"rs{CAUSAL}", f"rs{CAUSAL + 1}"}  # the second is in linkage with the first
    assert set(explanation.ranking["feature_id"]) == set(again.state.feature_ids)
    assert np.isfinite(explanation.ranking["importance"]).all()
    assert explanation.controls["completeness_error"] < 0.05
