"""What a pretraining is asked for: defaults, a preset, a file and single settings as one configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genoken.core.components import component_to_dict, kind_of
from genoken.core.config import PretrainConfig, build, component_from_dict, merge, override, read_yaml
from genoken.core.contracts import TokenObjective
from genoken.core.errors import ConfigError, DataError, suggestion
from genoken.core.samples import Samples
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.assemble import preset_content
from genoken.workflows.next_cell_folder import NextCellFolder
from genoken.workflows.pretrained import objectives_of
from genoken.workflows.start import PretrainedStart

_POOLING = {"model": {"pooling": "mean"}}
"""No masked objective asks anything of the CLS token: the mean over all tokens stands for a sample, here and in fine-tuning."""


def resolve_pretraining(
    preset: str,
    config: str | Path | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    start: PretrainedStart | None = None,
    folder: NextCellFolder | None = None,
) -> PretrainConfig:
    """Lay defaults, what an earlier run, a preset, a folder of next-cell data, a configuration and single settings say in order.

    Objectives among the settings keep the options that the preset or the configuration has for their kinds.

    Raises
    ------
    ConfigError
        When the preset does not exist, any name or value is wrong, or one contradicts the earlier run.
    """
    content, where = preset_content(preset, pretraining=True)
    content = merge(_POOLING if start is None else start.settings_to_go_on(), content)
    if folder is not None:
        content = merge(content, folder.settings(content, has_vocabulary=start is not None))
    if config is not None:
        if not isinstance(config, Mapping):
            where = str(config)
        content = merge(content, config if isinstance(config, Mapping) else read_yaml(Path(config)))
    if isinstance(settings.get("objectives"), (list, tuple)):
        in_force = content.get("objectives")
        kept = in_force if isinstance(in_force, (list, tuple)) else ()
        settings = {**settings, "objectives": _merged_by_kind(kept, settings["objectives"])}
    found: PretrainConfig = build(PretrainConfig, override(content, settings), where=where)
    kinds = list(objectives_of(found))
    if len(kinds) != len(found.objectives):
        raise ConfigError("an objective is named twice", where=where, remedy="name each once, with its weight")
    if found.training.balanced_sampling:
        raise ConfigError(
            "'training.balanced_sampling' needs classes, and pretraining has none", where=where, remedy="leave it out"
        )
    if start is not None:
        start.refuse_contradictions(found)
    return found


def _merged_by_kind(in_force: list[Any] | tuple[Any, ...], chosen: list[Any] | tuple[Any, ...]) -> list[Any]:
    """Return the chosen objectives, each laid over the one of its kind that is in force."""
    options = {found.get("kind"): found for found in map(_options, in_force)}
    return [
        objective if dataclasses.is_dataclass(objective) else options.get(_options(objective).get("kind"), {}) | _options(objective)
        for objective in chosen
    ]


def _options(objective: Any) -> dict[str, Any]:
    if isinstance(objective, str):
        return {"kind": objective}
    if dataclasses.is_dataclass(objective):
        return component_to_dict(objective)
    return dict(objective) if isinstance(objective, Mapping) else {}


def with_mapped_phenotypes(config: PretrainConfig) -> PretrainConfig:
    """Return the configuration with the columns of its phenotype map, if it has one, as its phenotypes.

    Raises
    ------
    ConfigError
        When other columns are named as well.
    DataError
        When the map cannot be read.
    """
    data = config.data
    if not data.phenotype_map:
        return config
    columns = PhenotypeVocabulary.read(Path(data.phenotype_map)).columns
    if data.phenotypes and sorted(data.phenotypes) != list(columns):
        raise ConfigError(
            f"the phenotypes are {', '.join(sorted(data.phenotypes))}, but the phenotype map has {', '.join(columns)}",
            where=data.phenotype_map,
            remedy="name the same columns, or leave --phenotypes out",
        )
    return replace(config, data=replace(data, phenotypes=columns))


@dataclass(frozen=True)
class Hiding:
    """Shares that every objective that hides features is to have; ``None``: as they are.

    Parameters
    ----------
    mask_probability
        Share of the features' tokens to hide.
    mask_share, random_share
        Shares of the hidden tokens that are masked, and replaced by others; the rest is kept as it is.
    """

    mask_probability: float | None = None
    mask_share: float | None = None
    random_share: float | None = None

    def changes(self) -> dict[str, float]:
        """Return option of an objective to what it is to be."""
        options = {"probability": self.mask_probability, "mask_share": self.mask_share, "random_share": self.random_share}
        return {name: share for name, share in options.items() if share is not None}

    @property
    def flags(self) -> str:
        """The flags that say so, for messages."""
        shares = {"mask-probability": self.mask_probability, "mask-share": self.mask_share, "random-share": self.random_share}
        return ", ".join(f"--{name}" for name, share in shares.items() if share is not None)


def with_objectives(config: PretrainConfig, hiding: Hiding | None = None) -> PretrainConfig:
    """Return the configuration with what is hidden: its objectives, or those that its tokens call for if it names none.

    Parameters
    ----------
    config
        The configuration.
    hiding
        How every objective that hides features is to hide them.

    Raises
    ------
    ConfigError
        When a share is none, or no objective hides features.
    """
    objectives = config.objectives
    if not objectives:
        tokenizer: Any = config.tokenizer
        has_no_value = kind_of(tokenizer) == "rank" and tokenizer.order == "rank_order"
        if config.successors.key:
            kind = "next_cell" if has_no_value else "next_value"
        else:
            kind = "masked_feature" if has_no_value else "masked_value"
        chosen = [kind, *(["phenotype"] if config.data.phenotypes else [])]
        objectives = tuple(component_from_dict("objectives", name) for name in chosen)
    if hiding is not None and hiding.changes():
        objectives = _hidden_so(objectives, hiding)
    return replace(config, objectives=objectives)


def _hidden_so(objectives: tuple[TokenObjective, ...], hiding: Hiding) -> tuple[TokenObjective, ...]:
    """Return the objectives, of which those that hide features do it so."""
    if not any(objective.segment != "phenotypes" for objective in objectives):
        raise ConfigError(
            "a share of the features to hide needs an objective that hides features",
            where=hiding.flags,
            remedy="add --objective masked_feature or masked_value",
        )
    return tuple(
        component_from_dict("objectives", component_to_dict(objective) | hiding.changes(), where=hiding.flags, path="objectives")
        if objective.segment != "phenotypes"
        else objective
        for objective in objectives
    )


def check_phenotypes(config: PretrainConfig, samples: Samples) -> None:
    """Refuse phenotypes that no file has.

    Raises
    ------
    DataError
        With the nearest column.
    """
    missing = [name for name in config.data.phenotypes if name not in samples.table]
    if missing:
        near = suggestion(missing[0], [str(name) for name in samples.table], "columns")
        raise DataError(f"no file has the phenotype '{missing[0]}' in obs", where=samples.origin, remedy=near)
