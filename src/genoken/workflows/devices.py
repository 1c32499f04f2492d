"""What this machine computes with, and what would be chosen on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from genoken.models.layers.attention import choose_backend
from genoken.training.precision import choose_precision

_GIGABYTE = 1e9


def devices() -> list[dict[str, Any]]:
    """Return what can be trained on: the CPU, then each CUDA device.

    Returns
    -------
    list of dict
        ``device`` (PyTorch's name), ``name``, ``compute_capability`` (empty for the CPU), ``memory_gb``, ``bf16`` (whether bf16 is
        native, as opposed to emulated), ``precision`` and ``precision_reason`` (what ``--precision auto`` chooses), and
        ``attention_backend`` and ``reason`` (what ``--attention auto`` chooses at that precision).

    Examples
    --------
    >>> from genoken.workflows.devices import devices
    >>> devices()[0]["device"]
    'cpu'
    """
    found = [torch.device("cpu")]
    if torch.cuda.is_available():
        found += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return [_describe(device) for device in found]


def versions() -> dict[str, str]:
    """Return the versions of PyTorch and of its CUDA, which is ``none`` in a build for CPUs."""
    return {"torch": torch.__version__, "CUDA": torch.version.cuda or "none"}


def cpu_name() -> str:
    """Return the processor's name, or the architecture where the system does not tell."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def machine_memory_gb() -> float:
    """Return the machine's memory in GB (10⁹ bytes); 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIGABYTE
    except (ValueError, OSError, AttributeError):
        return 0.0


def _describe(device: torch.device) -> dict[str, Any]:
    precision = choose_precision("auto", device)
    backend = choose_backend("auto", device, precision.dtype)
    facts: dict[str, Any] = {
        "device": str(device),
        "name": f"{cpu_name()}, {torch.get_num_threads()} threads",
        "compute_capability": "",
        "memory_gb": machine_memory_gb(),
        "bf16": _cpu_has_bf16(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "name": properties.name,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "memory_gb": properties.total_memory / _GIGABYTE,
            "bf16": (properties.major, properties.minor) >= (8, 0),
        }
    return facts | {
        "precision": precision.name,
        "precision_reason": precision.reason,
        "attention_backend": backend.backend,
        "reason": backend.reason,
    }


def _cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 itself (AVX-512 BF16 or AMX); false where that cannot be found out."""
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return False
    text = information.read_text(encoding="utf-8", errors="replace")
    return "avx512_bf16" in text or "amx_bf16" in text
