from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.reporting import plots_training

HISTORY = pd.DataFrame(
    {
        "fold": ["0", "0", "1"],
        "epoch": [0, 1, 0],
        "train_loss": [2.0, 1.0, 4.0],
        "val_loss": [3.0, np.nan, 5.0],
        "val_macro_f1": [0.25, 0.5, 0.75],
        "val_accuracy": [0.1, 0.2, 0.3],
        "learning_rate": [0.001, 0.0005, 0.001],
        "peak_memory_mb": [100.0, 110.0, 120.0],
    }
)


def test_thin_lines_per_fold_and_a_thick_mean() -> None:
    row = plots_training.learning_curves(HISTORY, "macro_f1")
    assert row is not None
    loss = row.panels[0].plots[0].figure
    first, second, mean = loss.data[:3]
    assert first.y.tolist() == [2.0, 1.0]
    assert second.y.tolist() == [4.0]
    assert mean.x.tolist() == [0.0, 1.0]
    assert mean.y.tolist() == [3.0, 1.0]
    assert first.line.width < mean.line.width
    validation_loss = loss.data[5]
    assert validation_loss.y.tolist() == [4.0]
    assert [entry.name for entry in row.panels[0].legend] == ["training loss", "validation loss"]


def test_the_primary_metric_is_shown_first() -> None:
    row = plots_training.learning_curves(HISTORY, "accuracy")
    assert row is not None
    plot = row.panels[1].plots[0]
    assert [view.name for view in plot.views] == ["Accuracy", "Macro F1"]
    assert plot.views[1].visible == (False, False, False, True, True, True)
    assert plot.figure.data[0].y.tolist() == [0.1, 0.2]
    assert plot.figure.data[3].y.tolist() == [0.25, 0.5]


def test_one_fold_is_one_thick_line() -> None:
    row = plots_training.learning_curves(HISTORY[HISTORY["fold"] == "0"], None)
    assert row is not None
    assert len(row.panels[0].plots[0].figure.data) == 2


def test_learning_rate_and_memory() -> None:
    panel = plots_training.rate_and_memory(HISTORY, None)
    assert panel is not None
    assert [plot.key for plot in panel.plots] == ["learning-rate", "memory"]
    assert panel.plots[1].figure.data[2].y.tolist() == [110.0, 110.0]


def test_memory_over_time_stands_beside_the_peak() -> None:
    history = HISTORY.assign(memory_mb=[float(row) for row in range(len(HISTORY))])
    panel = plots_training.rate_and_memory(history, None)
    assert panel is not None
    assert [plot.key for plot in panel.plots] == ["learning-rate", "memory", "memory-held"]
    own = history[history["fold"] == history["fold"].iloc[0]]["memory_mb"].tolist()
    assert own in [list(line.y) for line in panel.plots[2].figure.data]


@pytest.mark.parametrize(("device", "whose"), [("cuda:0", "of the GPU"), ("cpu", "of the process")])
def test_it_is_said_whose_memory_it_is(device, whose):
    panel = plots_training.rate_and_memory(HISTORY.assign(memory_mb=1.0), None, device)
    assert panel is not None
    assert [whose in plot.caption for plot in panel.plots] == [False, True, True]


def test_memory_from_the_manifest_when_the_history_has_none() -> None:
    panel = plots_training.rate_and_memory(None, [5.0, 7.0])
    assert panel is not None
    assert panel.plots[0].figure.data[0].y.tolist() == [5.0, 7.0]
    assert plots_training.rate_and_memory(None, None) is None
    assert plots_training.rate_and_memory(HISTORY[["fold", "epoch"]], []) is None


def test_history_without_known_columns() -> None:
    assert plots_training.learning_curves(HISTORY[["fold", "epoch"]], "macro_f1") is None
