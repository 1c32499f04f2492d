from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.core.files import read_json, to_json
from genoken.interpretation import attributed, controls, draw
from genoken.interpretation.attention_weights import attention_matrix
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import Explanation, explain_parts, export_explanation
from genoken.interpretation.gene_table import COLUMNS

ROWS, LABELS = np.arange(6), np.array([2, 0, 0, 0, 0, 2])
SYMBOLS = tuple("ABCDEFG")
KEYS = {"method", "completeness_error", "deletion", "randomized_weights_correlation", "fold_agreement", "attention", "notes"}


def explain_subject(subject, *, rows=ROWS, symbols=SYMBOLS, groups=None, **named) -> Explanation:
    """Explain a single model."""
    return explain_parts([Part(subject, rows, symbols, groups)], **named)


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


def two_folds(subject_of) -> list[Part]:
    """Two models with random weights, of which the second does not know G6 and knows Z; samples 0 to 2 and 3 to 5."""
    names = ("G5", "Z", "G0", "G1", "G2", "G3", "G4")
    first, second = subject_of(labels=LABELS), subject_of(labels=LABELS, feature_ids=names, seed=5)
    return [Part(first, ROWS[:3], SYMBOLS), Part(second, ROWS[3:], ("F", "Z", "A", "B", "C", "D", "E"))]


@pytest.mark.parametrize("method", [IntegratedGradients(), GradientTimesInput()])
def test_genes_of_several_models_are_put_together_by_name(subject_of, method):
    parts = two_folds(subject_of)
    found = explain_parts(parts, seed=0, method=method)
    given: dict[tuple[int, str], list[float]] = {}
    for part in parts:
        for row in part.rows:
            scores = method.attribute(part.subject, np.array([row]), LABELS[[row]]).scores.toarray()[0]
            for feature, score in zip(part.subject.dataset.state.feature_ids, scores, strict=True):
                given.setdefault((LABELS[row], feature), []).append(score)
    table = found.ranking.set_index(["class", "feature_id"])
    assert len(table) == 2 * 8
    assert table.loc[("class 0", "Z"), "symbol"] == "Z"
    for code in (0, 2):
        for feature in (*(f"G{index}" for index in range(7)), "Z"):
            expected = np.mean(given[code, feature])
            assert table.loc[(f"class {code}", feature), "importance"] == pytest.approx(expected, abs=1e-5)
    assert len(given[0, "G0"]) == 4
    assert len(given[0, "Z"]) == len(given[0, "G6"]) == 2


def test_controls_of_several_models(subject_of):
    parts = two_folds(subject_of)
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


def test_attention_of_several_models_is_averaged_over_the_samples_that_hold_both_genes(subject_of):
    parts = two_folds(subject_of)
    found = explain_parts(parts, seed=0, method="gradient").controls["attention"]
    assert sorted(found["genes"]) == ["A", "B", "C", "D", "E", "F", "G", "Z"]
    sums, counts = np.zeros((8, 8)), np.zeros((8, 8))
    for part in parts:
        places = np.array([found["genes"].index(symbol) for symbol in part.symbols])
        means, samples = attention_matrix(part.subject, part.rows, np.arange(7))
        sums[np.ix_(places, places)] += np.nan_to_num(means) * samples
        counts[np.ix_(places, places)] += samples
    assert np.allclose(found["matrix"], np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), equal_nan=True)
    assert counts.max() > 1


def test_groups_of_several_models_share_one_table(subject_of):
    first, second = two_folds(subject_of)
    groups = np.array(["x", "y", "x"])
    parts = [Part(part.subject, part.rows, part.symbols, groups) for part in (first, second)]
    found = explain_parts(parts, seed=0, method="gradient")
    assert found.ranking["class"].value_counts().to_dict() == {"x": 8, "y": 8}


def test_regression_of_several_models_correlates_with_the_target(subject_of):
    labels = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    parts = [Part(subject_of(classes=0, labels=labels, seed=seed), rows, SYMBOLS) for seed, rows in ((3, ROWS[:3]), (5, ROWS[3:]))]
    found = explain_parts(parts, seed=0, method="gradient")
    expected = [np.corrcoef(column, labels)[0, 1] for column in parts[0].subject.dataset.prepared.toarray().T]
    assert np.allclose(found.ranking.set_index("symbol").loc[list(SYMBOLS), "correlation"], expected, atol=1e-6)


def test_controls_have_the_documented_keys_and_a_json_form(subject_of):
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


def test_attention_is_shown_between_the_leading_genes(subject_of, monkeypatch):
    monkeypatch.setattr(controls, "ATTENTION_GENES", 3)
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    by_rank = found.ranking.sort_values("rank", kind="stable")["symbol"].drop_duplicates()
    assert found.controls["attention"]["genes"] == by_rank.tolist()[:3]


def test_encoders_without_attention_have_no_matrix(subject_of):
    found = explain_subject(subject_of(encoder="mlp", labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0).controls
    assert found["attention"] is None
    with pytest.raises(ConfigError, match="the method 'attention' needs"):
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
    monkeypatch.setattr(draw, "SAMPLES_PER_CLASS", 2)
    seen = []
    monkeypatch.setattr(attributed, "_attribute", lambda *arguments: (seen.append(arguments[2]), original(*arguments))[1])
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient").controls
    assert len(seen[0]) == 4
    assert np.bincount(LABELS[seen[0]]).tolist() == [2, 0, 2]
    assert any(note.startswith("4 of 6 samples are explained") for note in found["notes"])


original = attributed._attribute


def test_calls_are_put_back_in_order(subject_of, monkeypatch):
    subject, rows = subject_of(labels=LABELS), np.array([4, 3, 0, 5, 2, 1])
    whole = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    monkeypatch.setattr(attributed, "_ROWS_PER_CALL", 2)
    parts = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    assert np.allclose(whole.ranking["importance"], parts.ranking["importance"], atol=1e-5)
    assert whole.controls["completeness_error"] == pytest.approx(parts.controls["completeness_error"], abs=1e-5)


def test_an_incomplete_integral_is_warned_about(subject_of):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=1))
    assert found.controls["completeness_error"] > 0.01
    assert any(note.startswith("Warning: the importances miss") for note in found.controls["notes"])


def test_progress_rises_to_one(subject_of, monkeypatch):
    monkeypatch.setattr(attributed, "_ROWS_PER_CALL", 2)
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
