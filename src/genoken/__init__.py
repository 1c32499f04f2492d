"""Transformers, and their honest rivals, over genes and genotype variants as tokens.

``check`` examines a file, ``genotypes`` makes input of arrays, ``successors`` says which of its cells come next. ``train`` and
``pretrain`` make runs, which ``load_run`` opens again: a ``Run``, which predicts a label and which ``evaluate`` and ``compare``
score, or a ``PretrainedRun``, which embeds samples, fills in their phenotypes and predicts the cells that come next. For a
Lightning trainer of one's own, ``training_parts`` makes a module and a data module; for one's own training loop, ``Encoder``
turns samples into a torch ``Dataset`` of token sequences and back, and ``collate`` makes batches.
"""

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
    "pretrain": "genoken.workflows.pretrain",
    "evaluate": "genoken.workflows.evaluate",
    "compare": "genoken.workflows.compare",
    "load_run": "genoken.workflows.run",
    "Run": "genoken.workflows.run",
    "PretrainedRun": "genoken.workflows.pretrained_run",
    "Encoder": "genoken.workflows.encoder",
    "collate": "genoken.data.dataset",
    "genotypes": "genoken.workflows.genotypes",
    "successors": "genoken.workflows.successors",
    "training_parts": "genoken.workflows.lightning_parts",
}
__all__ = [
    "Encoder",
    "PretrainedRun",
    "Run",
    "__version__",
    "check",
    "collate",
    "compare",
    "evaluate",
    "genotypes",
    "load_run",
    "pretrain",
    "successors",
    "train",
    "training_parts",
]


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet included."""
    return list(__all__)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import genoken`` stays instant."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'genoken' has no attribute '{name}'")
