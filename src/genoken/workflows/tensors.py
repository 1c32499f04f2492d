"""Arrays of a run folder as safetensors files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from genoken.core.errors import RunError
from genoken.core.files import atomic_path


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file atomically.

    Raises
    ------
    RunError
        When the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=metadata)
        except SafetensorError as error:  # the format's own name for what would be an OSError
            raise RunError(
                f"cannot write the weights ({error})", where=str(path), remedy="free disk space or choose another folder"
            ) from error
