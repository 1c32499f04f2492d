from __future__ import annotations

import numpy as np
import pytest

from genoken.reporting import plots_classification


def test_confusion_holds_counts_and_row_shares() -> None:
    matrices = {"model": [[3, 1], [0, 4]], "logistic": [[2, 2], [1, 3]]}
    plot = plots_classification.confusion(matrices, ["a", "b"], ["model", "logistic"]).plots[0]
    shares, counts, other_shares, other_counts = plot.figure.data
    assert shares.z.tolist() == [[75.0, 25.0], [0.0, 100.0]]
    assert counts.z.tolist() == [[3.0, 1.0], [0.0, 4.0]]
    assert other_shares.z.tolist() == [[50.0, 50.0], [25.0, 75.0]]
    assert other_counts.z.tolist() == [[2.0, 2.0], [1.0, 3.0]]
    assert shares.customdata[0, 1].tolist() == [1.0, 25.0]
    assert shares.text.tolist() == [["75", "25"], ["", "100"]]
    assert (shares.zmin, shares.zmax) == (0, 100)
    assert [view.name for view in plot.views] == [
        "Model: % of true class",
        "Model: counts",
        "Logistic regression: % of true class",
        "Logistic regression: counts",
    ]
    assert plot.views[2].visible == (False, False, True, False)
    assert [trace.visible for trace in plot.figure.data] == [True, False, False, False]


def test_a_class_without_samples_has_an_empty_row() -> None:
    plot = plots_classification.confusion({"model": [[0, 0], [2, 2]]}, ["a", "b"], ["model", "absent"]).plots[0]
    assert plot.figure.data[0].z.tolist() == [[0.0, 0.0], [50.0, 50.0]]
    assert len(plot.figure.data) == 2


def test_many_classes_have_no_text_in_their_cells() -> None:
    classes = [str(index) for index in range(20)]
    plot = plots_classification.confusion({"model": np.eye(20, dtype=int).tolist()}, classes, ["model"]).plots[0]
    assert plot.figure.data[0].text is None
    assert plot.figure.layout.xaxis.type == "category"


def test_thin_keeps_both_ends() -> None:
    x, y = plots_classification.thin(11, np.arange(1001) / 1000, 1 - np.arange(1001) / 1000)
    assert len(x) == 11
    assert x[[0, 5, -1]] == pytest.approx([0.0, 0.5, 1.0])
    assert y[[0, 5, -1]] == pytest.approx([1.0, 0.5, 0.0])
    short, gap = plots_classification.thin(11, [0.0, 1.0], [None, 1.0])
    assert short.tolist() == [0.0, 1.0]
    assert np.isnan(gap[0])
    assert len(plots_classification.thin(11, [])[0]) == 0


def test_curves_hold_the_points_of_each_class() -> None:
    curve = {
        "roc": {"false_positive_rate": [0.0, 0.25, 1.0], "true_positive_rate": [0.0, 0.75, 1.0]},
        "pr": {"recall": [0.0, 1.0], "precision": [1.0, 0.5]},
    }
    panel = plots_classification.curves({"a": curve, "b": None}, ["a", "b"], {"a": {"roc_auc": 0.75, "average_precision": 0.625}})
    roc, precision_recall = (plot.figure for plot in panel.plots)
    assert len(roc.data) == 2
    assert roc.data[1].x.tolist() == [0.0, 0.25, 1.0]
    assert roc.data[1].y.tolist() == [0.0, 0.75, 1.0]
    assert "area 0.750" in roc.data[1].hovertemplate
    assert precision_recall.data[0].x.tolist() == [0.0, 1.0]
    assert precision_recall.data[0].y.tolist() == [1.0, 0.5]
    assert "area 0.625" in precision_recall.data[0].hovertemplate


def test_a_class_name_never_becomes_a_hover_template() -> None:
    curve = {"roc": {"false_positive_rate": [0.0], "true_positive_rate": [0.0]}, "pr": {"recall": [], "precision": []}}
    panel = plots_classification.curves({"%{x} <b>": curve}, ["%{x} <b>"], {})
    trace = panel.plots[0].figure.data[1]
    assert trace.name == "%{x} &lt;b&gt;"
    assert "<b>%{fullData.name}</b>" in trace.hovertemplate


def test_calibration_leaves_out_empty_bins_and_names_the_error() -> None:
    bins = [
        {"low": 0.0, "high": 0.5, "samples": 0, "confidence": None, "accuracy": None},
        {"low": 0.5, "high": 0.75, "samples": 1, "confidence": 0.625, "accuracy": 0.5},
        {"low": 0.75, "high": 1.0, "samples": 4, "confidence": 0.875, "accuracy": 1.0},
    ]
    panel = plots_classification.calibration(
        {"model": {"bins": bins, "ece": 0.125}, "knn": {"bins": bins[:2], "ece": None}}, ["model", "knn"]
    )
    _, knn, model = panel.plots[0].figure.data
    assert list(model.x) == [0.625, 0.875]
    assert list(model.y) == [0.5, 1.0]
    assert list(model.customdata) == [1, 4]
    assert list(model.marker.size) == [11.0, 16.0]
    assert list(knn.x) == [0.625]
    assert [entry.name for entry in panel.legend] == ["Model (ECE 0.125)", "k-nearest neighbors (ECE –)"]
