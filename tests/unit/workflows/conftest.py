"""Small samples with a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.samples import Samples


@pytest.fixture
def samples() -> Callable[..., Samples]:
    """Return a function that makes samples of four genes from the columns of their table."""

    def make(values: Any = None, **columns: Any) -> Samples:
        table = pd.DataFrame(columns)
        table.index = pd.Index([f"s{row}" for row in range(len(table))])
        values = np.ones((len(table), 4)) if values is None else values
        features = pd.DataFrame(index=["a", "b", "c", "d"])
        return Samples(sp.csr_matrix(np.asarray(values, dtype=np.float32)), table, features, "counts", "cells.h5ad:X")

    return make
