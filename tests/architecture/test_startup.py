"""The command line answers at once: listing kinds and printing help import nothing heavy."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
HEAVY = ("torch", "lightning", "scanpy", "anndata", "sklearn", "numba", "plotly", "pandas", "umap", "captum")


def run(code: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "from genoken.core.components import FAMILIES, kinds; assert [kinds(family) for family in FAMILIES]",
        "import genoken",
        "import genoken.cli.main",
    ],
)
def test_imports_nothing_heavy(code):
    assert run(f"{code}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])").strip() == "[]"


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("--version",)], ids=" ".join)
def test_help_is_instant(arguments):
    # Processor time, because wall time is that of the machine's other work as well; on a free machine the two are equal.
    seconds = []
    for _ in range(3):
        before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        output = run("from genoken.cli.main import main; main()", *arguments)
        seconds.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before)
    assert "genoken" in output or "Usage" in output or output.strip()
    assert min(seconds) < 0.8, f"best of three: {min(seconds):.2f} s of processor time"
