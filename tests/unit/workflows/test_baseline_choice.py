"""Which baselines values and covariates call for, and which are refused without them."""

from __future__ import annotations

import pytest

from genoken.core.components import kind_of
from genoken.core.config import RunConfig, build
from genoken.core.errors import ConfigError
from genoken.workflows.baseline_choice import chosen_baselines


def kinds(content, task, value_kind):
    return [kind_of(baseline) for baseline in chosen_baselines(build(RunConfig, content), task, value_kind)]


@pytest.mark.parametrize(
    ("data", "task", "value_kind", "expected"),
    [
        ({}, "classification", "counts", "majority linear pca_linear nearest_neighbors"),
        ({"covariates": ["age"]}, "regression", "counts", "majority covariates linear pca_linear nearest_neighbors"),
        ({}, "classification", "dosage", "majority covariates_pcs pca_linear linear elastic_net"),
        (
            {"covariates": ["age"]},
            "regression",
            "dosage",
            "majority covariates covariates_pcs pca_linear linear gblup elastic_net",
        ),
        ({"principal_components": 0}, "regression", "dosage", "majority pca_linear linear gblup elastic_net"),
    ],
)
def test_the_usual_baselines(data, task, value_kind, expected):
    assert kinds({"data": data}, task, value_kind) == expected.split()


def test_named_baselines_stay():
    content = {"evaluation": {"baselines": ["linear", "boosting"]}}
    assert kinds(content, "regression", "dosage") == ["linear", "boosting"]
    assert kinds({"evaluation": {"baselines": []}}, "regression", "dosage") == []


@pytest.mark.parametrize(
    ("kind", "value_kind", "line"),
    [
        ("covariates", "counts", "the baseline 'covariates' needs covariates, and none is named"),
        ("covariates_pcs", "counts", "the baseline 'covariates_pcs' needs principal components of genotypes, and there are none"),
    ],
)
def test_a_baseline_without_its_columns_is_refused(kind, value_kind, line):
    with pytest.raises(ConfigError, match=line):
        kinds({"evaluation": {"baselines": [kind]}}, "classification", value_kind)
