"""The answer that needs no features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genoken.core.components import settings
from genoken.core.contracts import Baseline, BaselineProblem, Task

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp


@settings
class MajorityBaseline(Baseline):
    """The class frequencies of train for every sample, hence always its most frequent class; the train mean in regression."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")

    def fit(self, problem: BaselineProblem) -> Mapping[str, np.ndarray]:
        """Return the one ``answer``: the frequencies of the classes, of shape (classes,), or the mean, of shape ()."""
        import numpy as np

        from genoken.evaluation.baselines._tuning import final_part

        _, labels = final_part(problem)
        if not problem.num_classes:
            return {"answer": np.asarray(labels.mean())}
        counts = np.bincount(labels, minlength=problem.num_classes)
        return {"answer": counts / counts.sum()}

    def predict(self, state: Mapping[str, np.ndarray], values: sp.csr_matrix) -> np.ndarray:
        """Return the answer for each sample: (samples, classes) or (samples,)."""
        import numpy as np

        answer = state["answer"]
        return np.broadcast_to(answer, (values.shape[0], *answer.shape)).copy()
