"""What the tests of baselines share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.contracts import Baseline, BaselineProblem


@pytest.fixture
def predicted() -> Callable[[Baseline, BaselineProblem, sp.csr_matrix], np.ndarray]:
    """Return a function that fits a baseline and predicts for other samples."""
    return lambda baseline, problem, values: baseline.predict(baseline.fit(problem), values)
