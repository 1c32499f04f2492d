"""Writing and reading the files of a run folder that hold a fitted model."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from genoken.core.components import component_to_dict
from genoken.core.config import RunConfig, build, component_from_dict, dump_yaml, read_yaml
from genoken.core.contracts import TargetState, Tokenizer, TokenizerState
from genoken.core.errors import RunError
from genoken.core.files import read_json, sha256_of_file, write_json, write_text
from genoken.core.samples import Samples
from genoken.data.dataset import TokenDataset
from genoken.models.embeddings import EmbeddingStart
from genoken.models.network import Network, seeded_network
from genoken.models.pretrained_weights import freeze_layers
from genoken.vocabulary.vocabulary import read_vocabulary, write_vocabulary
from genoken.workflows.background import BACKGROUND_FILES, CODING, Background, read_background, write_background
from genoken.workflows.own_network import NetworkFactory, with_network
from genoken.workflows.state import STATE, resume_command
from genoken.workflows.tensors import write_tensors

MODEL_FILES = ("config.yaml", "model.safetensors", "tokenizer.json", "target.json", "vocabulary.parquet")
"""Files that make up a model; their hashes are in the manifest."""


@dataclass(frozen=True)
class FittedModel:
    """A network with everything that is needed to use it.

    Parameters
    ----------
    config
        Settings of the run.
    state
        What the tokenizer learned.
    symbols
        Readable name of each vocabulary feature.
    target
        What the objective learned.
    network
        With its weights.
    background
        Covariates, principal components and what follows from them alone; ``None`` for none.
    """

    config: RunConfig
    state: TokenizerState
    symbols: tuple[str, ...]
    target: TargetState
    network: Network
    background: Background | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer's settings."""
        return self.config.tokenizer

    def dataset(self, samples: Samples, columns: np.ndarray) -> TokenDataset:
        """Return samples as the network takes them; ``columns[j]`` is the column of feature ``j``, or -1.

        Raises
        ------
        DataError
            When the samples lack a covariate of the model.
        """
        dataset = TokenDataset(self.tokenizer, self.state, self.tokenizer.prepare(samples, columns, self.state))
        if self.background is None:
            return dataset
        values, _ = self.background.values(samples.table, dataset.plain_values, samples.origin)
        return replace(dataset, prior=self.background.prior(values, self.target))


def build_network(config: RunConfig, state: TokenizerState, target: TargetState, start: EmbeddingStart, seed: int) -> Network:
    """Return the network for a fitted tokenizer and objective, with what shall not be learned frozen."""
    network = seeded_network(config.model, config.tokenizer.layout(state), config.objective.head(target), start, seed)
    freeze_layers(network, config.training.freeze_layers)
    return network


def write_model(folder: Path, model: FittedModel) -> None:
    """Write the files of ``MODEL_FILES`` into a folder, each atomically."""
    write_text(folder / "config.yaml", dump_yaml(model.config))
    write_tokenizer(folder, model.tokenizer, model.state, model.symbols)
    target = model.target
    write_json(
        folder / "target.json",
        {
            "task": target.task,
            "label": target.label,
            "classes": list(target.classes),
            "class_counts": list(target.class_counts),
            "center": target.center,
            "scale": target.scale,
        },
    )
    write_weights(folder, model.network)
    if model.background is not None:
        write_background(folder, model.background)


def write_tokenizer(folder: Path, tokenizer: Tokenizer, state: TokenizerState, symbols: tuple[str, ...]) -> None:
    """Write ``tokenizer.json`` and ``vocabulary.parquet``."""
    write_vocabulary(folder / "vocabulary.parquet", state.feature_ids, symbols, state.per_feature)
    write_json(folder / "tokenizer.json", component_to_dict(tokenizer) | {"facts": dict(state.facts)})


def read_tokenizer(folder: Path, expected: Tokenizer) -> tuple[TokenizerState, tuple[str, ...]]:
    """Read what :func:`write_tokenizer` wrote: what the tokenizer learned, and the features' symbols.

    Raises
    ------
    RunError
        When a file is broken, or the tokenizer is not the one that the configuration names.
    """
    feature_ids, symbols, per_feature = read_vocabulary(folder / "vocabulary.parquet")
    content = _json_object(folder / "tokenizer.json")
    tokenizer = component_from_dict(
        "tokenizers", {k: v for k, v in content.items() if k != "facts"}, where=str(folder / "tokenizer.json")
    )
    if tokenizer != expected:
        raise RunError(
            "tokenizer.json and config.yaml disagree", where=str(folder), remedy="restore the files as they were written"
        )
    return TokenizerState(feature_ids=feature_ids, per_feature=per_feature, facts=content.get("facts", {})), symbols


def write_weights(folder: Path, network: nn.Module) -> None:
    """Write ``model.safetensors``."""
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    # One entry only: the format writes several in random order, and equal weights would not be equal files.
    write_tensors(folder / "model.safetensors", weights, metadata={"format": "pt"})


def read_weights(folder: Path, network: nn.Module) -> None:
    """Read ``model.safetensors`` into a network, and put it into evaluation mode.

    Raises
    ------
    RunError
        When the weights do not fit.
    """
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RunError(f"the weights do not fit the configuration ({reason})", where=str(folder / "model.safetensors")) from error
    network.eval()


def read_model(folder: Path, network: NetworkFactory | None = None) -> FittedModel:
    """Read what :func:`write_model` wrote.

    Parameters
    ----------
    folder
        Where it is.
    network
        The code of the network, where that is its user's own.

    Raises
    ------
    RunError
        When a file is missing or does not fit the others.
    ConfigError
        When the network is its user's own and its code is not given, or is not and some is.
    """
    folder = Path(folder)
    require_files(folder, MODEL_FILES)
    config = build(RunConfig, read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    config = with_network(config, network, where=str(folder))
    state, symbols = read_tokenizer(folder, config.tokenizer)
    target = _target(folder / "target.json")
    built = build_network(config, state, target, EmbeddingStart.from_state(state.per_feature), config.training.seed)
    read_weights(folder, built)
    background = read_background(folder) if (folder / CODING).is_file() else None
    return FittedModel(config, state, symbols, target, built, background)


def require_files(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder that lacks one of the files of a finished run.

    Raises
    ------
    RunError
        Naming what is missing, and how to go on.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise _not_finished(folder, ", ".join(missing))


def _json_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError("the file does not hold a JSON object", where=str(path), remedy="restore it, or train again")
    return content


def _target(path: Path) -> TargetState:
    content = _json_object(path)
    try:
        return TargetState(
            task=content["task"],
            label=content["label"],
            classes=tuple(content["classes"]),
            class_counts=tuple(content["class_counts"]),
            center=content["center"],
            scale=content["scale"],
        )
    except (KeyError, TypeError) as error:
        raise RunError("the file does not describe a target", where=str(path)) from error


def model_files(folder: Path) -> list[str]:
    """Return the names of the files that make up the model in a folder: ``MODEL_FILES``, and those of a background it has."""
    return [*MODEL_FILES, *(name for name in BACKGROUND_FILES if (folder / name).is_file())]


def fold_hashes(folder: Path, num_folds: int) -> dict[str, str]:
    """Return the hash of each file of the folds' models, by its path within the run folder; none for a single fold."""
    if num_folds == 1:
        return {}
    places = [fold_place(index) for index in range(num_folds)]
    names = [f"{place}{name}" for place in places for name in model_files(folder / place)]
    return {name: sha256_of_file(folder / name) for name in names}


def fold_place(index: int) -> str:
    """Return where a fold of a cross-validation stands within the run folder, with a slash at the end."""
    return f"folds/{index}/"


def verify_hashes(folder: Path, place: str = "", *, names: Sequence[str] = MODEL_FILES) -> None:
    """Check a model's files against the manifest.

    Parameters
    ----------
    folder
        The run folder.
    place
        Where the model stands within it, with a slash at the end; empty for the final model.
    names
        The model's files.

    Raises
    ------
    RunError
        When there is no manifest, or a file is not the one that was written.
    """
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise _not_finished(folder, "manifest.json")
    expected = _json_object(folder / "manifest.json").get("files")
    listed = [name for name in BACKGROUND_FILES if isinstance(expected, dict) and f"{place}{name}" in expected]
    for name in (f"{place}{file}" for file in (*names, *listed)):
        path = folder / name
        if not path.is_file():
            raise _not_finished(folder, name)
        check_hash(path, expected.get(name) if isinstance(expected, dict) else None)


def check_hash(path: Path, expected: Any) -> None:
    """Check a file against its hash in the manifest.

    Raises
    ------
    RunError
        When it is not the one that was written.
    """
    if sha256_of_file(path) != expected:
        raise RunError(
            "the file is not the one that the run wrote (its hash differs from manifest.json)",
            where=str(path),
            remedy="restore it, or train again",
        )


def _not_finished(folder: Path, missing: str) -> RunError:
    if not folder.is_dir():
        return RunError("there is no such folder", where=str(folder), remedy="name a folder that genoken wrote")
    unfinished = (folder / STATE).is_file()
    remedy = f"the run is unfinished: {resume_command(folder)}" if unfinished else "is this a folder that genoken wrote?"
    return RunError(f"not a finished run: it has no {missing}", where=str(folder), remedy=remedy)


def hardware() -> dict[str, Any]:
    """Return device, processor, cores, memory and GPU of this machine."""
    import os

    has_gpu = torch.cuda.is_available()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "device": "cuda" if has_gpu else "cpu",
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(memory, 1),
        "gpu": torch.cuda.get_device_name(0) if has_gpu else None,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on."""
    names = ("torch", "lightning", "anndata", "scanpy", "numpy", "scipy", "pandas", "scikit-learn", "numba", "captum", "umap-learn")
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
