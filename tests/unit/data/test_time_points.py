"""Times from columns of any kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.data.time_points import time_points

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], [3, 1, 2]),
        ([0.5, NAN, -1.5], [0.5, NAN, -1.5]),
        (pd.array([3, None, 1], dtype="Int64"), [3, NAN, 1]),
        (["10", "9", "-1.5"], [10, 9, -1.5]),
        (["E8.5", "E10", None], [8.5, 10, NAN]),
        (["day 3", "day 12", "day 3"], [3, 12, 3]),
        (["270-330", "> 650", "< 100"], [270, 650, 100]),
        (pd.Categorical(["late", "early", None], categories=["early", "late"], ordered=True), [1, 0, NAN]),
        (pd.Categorical(["E9", "E10", None]), [9, 10, NAN]),
        (pd.Categorical([9, 10, None]), [9, 10, NAN]),
    ],
)
def test_times_are_numbers(values, expected):
    found = time_points(pd.Series(values, name="day"), "cells.h5ad")
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["early", "late"], "the order of the values of 'day' cannot be told: 'early' holds no number"),
        (["E18", "P0"], "some begin with 'E' and some with 'P'"),
        ([True, False], "it holds true and false"),
    ],
)
def test_words_without_an_order_are_refused(values, words):
    with pytest.raises(DataError) as refused:
        time_points(pd.Series(values, name="day"), "cells.h5ad")
    assert words in str(refused.value)
    assert str(refused.value).startswith("cells.h5ad: ")
