"""How much memory this process, or its GPU, has, holds and took at most; and whether a failure was for want of it."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable
from pathlib import Path

import torch

_CONTAINER_LIMIT, _CONTAINER_USE = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def peak_memory_mb() -> float:
    """Return the peak memory in MiB: of the CUDA device since it was last reset, or of this process since it started."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def memory_mb() -> float:
    """Return the memory in MiB that is held now: on the CUDA device, or by this process."""
    if torch.cuda.is_available():
        return torch.cuda.memory_reserved() / 2**20
    return _status_bytes("VmRSS") / 2**20


def free_bytes(device: torch.device) -> int:
    """Return the memory that can still be taken: of the GPU, or of this machine, within the limit of a container.

    What PyTorch keeps of a GPU without using it counts as free.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    free = _machine_free()
    try:
        limit = _CONTAINER_LIMIT.read_text(encoding="ascii").strip()
        return min(free, int(limit) - int(_CONTAINER_USE.read_text(encoding="ascii"))) if limit != "max" else free
    except (OSError, ValueError):  # no container, or one of another kind
        return free


def _machine_free() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux: half of what is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class PeakMemory:
    """Measures how far memory rises above where it was when the object was made.

    On a GPU that is what PyTorch allocated, on a CPU the growth of the resident set: what was held before and is used again is not
    counted twice. Where the kernel does not let its high-water mark be reset, only a rise above the process's peak so far is seen.

    Parameters
    ----------
    device
        Whose memory is meant.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        gc.collect()
        self._before = torch.cuda.memory_allocated(device) if device.type == "cuda" else _status_bytes("VmRSS")

    def of(self, work: Callable[[], object]) -> int:
        """Return by how many bytes memory rises at most while some work is done."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            work()
            torch.cuda.synchronize(self._device)
            return torch.cuda.max_memory_allocated(self._device) - self._before
        _reset_high_water()
        work()
        return max(_status_bytes("VmHWM") - self._before, 0)


def _reset_high_water() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status_bytes(name: str) -> int:
    """Return a line of the kernel's account of this process, in bytes; without one, the process's peak so far."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether PyTorch raised an error because memory ran out, on a GPU or on the CPU, where it has no class of its own."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
