from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.core.files import read_json
from genoken.interpretation import attributed, draw
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import explain_parts, export_explanation
from genoken.interpretation.gene_table import COLUMNS

ROWS, LABELS = np.arange(6), np.array([2, 0, 0, 0, 0, 2])
SYMBOLS = tuple("ABCDEFG")
KEYS = {"method", "completeness_error", "deletion", "randomized_weights_correlation", "fold_agreement", "attention", "notes"}


def test_importance_is_the_mean_score_of_each_class(subject_of, explain_subject):
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


@pytest.mark.parametrize("method", [IntegratedGradients(), GradientTimesInput()])
def test_genes_of_several_models_are_put_together_by_name(method, two_folds):
    parts = two_folds()
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


def test_groups_of_several_models_share_one_table(two_folds):
    first, second = two_folds()
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


def test_groups_take_the_place_of_classes(subject_of, explain_subject):
    subject = subject_of(labels=LABELS)
    groups = np.array(["y", "x", "y", "x", "x", "y"])
    found = explain_subject(subject, rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", groups=groups)
    scores = GradientTimesInput().attribute(subject, ROWS, LABELS).scores.toarray()
    assert found.genes["class"].unique().tolist() == ["x", "y"]
    for name in ("x", "y"):
        rows = found.genes[found.genes["class"] == name].set_index("symbol").loc[list(SYMBOLS)]
        assert np.allclose(rows["importance"], scores[groups == name].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("labels", [None, np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])])
def test_regression_has_one_table_under_the_name_of_the_label(subject_of, labels, explain_subject):
    subject = subject_of(classes=0, labels=labels)
    found = explain_subject(subject, rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient")
    assert found.genes["class"].unique().tolist() == ["age"]
    target = subject.predictions(ROWS) if labels is None else labels
    expected = [np.corrcoef(column, target)[0, 1] for column in subject.dataset.prepared.toarray().T]
    assert np.allclose(found.genes.set_index("symbol").loc[list(SYMBOLS), "correlation"], expected, atol=1e-6)
    assert found.controls["deletion"]["importance"][0] == pytest.approx(1.0, abs=1e-6)


def test_large_classes_are_drawn_from_and_the_notes_say_so(subject_of, monkeypatch, explain_subject):
    monkeypatch.setattr(draw, "SAMPLES_PER_CLASS", 2)
    seen, original = [], GradientTimesInput.attribute
    monkeypatch.setattr(GradientTimesInput, "attribute", lambda *arguments: (seen.append(arguments[2]), original(*arguments))[1])
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient").controls
    assert len(seen[0]) == 4
    assert np.bincount(LABELS[seen[0]]).tolist() == [2, 0, 2]
    assert any(note.startswith("4 of 6 samples are explained") for note in found["notes"])


def test_calls_are_put_back_in_order(subject_of, monkeypatch, explain_subject):
    subject, rows = subject_of(labels=LABELS), np.array([4, 3, 0, 5, 2, 1])
    whole = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    monkeypatch.setattr(attributed, "_ROWS_PER_CALL", 2)
    parts = explain_subject(subject, rows=rows, symbols=SYMBOLS, seed=0, method=IntegratedGradients(steps=16))
    assert np.allclose(whole.ranking["importance"], parts.ranking["importance"], atol=1e-5)
    assert whole.controls["completeness_error"] == pytest.approx(parts.controls["completeness_error"], abs=1e-5)


def test_progress_rises_to_one(subject_of, monkeypatch, explain_subject):
    monkeypatch.setattr(attributed, "_ROWS_PER_CALL", 2)
    shares = []
    explain_subject(subject_of(), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", on_progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert shares[-1] == 1.0


def test_wrong_input_is_refused(subject_of, explain_subject):
    with pytest.raises(DataError, match="no sample"):
        explain_subject(subject_of(), rows=ROWS[:0], symbols=SYMBOLS, seed=0)
    with pytest.raises(ConfigError, match=r"no method 'gradiant'.*'gradient'"):
        explain_subject(subject_of(), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradiant")


def test_files_hold_the_top_genes_the_whole_ranking_and_the_controls(subject_of, tmp_path, explain_subject):
    found = explain_subject(subject_of(labels=LABELS), rows=ROWS, symbols=SYMBOLS, seed=0, method="gradient", top=2)
    export_explanation(found, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "attention.parquet",
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


def test_variants_have_places_and_no_lists_for_enrichment(genotype_subject, tmp_path, explain_subject):
    # The second half of the samples: variant 1 has the same genotype in both, whatever its importance.
    subject = genotype_subject(encoder="cnn")
    found = explain_subject(subject, rows=np.array([0, 1]), symbols=tuple("abcde"), seed=0, method="gradient", top=0)
    export_explanation(found, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["controls.json", "genes.tsv"]
    table = pd.read_csv(tmp_path / "genes.tsv", sep="\t")
    assert tuple(table.columns) == (*COLUMNS, "chrom", "pos", "counted_allele", "other_allele", "maf")
    own = table[table["class"] == "no"].set_index("feature_id")
    # Genotypes of the two samples: 0 1 2 0 1 and 1 1 0 0 2, so that rs1 and rs3 are the same in both.
    assert set(own.index[-2:]) == {"rs1", "rs3"}
    assert own["importance"].abs().loc[list(own.index[-2:])].max() > own["importance"].abs().loc[list(own.index[:3])].min()
    assert own["correlation"].isna().to_dict() == {"rs0": False, "rs1": True, "rs2": False, "rs3": True, "rs4": False}
    assert own.loc[["rs0", "rs4"], ["chrom", "pos", "counted_allele", "other_allele"]].values.tolist() == [
        ["1", 0, "A", "G"],
        ["X", 400, "A", "G"],
    ]
    # Copies of rs0: 0 1 2 0 1 0; of rs4, once missing: 1 2 0 1 2.
    assert own.loc[["rs0", "rs4"], "maf"].tolist() == pytest.approx([4 / 12, 1 - 6 / 10])
    assert "2 variants are the same in all explained samples, and stand behind those that vary." in found.controls["notes"]


def test_variants_that_share_a_place_share_their_attention_and_the_notes_say_so(genotype_subject, explain_subject):
    subject = genotype_subject(encoder="cnn_transformer")  # patches of 2: variants 0 and 1, 2 and 3, and 4 alone
    found = explain_subject(subject, rows=np.arange(6), symbols=tuple("abcde"), seed=0, method="attention", top=0)
    assert "4 of these 5 variants share their score with others: 3 different scores in all." in found.controls["notes"]
