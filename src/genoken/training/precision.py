"""Which device and which number format a run computes in, and why."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from genoken.core.errors import ConfigError


@dataclass(frozen=True)
class Precision:
    """A number format.

    Parameters
    ----------
    name
        ``fp32``, ``bf16`` or ``fp16``.
    dtype
        Type in which matrix products are computed; weights stay float32.
    lightning
        Lightning's name for it.
    reason
        One sentence for the user.
    """

    name: str
    dtype: torch.dtype
    lightning: str
    reason: str


_FORMATS = {
    "fp32": (torch.float32, "32-true"),
    "bf16": (torch.bfloat16, "bf16-mixed"),
    "fp16": (torch.float16, "16-mixed"),
}


def choose_precision(requested: str, device: torch.device) -> Precision:
    """Return the number format for a device.

    ``auto`` is bf16 from compute capability 8.0 on, fp16 with a gradient scaler on older GPUs, and fp32 on CPU. PyTorch's own
    ``is_bf16_supported`` counts emulation, so the capability decides here.

    Raises
    ------
    ConfigError
        When the format asked for cannot work on the device.
    """
    if device.type != "cuda":
        if requested == "fp16":
            raise ConfigError("fp16 needs a GPU: its gradient scaler has no CPU form here", remedy="use --precision fp32 or bf16")
        name = "fp32" if requested == "auto" else requested
        return _precision(name, f"the device is {device.type}" if requested == "auto" else "asked for by name")
    major, minor = torch.cuda.get_device_capability(device)
    if requested == "bf16" and major < 8:
        raise ConfigError(
            f"bf16 needs compute capability 8.0, and this GPU has {major}.{minor}", remedy="use --precision fp16 or auto"
        )
    if requested != "auto":
        return _precision(requested, "asked for by name")
    return _precision("bf16" if major >= 8 else "fp16", f"compute capability {major}.{minor}")


def matmul_flops_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second that a large product of two square matrices reaches here.

    This, not a data sheet's figure, is what the utilization of a run is held against. The best of three repeats counts, after one
    that warms up.
    """
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    best = math.inf
    for repeat in range(4):
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if repeat:
            best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def choose_device(requested: str = "auto") -> torch.device:
    """Return the first CUDA device where there is one, else the CPU; ``cpu`` and ``cuda`` by name."""
    if requested == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if requested == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device can be used here", remedy="use --device cpu")
    return torch.device(requested)


def _precision(name: str, reason: str) -> Precision:
    dtype, lightning = _FORMATS[name]
    return Precision(name=name, dtype=dtype, lightning=lightning, reason=reason)
