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


@pytest.mark.parametrize("verb", ["train", "pretrain"])
def test_a_bad_file_is_refused_before_what_trains_is_imported(verb, tmp_path):
    (tmp_path / "cohort.bed").write_bytes(b"l\x1b\x01\x00")
    (tmp_path / "cohort.bim").write_bytes(b"1 rs1 0 100 A G\n1 rs2 0 200 A G\n")
    (tmp_path / "cohort.fam").write_bytes(b"f p 0 0 1 -9\n")
    code = (
        "import contextlib, io, sys\nfrom genoken.cli.main import main\nfound = io.StringIO()\n"
        "with contextlib.redirect_stderr(found):\n    code = main(sys.argv[1:])\n"
        "print(code, found.getvalue().count('is cut off'), [name for name in ('torch', 'lightning') if name in sys.modules])"
    )
    label = ["--label", "trait"] if verb == "train" else []
    assert run(code, verb, str(tmp_path / "cohort.bed"), *label).strip() == "2 1 []"
