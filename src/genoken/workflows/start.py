"""A pretrained network to start from: what is taken over from its run, and what may not be said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genoken.core.components import component_to_dict, kind_of
from genoken.core.config import PretrainConfig, RunConfig, to_dict
from genoken.core.errors import ConfigError, RunError
from genoken.core.files import sha256_of_file
from genoken.core.samples import Samples
from genoken.evaluation.verdict import SCRATCH
from genoken.workflows.pretrained import PRETRAINED_FILES, PretrainedModel, read_pretrained
from genoken.workflows.restriction import restrict_to_vocabulary
from genoken.workflows.seen import KNOWN_SAMPLES
from genoken.workflows.store import verify_hashes

_WEIGHTS = "model.safetensors"
_FREE = frozenset(
    {"model.embedding.init", "model.embedding.token_dropout", "model.encoder.dropout", "model.encoder.attention_dropout"}
)
"""Settings of parts that are taken over on which the meaning of the weights does not depend."""


@dataclass(frozen=True)
class PretrainedStart:
    """A pretrained network to start from.

    Parameters
    ----------
    folder
        The pretraining run.
    sha256
        Hash of its weights.
    model
        The network with its tokenizer.
    """

    folder: Path
    sha256: str
    model: PretrainedModel

    @property
    def num_phenotypes(self) -> int:
        """Number of phenotype tokens in pretraining; fine-tuning has none."""
        return 0 if self.model.phenotypes is None else len(self.model.phenotypes.columns)

    @property
    def origin(self) -> dict[str, str]:
        """What a run notes of it: ``folder`` and ``sha256``."""
        return {"folder": str(self.folder.resolve()), "sha256": self.sha256}

    def settings(self) -> dict[str, Any]:
        """Return what a fine-tuning run takes over where its user says nothing, as nested plain values.

        The network's group column is no part of it, because another file may lack it.
        """
        config = self.model.config
        model = to_dict(config.model)
        return {
            "tokenizer": component_to_dict(self.model.tokenizer),
            "model": {name: model[name] for name in ("width", "embedding", "encoder", "pooling")},
            "evaluation": {"rivals": [SCRATCH]},
        }

    def settings_to_go_on(self) -> dict[str, Any]:
        """Return what a pretraining run that goes on takes over where its user says nothing, as nested plain values."""
        config = self.model.config
        return {"tokenizer": component_to_dict(config.tokenizer), "model": to_dict(config.model)}

    def refuse_contradictions(self, config: RunConfig | PretrainConfig) -> None:
        """Refuse settings that are not those of the pretrained network.

        Raises
        ------
        ConfigError
            Naming the first one.
        """
        # Fine-tuning has no phenotype tokens and keeps as many for features; a later pretraining has the same phenotypes.
        tokenizer = self.model.tokenizer if isinstance(config, RunConfig) else self.model.config.tokenizer
        theirs = _decisive(replace(self.model.config, tokenizer=tokenizer))
        for path, value in _decisive(config).items():
            if theirs.get(path) != value:
                raise ConfigError(
                    f"'{path}' is {value}, but the pretrained network has {theirs.get(path)}",
                    where=str(self.folder),
                    remedy="leave it out: it is taken from the pretraining run",
                )

    def restrict(self, samples: Samples, min_coverage: float) -> tuple[Samples, str]:
        """Return samples with the network's vocabulary for their features, and the line that says how much of it they hold.

        Raises
        ------
        DataError
            When too little of it is there.
        """
        return restrict_to_vocabulary(samples, self.model.state, self.model.symbols, min_coverage=min_coverage)


def _decisive(config: RunConfig | PretrainConfig) -> dict[str, Any]:
    """Return the settings that two networks must share for one to take over the other's weights, by their paths."""
    model = to_dict(config.model)
    parts = {"tokenizer": component_to_dict(config.tokenizer)} | {f"model.{part}": model[part] for part in ("embedding", "encoder")}
    flat = {f"{part}.{name}": value for part, content in parts.items() for name, value in content.items()}
    decisive = {"model.width": model["width"]} | {path: value for path, value in flat.items() if path not in _FREE}
    # Fine-tuning has a linear path of its own; in pretraining the encoder has learned what the path leaves over.
    return decisive | ({"model.linear_path": model["linear_path"]} if isinstance(config, PretrainConfig) else {})


def read_start(folder: Path) -> PretrainedStart:
    """Read a pretraining run to start from, and check its files against its manifest.

    Raises
    ------
    RunError
        When the folder holds no finished pretraining run, or files of it were changed.
    """
    if not folder.is_dir():
        raise RunError("there is no such folder", where=str(folder), remedy="name a folder that genoken pretrain wrote")
    for name, remedy in (
        ("phenotypes.json", "name one that genoken pretrain wrote"),
        ("manifest.json", f"let it finish: genoken pretrain --resume {folder}"),
    ):
        if not (folder / name).is_file():
            raise RunError(f"no finished pretraining run is in this folder (it has no {name})", where=str(folder), remedy=remedy)
    verify_hashes(folder, names=(*PRETRAINED_FILES, KNOWN_SAMPLES))
    return PretrainedStart(folder, sha256_of_file(folder / _WEIGHTS), read_pretrained(folder))


def read_start_again(origin: dict[str, str]) -> PretrainedStart:
    """Read the pretraining run that an unfinished run began from.

    Raises
    ------
    RunError
        When it is not there any more, or its weights are others.
    """
    start = read_start(Path(origin["folder"]))
    if start.sha256 != origin["sha256"]:
        raise RunError(
            "the pretrained network changed since the run began", where=origin["folder"], remedy="train again from the start"
        )
    return start


def refuse_without_start(config: RunConfig) -> None:
    """Refuse settings that make no sense without a pretrained network.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    named = {
        "training.freeze_layers": config.training.freeze_layers > 0,
        "evaluation.rivals: scratch": SCRATCH in config.evaluation.rivals,
        "split.kind: inherited": kind_of(config.split) == "inherited",
    }
    for name, is_said in named.items():
        if is_said:
            raise ConfigError(f"'{name}' needs a pretrained network", remedy="add --from FOLDER, or leave it out")
