"""The answer that needs no features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task

if TYPE_CHECKING:
    import numpy as np


@settings
class MajorityBaseline(Baseline):
    """The class frequencies of train for every sample, hence always its most frequent class; the train mean in regression."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit_predict(self, problem: BaselineProblem) -> np.ndarray:
        """Return the train frequencies of the classes (samples, classes), or the train mean (samples,), for the test rows."""
        import numpy as np

        num_test = problem.test.shape[0]
        if not problem.num_classes:
            return np.full(num_test, problem.train_labels.mean())
        counts = np.bincount(problem.train_labels, minlength=problem.num_classes)
        return np.tile(counts / counts.sum(), (num_test, 1))
