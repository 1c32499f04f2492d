"""What all benchmarks share: options, tables and the JSON file they leave behind."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as genoken sets it, but before torch is imported

import torch

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def options(description: str, choices: Mapping[str, Sequence[str]] | None = None) -> argparse.Namespace:
    """Parse the options that every benchmark takes, and those of one, by name to what may be chosen, the default first."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a small version that shows that the script works; its figures mean nothing"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads for both sides")
    parser.add_argument("--repeats", type=int, default=2, help="seeds, where a benchmark repeats")
    parser.add_argument("--only", default="", help="comma-separated names of the data sets to run")
    parser.add_argument("--runs", default="", help="folder that keeps the runs, where a benchmark makes any")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="a setting to try; nothing is written then"
    )
    for name, allowed in (choices or {}).items():
        parser.add_argument(f"--{name}", choices=allowed, default=allowed[0], help=f"by default {allowed[0]}")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def data_folder() -> Path | None:
    """Return the folder with further data sets, if there is one (environment variable GENOKEN_DATA, or beside the repository)."""
    named = os.environ.get("GENOKEN_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _path(script: str, chosen: argparse.Namespace) -> Path:
    return RESULTS / f"{script}{'.quick' if chosen.quick else ''}.json"


def figures_before(script: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the figures that a run with ``--only`` leaves as they are; nothing for a whole run."""
    path = _path(script, chosen)
    return dict(json.loads(path.read_text())["figures"]) if chosen.only and path.is_file() else {}


def write(script: str, ratios: Mapping[str, float], figures: Mapping[str, Any], *, chosen: argparse.Namespace) -> None:
    """Write ``benchmarks/results/SCRIPT.json``.

    A quick run writes beside it, so that it never replaces real figures; one with ``--only`` renews its own figures and leaves the
    others as they are.
    """
    if chosen.set:
        print("\nNot written: these are not the defaults.")
        return
    path = _path(script, chosen)
    if chosen.only and path.is_file():
        before = json.loads(path.read_text())
        ratios, figures = {**before["ratios"], **ratios}, {**before["figures"], **figures}
    RESULTS.mkdir(exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.strip()
    hardware = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "torch": torch.__version__,
    }
    content = {"ratios": dict(ratios), "figures": dict(figures), "hardware": hardware, "commit": commit, "quick": chosen.quick}
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"\nWrote {path.relative_to(ROOT)}")
