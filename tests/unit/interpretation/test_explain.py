from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.core.files import read_json, to_json
from genoken.interpretation import explain as module
from genoken.interpretation.aggregate import COLUMNS
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.explain import draw_per_class, explain_subject, export_explanation

ROWS, LABELS = np.arange(6), np.array([2, 0, 0, 0, 0, 2])
SYMBOLS = tuple("ABCDEFG")
KEYS = {"method", "completeness_error", "deletion", "randomized_weights_correlation", "attention", "notes"}


def test_importance_is_the_mean_score_of_each_class(subject_of):
    subject = subject_of(labels=LABELS)
    found = explain_subject(subject, rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    scores = GradientTimesInput().attribute(subject, ROWS, LABELS).scores.toarray()
    assert tuple(found.genes.columns) == COLUMNS
    for code, name in ((0, "class 0"), (2, "class 2")):
        rows = found.genes[found.genes["class"] == name].set_index("symbol").loc[list(SYMBOLS)]
        assert np.allclose(rows["importance"], scores[code == LABELS].mean(axis=0), atol=1e-5)
        assert rows["feature_id"].tolist() == [f"G{index}" for index in range(7)]
        indicator = (code == LABELS).astype(float)
        expected = [np.corrcoef(column, indicator)[0, 1] for column in subject.dataset.prepared.toarray().T]
        assert np.allclose(rows["correlation"], expected, atol=1e-6)
    assert found.genes["class"].nunique() == 2
    assert "No sample of: class 1." in found.controls["notes"]


def test_controls_have_the_documented_keys_and_a_json_form(subject_of):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, top=2)
    controls = to_json(found.controls)
    assert set(controls) == KEYS
    assert set(controls["deletion"]) == {"fractions", "importance", "random", "random_low", "random_high"}
    assert controls["method"] == "integrated_gradients"
    assert 0 <= controls["completeness_error"] < 0.01
    assert set(controls["attention"]["genes"]) <= set(SYMBOLS)
    assert np.shape(controls["attention"]["matrix"]) == (len(controls["attention"]["genes"]),) * 2
    assert len(found.genes) == 4
    assert len(found.ranking) == 14


def test_attention_is_shown_between_the_leading_genes(subject_of, monkeypatch):
    monkeypatch.setattr(module, "ATTENTION_GENES", 3)
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    by_rank = found.ranking.sort_values("rank", kind="stable")["symbol"].drop_duplicates()
    assert found.controls["attention"]["genes"] == by_rank.tolist()[:3]


def test_encoders_without_attention_have_no_matrix(subject_of):
    controls = explain_subject(subject_of(encoder="mlp", labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0).controls
    assert controls["attention"] is None
    with pytest.raises(ConfigError, match="no attention"):
        explain_subject(subject_of(encoder="mlp"), rows=ROWS, symbols=SYMBOLS, seed=0, method="attention")


def test_groups_take_the_place_of_classes(subject_of):
    subject = subject_of(labels=LABELS)
    groups = np.array(["y", "x", "y", "x", "x", "y"])
    found = explain_subject(subject, rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", groups=groups)
    scores = GradientTimesInput().attribute(subject, ROWS, LABELS).scores.toarray()
    assert found.genes["class"].unique().tolist() == ["x", "y"]
    for name in ("x", "y"):
        rows = found.genes[found.genes["class"] == name].set_index("symbol").loc[list(SYMBOLS)]
        assert np.allclose(rows["importance"], scores[groups == name].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("labels", [None, np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])])
def test_regression_has_one_table_under_the_name_of_the_label(subject_of, labels):
    subject = subject_of(classes=0, labels=labels)
    found = explain_subject(subject, rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    assert found.genes["class"].unique().tolist() == ["age"]
    target = subject.predictions(ROWS) if labels is None else labels
    expected = [np.corrcoef(column, target)[0, 1] for column in subject.dataset.prepared.toarray().T]
    assert np.allclose(found.genes.set_index("symbol").loc[list(SYMBOLS), "correlation"], expected, atol=1e-6)
    assert found.controls["deletion"]["importance"][0] == pytest.approx(1.0, abs=1e-6)


def test_large_classes_are_drawn_from_and_the_notes_say_so(subject_of, monkeypatch):
    monkeypatch.setattr(module, "SAMPLES_PER_CLASS", 2)
    seen = []
    monkeypatch.setattr(module, "_attribute", lambda *arguments: (seen.append(arguments[2]), original(*arguments))[1])
    controls = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient").controls
    assert len(seen[0]) == 4
    assert np.bincount(LABELS[seen[0]]).tolist() == [2, 0, 2]
    assert any(note.startswith("4 of 6 samples are explained") for note in controls["notes"])


original = module._attribute


def test_draw_is_seeded_sorted_and_complete_for_small_classes():
    members = np.array([0] * 20 + [1] * 3)
    first, second = draw_per_class(members, 5, 0), draw_per_class(members, 5, 0)
    assert np.array_equal(first, second)
    assert np.all(np.diff(first) > 0)
    assert first[-3:].tolist() == [20, 21, 22]
    assert len(first) == 8
    assert not np.array_equal(first, draw_per_class(members, 5, 1))


def test_calls_are_put_back_in_order(subject_of, monkeypatch):
    subject, rows = subject_of(labels=LABELS), np.array([4, 3, 0, 5, 2, 1])
    whole = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    monkeypatch.setattr(module, "_ROWS_PER_CALL", 2)
    parts = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    assert np.allclose(whole.ranking["importance"], parts.ranking["importance"], atol=1e-5)
    assert whole.controls["completeness_error"] == pytest.approx(parts.controls["completeness_error"], abs=1e-5)


def test_an_incomplete_integral_is_warned_about(subject_of):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=1))
    assert found.controls["completeness_error"] > 0.01
    assert any(note.startswith("Warning: the importances miss") for note in found.controls["notes"])


def test_progress_rises_to_one(subject_of, monkeypatch):
    monkeypatch.setattr(module, "_ROWS_PER_CALL", 2)
    shares = []
    explain_subject(subject_of(), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", on_progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert shares[-1] == 1.0


def test_wrong_input_is_refused(subject_of):
    with pytest.raises(DataError, match="no sample"):
        explain_subject(subject_of(), rows=ROWS[:0], symbols=SYMBOLS, seed=0)
    with pytest.raises(ConfigError, match=r"no method 'gradiant'.*'gradient'"):
        explain_subject(subject_of(), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradiant")


def test_files_hold_the_top_genes_the_whole_ranking_and_the_controls(subject_of, tmp_path):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", top=2)
    export_explanation(found, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "class_0.rnk",
        "class_2.rnk",
        "controls.json",
        "genes.tsv",
    ]
    written = pd.read_csv(tmp_path / "new" / "genes.tsv", sep="\t")
    assert tuple(written.columns) == COLUMNS
    assert np.allclose(written["importance"], found.genes["importance"])
    ranked = pd.read_csv(tmp_path / "new" / "class_0.rnk", sep="\t", names=["symbol", "score"])
    assert sorted(ranked["symbol"]) == sorted(SYMBOLS)
    assert ranked["score"].is_monotonic_decreasing
    assert set(read_json(tmp_path / "new" / "controls.json")) == KEYS
