"""Checkpoints without pickle: tensors in safetensors, everything else as JSON in the same file's header.

A checkpoint is one file that is whole or absent, so that killing the process at any moment loses at most the work since the last
one. Reading it can run no code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.plugins.io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from genoken.core.errors import RunError
from genoken.core.files import atomic_path, to_json

SUFFIX = ".safetensors"
_STATE = "genoken_state"


class SafeCheckpointIO(CheckpointIO):
    """Lightning's checkpoint reader and writer, without pickle."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint atomically."""
        write_checkpoint(Path(path), checkpoint)

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU; Lightning moves what belongs elsewhere."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint that is there."""
        Path(path).unlink(missing_ok=True)


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write nested dictionaries, lists, numbers, strings and tensors as one safetensors file.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written.
    """
    tensors: dict[str, torch.Tensor] = {}
    state = json.dumps(_encode(content, "", tensors), allow_nan=True)
    # An empty file has no header to hold the state; shared memory is refused by the format, hence the copies.
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()} or {"empty": torch.zeros(0)}
    with atomic_path(path) as temporary:
        try:
            save_file(owned, temporary, metadata={_STATE: state})
        except SafetensorError as error:  # the format's own name for what would be an OSError
            raise RunError(
                f"cannot write the checkpoint ({error})", where=str(path), remedy="free disk space or choose another folder"
            ) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read what :func:`write_checkpoint` wrote.

    Raises
    ------
    RunError
        When the file is missing or is not such a file.
    """
    foreign = RunError("the file is not a checkpoint of genoken", where=str(path), remedy="delete it; the one before is used")
    try:
        with safe_open(path, framework="pt", device="cpu") as handle:
            state = (handle.metadata() or {}).get(_STATE)
            if state is None:
                raise foreign
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a dictionary
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"the checkpoint cannot be read ({error})", where=str(path), remedy="delete it; the one before is used"
        ) from error
    try:
        content = _decode(json.loads(state), tensors)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise foreign from error
    if not isinstance(content, dict):
        raise foreign
    return content


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint of the highest step in a folder, or ``None``."""
    found = sorted(Path(folder).glob(f"step-*{SUFFIX}"))
    return found[-1] if found else None


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return the name of the checkpoint after an optimizer step."""
    return Path(folder) / f"step-{step:09d}{SUFFIX}"


def _encode(value: Any, place: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        # Places alone are not unique: {"a/b": …} and {"a": {"b": …}} have the same.
        name = f"{len(tensors)}{place}"
        tensors[name] = value
        return {"$tensor": name}
    if isinstance(value, dict):
        return {"$dict": [[_key(key), _encode(item, f"{place}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "$tuple" if isinstance(value, tuple) else "$list"
        return {kind: [_encode(item, f"{place}/{index}", tensors) for index, item in enumerate(value)]}
    if isinstance(value, (float, np.floating)):
        return {"$float": float(value).hex()}
    return to_json(value)


def _key(key: Any) -> str | int:
    if isinstance(key, (str, int)) and not isinstance(key, bool):
        return key
    raise TypeError(f"a checkpoint cannot hold a dictionary key of type {type(key).__name__}")


def _decode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "$tensor":
        return tensors[content]
    if kind == "$float":
        return float.fromhex(content)
    if kind == "$dict":
        return {key: _decode(item, tensors) for key, item in content}
    if kind not in ("$list", "$tuple"):
        raise ValueError(kind)
    items = [_decode(item, tensors) for item in content]
    return tuple(items) if kind == "$tuple" else items
