"""What a run writes: pooling and the table of predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.config import DataSettings, RunConfig, build
from genoken.workflows import results
from genoken.workflows.inputs import build_study


@pytest.fixture
def study(samples):
    made = samples(y=["a", "b", "a", "b", "a", "b"], donor=["p", "p", "q", "q", "r", "r"])
    return build_study(made, DataSettings(label="y"), seed=0, guess_group=True)


FOLDS = np.array([["test", "train", "train", "test", "unused", "val"], ["train", "test", "test", "train", "test", "test"]])


def test_pooled_predictions_are_in_row_order(study):
    found = results.pool(study, FOLDS, [{"model": np.array([10, 13])}, {"model": np.array([21, 22, 24, 25])}])
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.folds.tolist() == [0, 1, 1, 0, 1, 1]
    assert found.predictions["model"].tolist() == [10, 21, 22, 13, 24, 25]


def test_of_two_classes_the_threshold_decides():
    predicted = np.array([[0.69, 0.31], [0.71, 0.29], [0.7, 0.3]])
    found = results.prediction_table(pd.Index(["x", "y", "z"]), predicted, ("no", "yes"), 0.3, {"fold": [0, 0, 1]})
    assert list(found) == ["sample_id", "fold", "predicted", "probability_no", "probability_yes"]
    assert found["predicted"].tolist() == ["yes", "no", "yes"]


def test_of_more_classes_the_largest_decides():
    predicted = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    assert results.prediction_table(pd.Index([1, 2]), predicted, ("a", "b", "c"), 0.9, {})["predicted"].tolist() == ["b", "a"]


def test_numbers_are_predicted_as_they_are():
    found = results.prediction_table(pd.Index(["x"]), np.array([1.5], dtype=np.float32), (), 0.5, {"label": [2.0]})
    assert found.to_dict("list") == {"sample_id": ["x"], "label": [2.0], "predicted": [1.5]}


def test_speed_is_the_median_over_epochs():
    history = pd.DataFrame(
        {
            "samples_per_second": [1.0, 100.0, 90.0],
            "tokens_per_second": [10.0, 1000.0, 900.0],
            "flops_per_second": [3e8, 2e9, 4e9],
            "fill": [1.0, 1.0, 1.0],
            "padded_fill": [0.5, 0.7, 0.9],
            "loader_wait": [0.1, 0.2, 0.3],
            "seconds": [9.0, 1.0, 1.0],
            "peak_memory_mb": [5.0, 7.0, 6.0],
        }
    )
    facts = [
        {"predict_samples_per_second": 3.0, "matmul_flops_per_second": 9e9},
        {"predict_samples_per_second": 5.0, "matmul_flops_per_second": 11e9},
    ]
    found = results.speed_of(history, facts, num_devices=2)
    assert found["train_samples_per_second"] == 90
    assert (found["predict_samples_per_second"], found["seconds"], found["peak_memory_mb"]) == (4, 11, 7)
    assert found["padded_fill"] == pytest.approx(0.7)
    assert found["mfu"] == pytest.approx(0.1)
    assert results.speed_of(history.assign(flops_per_second=0.0), facts, num_devices=1)["mfu"] is None


def test_more_genes_layers_and_samples_in_a_batch_need_more_memory(study):
    def estimate(**changes):
        return results.memory_estimate_mb(build(RunConfig, changes), study)

    plain = estimate()
    assert 600 < plain < 700
    assert estimate(model={"encoder": {"kind": "transformer", "layers": 12}}) > plain
    assert estimate(training={"batch_size": 512}) > plain
    assert estimate(training={"batch_size": 512, "tokens_per_batch": 64}) < estimate(training={"batch_size": 512})


def test_an_epoch_in_words():
    assert results.epoch_note({"val_loss": 0.51234, "val_macro_f1": 0.8}) == "validation loss 0.512, macro-F1 0.800"
    assert results.epoch_note({"val_loss": 2, "val_r2": -0.1}) == "validation loss 2.000, R² -0.100"


def test_a_trial_is_called_one():
    config = build(RunConfig, {"training": {"limit_batches": 4}})
    assert results.trial_note(config) == " This was a trial of 4 batches per epoch, not a result."
    assert results.trial_note(build(RunConfig, {})) == ""
