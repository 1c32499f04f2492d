"""Genomic best linear unbiased prediction: every variant has a small effect, as many as there are, shrunken as the data say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineColumns, BaselineProblem, Task
from genoken.core.random import generator
from genoken.evaluation.baselines import _linear, _tuning

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp

    from genoken.evaluation.baselines._mixed_model import LinearEffects

_CALIBRATION_PENALTY = 1e-3


@settings
class GblupBaseline(Baseline):
    """Ridge regression on standardized features, its penalty by restricted maximum likelihood, covariates as fixed effects.

    Each class is regressed on as a column of ones and zeros; one slope and an offset per class, fitted on validation, make
    probabilities of the scores.
    """

    max_samples: Annotated[int, Field(ge=10)] = 5_000
    """Most samples that are learned from, drawn at random: time grows with their third power."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    uses: ClassVar[BaselineColumns] = "both"

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return ``weights`` on features and covariates, and ``intercept``."""
        import numpy as np

        final, final_labels = _tuning.final_part(problem)
        if not problem.num_classes:
            effects = self._effects(problem, final, final_labels[:, None].astype(np.float64))
            return {"weights": effects.weights[:, 0], "intercept": np.asarray(effects.intercept[0])}
        present = np.unique(problem.train_labels)
        if len(present) == 1:
            return _linear.for_all_classes(np.zeros((1, final.shape[1])), np.zeros(1), present, problem.num_classes)
        problem = _tuning.with_validation(problem)
        effects = self._effects(problem, problem.train, _indicators(problem.train_labels, present))
        scores = problem.val @ effects.weights + effects.intercept
        slope, offsets = _calibrated(scores, problem.val_labels, present)
        if final is not problem.train:
            effects = self._effects(problem, final, _indicators(final_labels, present))
        return _linear.for_all_classes(slope * effects.weights.T, slope * effects.intercept + offsets, present, problem.num_classes)

    def _effects(self, problem: BaselineProblem, values: sp.csr_matrix, targets: np.ndarray) -> LinearEffects:
        import numpy as np

        from genoken.evaluation.baselines._mixed_model import fit_effects

        if len(targets) > self.max_samples:
            rows = np.sort(generator(problem.seed, "baseline", "gblup").choice(len(targets), self.max_samples, replace=False))
            values, targets = values[rows], targets[rows]
        return fit_effects(values, problem.num_covariates, targets)

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return probabilities (samples, classes) or values (samples,)."""
        return _linear.predict_linear(state, values)


def _indicators(labels: np.ndarray, present: np.ndarray) -> np.ndarray:
    return (labels[:, None] == present).astype(float)


def _calibrated(scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the slope and the offsets (present classes,) with the lowest log-loss; labels of other classes count nothing."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    known = np.isin(labels, present)
    if not known.any():
        return 1.0, np.zeros(len(present))
    scores, truth = scores[known], _indicators(labels[known], present)
    unit = 1.0 / max(float(scores.std()), 1e-12)

    def loss_and_slope(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offsets = np.exp(parameters[0]) * unit, parameters[1:]
        logits = slope * scores + offsets
        excess = (softmax(logits, axis=1) - truth) / len(truth)
        gradient = np.append((excess * scores).sum() * slope, excess.sum(axis=0)) + 2 * _CALIBRATION_PENALTY * parameters
        loss = -(truth * log_softmax(logits, axis=1)).sum() / len(truth) + _CALIBRATION_PENALTY * (parameters**2).sum()
        return float(loss), gradient

    found = minimize(loss_and_slope, np.zeros(len(present) + 1), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0]) * unit), found[1:]
