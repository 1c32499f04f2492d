"""What is said about devices agrees with what is chosen in training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from genoken.models.layers.attention import choose_backend
from genoken.training.precision import choose_precision
from genoken.workflows import devices as module
from genoken.workflows.devices import cpu_name, devices, machine_memory_gb, versions

KEYS = ["device", "name", "compute_capability", "memory_gb", "bf16", "precision", "precision_reason", "attention_backend", "reason"]


def test_the_processor_comes_first():
    found = devices()[0]
    assert list(found) == KEYS
    assert (found["device"], found["compute_capability"]) == ("cpu", "")
    assert found["name"].startswith(cpu_name())
    assert (found["precision"], found["attention_backend"]) == ("fp32", "sdpa")
    assert found["memory_gb"] == machine_memory_gb() > 0


@pytest.mark.parametrize(
    ("capability", "bf16", "precision", "backend"),
    [((7, 5), False, "fp16", "sdpa"), ((8, 0), True, "bf16", "varlen"), ((9, 0), True, "bf16", "varlen")],
)
def test_a_card(monkeypatch, capability, bf16, precision, backend):
    properties = SimpleNamespace(name="a card", major=capability[0], minor=capability[1], total_memory=80 * 10**9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _=None: capability)
    found = devices()
    assert [device["device"] for device in found] == ["cpu", "cuda:0", "cuda:1"]
    card = found[1]
    assert (card["name"], card["compute_capability"], card["memory_gb"]) == ("a card", f"{capability[0]}.{capability[1]}", 80.0)
    assert (card["bf16"], card["precision"], card["attention_backend"]) == (bf16, precision, backend)
    chosen = choose_precision("auto", torch.device("cuda", 0))
    assert card["reason"] == choose_backend("auto", torch.device("cuda", 0), chosen.dtype).reason
    assert card["precision_reason"] == chosen.reason


def test_versions():
    assert versions()["torch"] == torch.__version__
    assert versions()["CUDA"] == (torch.version.cuda or "none")


@pytest.mark.parametrize(
    ("text", "name", "bf16"),
    [
        ("processor\t: 0\nmodel name\t: A Chip 9000\nflags\t\t: fpu avx512_bf16 sse\n", "A Chip 9000", True),
        ("model name\t: Old Chip\nflags\t\t: fpu sse\n", "Old Chip", False),
    ],
)
def test_what_the_system_tells(monkeypatch, tmp_path, text, name, bf16):
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "cpuinfo")
    assert cpu_name() == name
    assert devices()[0]["bf16"] is bf16


def test_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Path", lambda _: Path(tmp_path / "none"))
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86")
    assert cpu_name() == "x86"
    assert devices()[0]["bf16"] is False

    def fails(_name: str) -> int:
        raise ValueError("no such name")

    monkeypatch.setattr(module.os, "sysconf", fails)
    assert machine_memory_gb() == 0.0
