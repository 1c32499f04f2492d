"""Which train samples floors are fitted on."""

from __future__ import annotations

import numpy as np

from genoken.workflows import pretraining_floors
from genoken.workflows.pretraining_floors import drawn_to_fit


def test_floors_are_fitted_on_all_train_samples_or_on_a_draw_of_them(monkeypatch):
    rows = np.arange(100, 400, 3)
    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 100)
    assert drawn_to_fit(rows, seed=1).tolist() == rows.tolist()
    monkeypatch.setattr(pretraining_floors, "_MOST_LEARNED_FROM", 40)
    drawn = drawn_to_fit(rows, seed=1)
    assert len(np.unique(drawn)) == 40
    assert (np.diff(drawn) > 0).all()
    assert np.isin(drawn, rows).all()
    assert drawn.max() > rows[60]  # not the first ones
    assert drawn.tolist() == drawn_to_fit(rows, seed=1).tolist() != drawn_to_fit(rows, seed=2).tolist()
