"""Memory that is there, held, and taken at most."""

from __future__ import annotations

import pytest
import torch

from genoken.training import memory
from genoken.training.memory import PeakMemory, free_bytes, is_out_of_memory, memory_mb

CPU = torch.device("cpu")
MEGABYTE = 2**20


def test_the_peak_is_that_of_the_work_alone():
    held = torch.ones(20 * MEGABYTE // 4)
    peak = PeakMemory(CPU)
    assert 60 < peak.of(lambda: torch.ones(64 * MEGABYTE // 4)) / MEGABYTE < 80
    assert peak.of(lambda: None) / MEGABYTE < 40  # the peak of the work before does not count again
    assert held.sum() > 0


def test_what_is_held_goes_up_and_down():
    before = memory_mb()
    held = torch.ones(64 * MEGABYTE // 4)
    assert 60 < memory_mb() - before < 80
    del held
    assert memory_mb() - before < 20


def test_free_memory_is_within_the_limit_of_a_container(monkeypatch, tmp_path):
    limit, use = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(memory, "_CONTAINER_LIMIT", limit)
    monkeypatch.setattr(memory, "_CONTAINER_USE", use)
    monkeypatch.setattr(memory, "_machine_free", lambda: 1000)
    assert free_bytes(CPU) == 1000
    limit.write_text("max\n")
    assert free_bytes(CPU) == 1000
    limit.write_text("900\n")
    use.write_text("300\n")
    assert free_bytes(CPU) == 600
    use.write_text("0\n")
    limit.write_text("5000\n")
    assert free_bytes(CPU) == 1000


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            True,
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_want_of_memory_is_told_from_other_failures(error, expected):
    assert is_out_of_memory(error) == expected
