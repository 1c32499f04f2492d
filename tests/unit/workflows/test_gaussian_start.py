"""The Gaussian of panels, when it is fitted on a draw of the train samples."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.config import PretrainConfig, build
from genoken.core.contracts import TokenizerState
from genoken.data.dataset import TokenDataset
from genoken.evaluation.floors import value_gaussian
from genoken.tokenizers.continuous import ContinuousTokenizer
from genoken.workflows.gaussian_start import _folds_of_all, gaussian_start
from genoken.workflows.pretraining_parts import drawn_to_learn_from


@pytest.mark.parametrize("units", [None, [*"aabbccddeeff"]])
def test_each_train_sample_has_a_gaussian_that_has_seen_neither_it_nor_its_unit(units):
    drawn, found = np.array([1, 2, 6, 9]), np.array([1, 0, 2, 0])
    folds = _folds_of_all(found, drawn, None if units is None else np.array(units), 12, 3)
    assert folds[drawn].tolist() == found.tolist()
    assert set(folds) == {0, 1, 2}
    if units is not None:  # of a, b, d and e one sample was drawn each, of c and f none
        assert folds.reshape(6, 2)[[0, 1, 3, 4]].tolist() == [[1, 1], [0, 0], [2, 2], [0, 0]]
        assert (folds[::2] == folds[1::2]).all()


def test_it_is_fitted_on_the_draw_alone_and_reaches_all_train_samples():
    rng = np.random.default_rng(4)
    values = (8 + rng.normal(size=(90, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(90, 6))).astype(np.float32)
    tokenizer = ContinuousTokenizer(hvgs=0, tokens="all")
    dataset = TokenDataset(tokenizer, TokenizerState(tuple("ABCDEF")), sp.csr_matrix(values))
    content = {"objectives": ["masked_value"], "data": {"fit_samples": 40}, "tokenizer": {"kind": "continuous", "hvgs": 0}}
    config = build(PretrainConfig, content)
    train, units = np.arange(5, 85), np.repeat(np.arange(16), 5).astype(str)
    drawn = drawn_to_learn_from(config, 80)
    start = gaussian_start(config, dataset, train, units)
    expected = value_gaussian(values[train[drawn]].astype(np.float64), config.objectives[0].probability, units[drawn]).whole
    for name in ("mean", "deviation", "precision", "noise"):
        np.testing.assert_array_equal(getattr(start.whole, name), getattr(expected, name))
    assert start.fold_of_sample.shape == (80,)
    by_unit = start.fold_of_sample.reshape(16, 5)
    assert (by_unit == by_unit[:, :1]).all()
