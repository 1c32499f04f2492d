"""What benchmarks of training steps share: a network with its optimizer, steps in turn, and peak memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from genoken.training.precision import choose_precision

Step = TypeVar("Step")


class Side(Generic[Step]):
    """A network with its optimizer."""

    def __init__(self, network: nn.Module, device: torch.device, learning_rate: float) -> None:
        self.network = network.to(device).train()
        self.precision = choose_precision("auto", device)
        self.device = device
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, fused=True)

    def loss(self, step: Step) -> Tensor:
        """Return the mean loss of a step's targets."""
        raise NotImplementedError

    def train(self, step: Step) -> float:
        """Take one optimizer step and return the loss before it."""
        with torch.autocast(self.device.type, dtype=self.precision.dtype, enabled=self.precision.name != "fp32"):
            loss = self.loss(step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())  # waits for the device


@dataclass(frozen=True)
class Timed:
    """What a side's steps took, and their losses."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def run_steps(sides: Mapping[str, Side[Step]], steps: Sequence[Step]) -> dict[str, Timed]:
    """Take all steps on all sides in turn, so that a slow minute of the machine hits all of them."""
    timed = {name: Timed() for name in sides}
    for step in steps:
        for name, side in sides.items():
            began = time.perf_counter()
            timed[name].losses.append(side.train(step))
            timed[name].seconds.append(time.perf_counter() - began)
    return timed


def peak_memory_mb(work: Callable[[], object], device: torch.device) -> float:
    """Return how much memory some work takes at most beyond what the process held before, in MiB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
        work()
        return torch.cuda.max_memory_allocated() / 2**20 - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, lest that of making the data hides the work's
    before = _status_mb("VmRSS")
    work()
    return _status_mb("VmHWM") - before


def _status_mb(name: str) -> float:
    """Return a line of the kernel's account of this process (Linux only), in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
