"""Scores of predicted profiles by hand, blocks of cells, skill by name."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.evaluation.next_cell_floors import CellPart
from genoken.evaluation.next_cell_scores import cell_blocks, merged, score_cells, score_part, skill_by


def test_every_measure_by_hand():
    predicted = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
    target = np.array([[2.0, 4.0, 6.0], [1.0, 2.0, 3.0]])
    denoised = np.array([[1.0, 2.0, 2.0], [2.0, 1.0, 2.0]])
    usual = np.array([1.0, 1.0, 2.0])
    found = score_cells(predicted, target, denoised, usual)
    assert np.allclose(found["squared_error"], [14 / 3, 6 / 3])
    assert np.allclose(found["correlation"], [1.0, -0.5])
    # centered: (0 1 1) and (1 3 4); (2 0 0) and (0 1 1)
    assert np.allclose(found["centered_correlation"], [5 / np.sqrt(28), -1.0])
    # changes: (0 0 1) and (1 2 4); (1 0 0) and (-1 1 1)
    assert np.allclose(found["change_correlation"], [5 / np.sqrt(28), -1.0])


def test_what_does_not_vary_correlates_with_nothing():
    target, zeros = np.array([[1.0, 2.0], [2.0, 1.0]]), np.zeros((2, 2))
    some = score_cells(np.array([[3.0, 3.0], [2.0, 1.0]]), target, zeros, np.zeros(2))
    assert some["correlation"].tolist() == [0.0, pytest.approx(1.0)]
    none = score_cells(np.full((2, 2), 0.1), target, np.full((2, 2), 0.1), np.zeros(2))
    assert np.isnan(none["correlation"]).all()
    assert np.isnan(none["change_correlation"]).all()
    assert np.isfinite(none["squared_error"]).all()


def test_a_part_is_scored_in_blocks_as_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.random((7, 4)).astype(np.float32)
    successors = sp.csr_matrix(np.roll(np.eye(7, dtype=np.float32), 1, axis=1))
    part = CellPart(sp.csr_matrix(values), successors)
    profiles = merged(
        lambda rows: {"denoised_current": values[rows] / 2}, lambda rows: {"model": values[(rows + 1) % 7] + np.float32(0.5)}
    )
    rows = np.array([0, 2, 3, 6])
    monkeypatch.setattr("genoken.evaluation.next_cell_floors._VALUES_AT_ONCE", 8)
    assert [len(block) for block in part.blocks(rows)] == [2, 2]
    found = score_part(part, rows, profiles, np.zeros(4))
    assert list(found) == ["denoised_current", "model"]
    assert np.allclose(found["model"]["squared_error"], 0.25)
    expected = score_cells(values[rows] / 2, values[(rows + 1) % 7], values[rows] / 2, np.zeros(4))
    for name, measure in expected.items():
        assert np.allclose(found["denoised_current"][name], measure, equal_nan=True)


def test_blocks_by_hand():
    types = np.array(["a", "a", "b", "b"])
    assert cell_blocks(types, np.array([0, 3, 3, np.nan])).tolist() == ["a | time 0", "a | time 3", "b | time 3", "b | no time"]
    thirds = ["time 0 to 1.667", "time 1.667 to 3.333", "time 3.333 to 5"]
    assert cell_blocks(None, np.arange(6.0), num_bins=3).tolist() == [thirds[code] for code in (0, 0, 1, 1, 2, 2)]
    assert cell_blocks(types, None).tolist() == ["a", "a", "b", "b"]
    with pytest.raises(ValueError, match="types, of times, or of both"):
        cell_blocks(None, None)


def test_skill_by_name_by_hand():
    found = skill_by(np.array([1.0, 1.0, 3.0]), np.array([2.0, 2.0, 2.0]), np.array(["a", "a", "b"]))
    assert found == {"a": {"skill": 0.5, "cells": 2}, "b": {"skill": -0.5, "cells": 1}}
    assert np.isnan(skill_by(np.ones(1), np.zeros(1), np.array(["a"]))["a"]["skill"])
