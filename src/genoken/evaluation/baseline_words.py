"""What baselines are called in sentences."""

from __future__ import annotations

from genoken.core.contracts import Task

_CLASSIFIER_WORDS = {
    "majority": "the most frequent class",
    "linear": "logistic regression",
    "pca_linear": "PCA + logistic regression",
    "nearest_neighbors": "k nearest neighbors",
    "boosting": "gradient boosting",
    "mlp": "a multilayer perceptron",
    "covariates": "logistic regression on covariates",
    "covariates_pcs": "logistic regression on covariates and principal components",
    "gblup": "GBLUP",
    "elastic_net": "elastic net",
}
_REGRESSION_WORDS = {
    "majority": "the train mean",
    "linear": "ridge regression",
    "pca_linear": "PCA + ridge regression",
    "covariates": "ridge regression on covariates",
    "covariates_pcs": "ridge regression on covariates and principal components",
}


def baseline_words(name: str, task: Task) -> str:
    """Return what a baseline is called in a sentence, for example ``logistic regression`` for ``linear``."""
    words = _CLASSIFIER_WORDS | (_REGRESSION_WORDS if task == "regression" else {})
    return words.get(name, name.replace("_", " "))
