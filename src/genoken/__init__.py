"""Transformers, and their honest rivals, over genes and genotype variants as tokens."""

from __future__ import annotations

import importlib
import os
from typing import Any

# OpenMP threads that wait by spinning make each other wait when the machine is shared; sleeping ones cost a little on a free one
# (benchmarks/shared_machine.py measures both). The variable is read once, when the first OpenMP library loads; a set value stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

_PUBLIC = {
    "check": "genoken.workflows.check",
    "train": "genoken.workflows.train",
    "evaluate": "genoken.workflows.evaluate",
    "compare": "genoken.workflows.compare",
    "load_run": "genoken.workflows.run",
    "Run": "genoken.workflows.run",
}
__all__ = ["Run", "__version__", "check", "compare", "evaluate", "load_run", "train"]


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet included."""
    return list(__all__)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import genoken`` stays instant."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'genoken' has no attribute '{name}'")
