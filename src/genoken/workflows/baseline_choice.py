"""Which baselines a run fits: those that are named, or those that its values and covariates call for."""

from __future__ import annotations

from genoken.core.components import kind_of
from genoken.core.config import DEFAULT_BASELINES, RunConfig, component_from_dict
from genoken.core.contracts import Baseline, Task
from genoken.core.errors import ConfigError
from genoken.core.samples import ValueKind
from genoken.workflows.background import num_components


def chosen_baselines(config: RunConfig, task: Task, value_kind: ValueKind) -> tuple[Baseline, ...]:
    """Return the baselines of a run that know its task.

    Where the usual ones were left, genotypes get others: covariates, covariates with principal components, PCA and linear models,
    GBLUP (regression) and elastic net; other values with covariates get these alone beside the usual ones.

    Raises
    ------
    ConfigError
        When a baseline is named that there are no covariates or components for.
    """
    baselines = config.evaluation.baselines
    if tuple(kind_of(baseline) for baseline in baselines) == DEFAULT_BASELINES:
        given = {kind_of(baseline): baseline for baseline in baselines}
        wanted = _usual(config, task, value_kind)
        baselines = tuple(given.get(kind) or component_from_dict("baselines", kind) for kind in wanted)
    for baseline in baselines:
        _refuse_without_columns(baseline, config, value_kind)
    return tuple(baseline for baseline in baselines if task in baseline.tasks)


def _usual(config: RunConfig, task: Task, value_kind: ValueKind) -> list[str]:
    covariates = ["covariates"] if config.data.covariates else []
    if value_kind != "dosage":
        return ["majority", *covariates, *DEFAULT_BASELINES[1:]]
    ancestry = ["covariates_pcs"] if num_components(config, value_kind) else []
    polygenic = ["gblup"] if task == "regression" else []
    return ["majority", *covariates, *ancestry, "pca_linear", "linear", *polygenic, "elastic_net"]


def _refuse_without_columns(baseline: Baseline, config: RunConfig, value_kind: ValueKind) -> None:
    if baseline.uses == "covariates" and not config.data.covariates:
        raise ConfigError(
            f"the baseline '{kind_of(baseline)}' needs covariates, and none is named",
            where="evaluation.baselines",
            remedy="name columns with --covariates, or leave it out",
        )
    if baseline.uses == "covariates_pcs" and not num_components(config, value_kind):
        raise ConfigError(
            f"the baseline '{kind_of(baseline)}' needs principal components of genotypes, and there are none",
            where="evaluation.baselines",
            remedy="use the baseline 'covariates'"
            if value_kind != "dosage"
            else "raise data.principal_components, or leave it out",
        )
