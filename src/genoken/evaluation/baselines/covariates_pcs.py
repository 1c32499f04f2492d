"""Covariates and ancestry: what a score from genotypes has to go beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
from genoken.evaluation.baselines import _linear

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class CovariatesPcsBaseline(Baseline):
    """Multinomial logistic regression, or ridge regression, on covariates and the leading principal components of the genotypes.

    The components are those of the run (``data.principal_components``). Its linear predictor is also the fixed offset of the
    network's outputs, so that the network learns what goes beyond it; classes are therefore tuned by log-loss.
    """

    penalties: tuple[float, ...] = _linear.PENALTIES
    """Grid of the squared penalty λ on the weights (scikit-learn's alpha, and 1 / C)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "covariates_pcs"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` and ``intercept`` of the model that was best on validation."""
        return _linear.fit_columns(problem, self.penalties, tuned_by="log_loss")

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)
