from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import ConfigError
from genoken.core.files import to_json
from genoken.interpretation import explain as module
from genoken.interpretation.attention_weights import gene_attention
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.explain import explain_parts

ROWS, LABELS = np.arange(6), np.array([2, 0, 0, 0, 0, 2])
SYMBOLS = tuple("ABCDEFG")
KEYS = {"method", "completeness_error", "deletion", "randomized_weights_correlation", "fold_agreement", "attention", "notes"}


def test_controls_of_several_models(two_folds):
    parts = two_folds()
    controls = explain_parts(parts, seed=0, method="gradient").controls
    alone = [explain_parts([part], seed=0, method="gradient").controls for part in parts]
    for name in ("importance", "random"):  # three samples each
        mean = np.mean([each["deletion"][name] for each in alone], axis=0)
        assert np.allclose(controls["deletion"][name], mean, atol=1e-5)
    correlations = [each["randomized_weights_correlation"] for each in alone]
    assert controls["randomized_weights_correlation"] == pytest.approx(np.mean(correlations))
    assert -1 <= controls["fold_agreement"] <= 1
    assert [each["fold_agreement"] for each in alone] == [None, None]
    notes = controls["notes"]
    assert "Each sample is explained by the model of the fold that tested it, which never saw it (2 models)." in notes
    assert any(note.startswith("2 of 8 genes are in the vocabularies of some folds only; ") for note in notes)
    assert not any("fold" in note for each in alone for note in each["notes"])


def test_attention_of_several_models_is_averaged_over_the_samples_that_hold_both_genes(two_folds):
    parts = two_folds()
    found = explain_parts(parts, seed=0, method="gradient").controls["attention"]
    assert sorted(found["genes"]) == ["A", "B", "C", "D", "E", "F", "G", "Z"]
    sums, counts = np.zeros((8, 8)), np.zeros((8, 8))
    for part in parts:
        places = np.array([found["genes"].index(symbol) for symbol in part.symbols])
        own = gene_attention(part.subject, part.rows, np.arange(7))
        sums[np.ix_(places, places)] += own.by_head.mean(axis=(0, 1))
        counts[np.ix_(places, places)] += own.counts
    assert np.allclose(found["matrix"], np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), equal_nan=True)
    assert counts.max() > 1


def test_controls_have_the_documented_keys_and_a_json_form(subject_of, explain_subject):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, top=2)
    content = to_json(found.controls)
    assert set(content) == KEYS
    assert set(content["deletion"]) == {"fractions", "importance", "random", "random_low", "random_high"}
    assert content["method"] == "integrated_gradients"
    assert 0 <= content["completeness_error"] < 0.01
    assert set(content["attention"]["genes"]) <= set(SYMBOLS)
    assert np.shape(content["attention"]["matrix"]) == (len(content["attention"]["genes"]),) * 2
    assert len(found.genes) == 4
    assert len(found.ranking) == 14


def test_attention_is_shown_between_the_leading_genes(subject_of, monkeypatch, explain_subject):
    monkeypatch.setattr(module, "ATTENTION_GENES", 3)
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    by_rank = found.ranking.sort_values("rank", kind="stable")["symbol"].drop_duplicates()
    assert found.controls["attention"]["genes"] == by_rank.tolist()[:3]


def test_encoders_without_attention_have_no_matrix(subject_of, explain_subject):
    found = explain_subject(subject_of(encoder="mlp", labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0).controls
    assert found["attention"] is None
    with pytest.raises(ConfigError, match="the method 'attention' needs"):
        explain_subject(subject_of(encoder="mlp"), rows=ROWS, symbols=SYMBOLS, seed=0, method="attention")


def test_an_incomplete_integral_is_warned_about(subject_of, explain_subject):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=1))
    assert found.controls["completeness_error"] > 0.01
    assert any(note.startswith("Warning: the importances miss") for note in found.controls["notes"])
