from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.reporting import plots_regression


def test_points_identity_line_and_residuals() -> None:
    predictions = pd.DataFrame({"sample_id": ["a", "b", "c"], "label": [1.0, 4.0, np.nan], "predicted": [2.0, 3.5, 1.0]})
    panel = plots_regression.predicted_against_true(predictions, "<age>")
    scatter, residuals = (plot.figure for plot in panel.plots)
    assert list(scatter.data[0].x) == list(scatter.data[0].y) == [1.0, 4.0]
    assert scatter.data[1].x.tolist() == [1.0, 4.0]
    assert scatter.data[1].y.tolist() == [2.0, 3.5]
    assert list(scatter.data[1].text) == ["a", "b"]
    assert residuals.data[1].x.tolist() == [2.0, 3.5]
    assert residuals.data[1].y.tolist() == [1.0, -0.5]
    assert scatter.layout.xaxis.title.text == "true &lt;age&gt;"


def test_draw_is_fixed_sorted_and_limited() -> None:
    assert plots_regression.draw_rows(4).tolist() == [0, 1, 2, 3]
    rows = plots_regression.draw_rows(1000, limit=50)
    assert len(np.unique(rows)) == 50
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == plots_regression.draw_rows(1000, limit=50).tolist()


def test_no_finite_sample_gives_an_empty_plot() -> None:
    panel = plots_regression.predicted_against_true(pd.DataFrame({"sample_id": ["a"], "label": [np.nan], "predicted": [1.0]}), "x")
    assert len(panel.plots[0].figure.data[1].x) == 0


def test_a_label_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="parse"):
        plots_regression.predicted_against_true(pd.DataFrame({"sample_id": ["a"], "label": ["tall"], "predicted": [1.0]}), "x")
