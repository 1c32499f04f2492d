"""How much a busy neighbor slows a training step down, with OpenMP threads that spin while they wait and with threads that sleep.

Each figure is the median of training steps in a fresh process, because the policy is read once when OpenMP loads. The neighbor is
one process that does nothing but count.

    python benchmarks/shared_machine.py [--quick]
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _results import options, table, write

STEPS = 12
_MEASURE = "import shared_machine; shared_machine.measure()"


def measure() -> None:
    """Print the median seconds of a training step on the demo's cells."""
    from classifier_step import Side, batches_of, load

    problem = load("765 genes", quick=False)
    assert problem is not None
    side, seconds = Side("expressed", problem), []
    for rows in batches_of(problem, 1)[:STEPS]:
        began = time.perf_counter()
        side.step(rows)
        seconds.append(time.perf_counter() - began)
    print(statistics.median(seconds[2:]))


def busy() -> None:
    """Keep one core busy."""
    count = 0
    while True:
        count += 1


def seconds_per_step(policy: str, threads: int) -> float:
    """Return the median seconds of a step in a fresh process with this policy."""
    environment = {**os.environ, "OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(threads)}
    result = subprocess.run(
        [sys.executable, "-c", _MEASURE], env=environment, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return float(result.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure both policies with and without a neighbor."""
    chosen = options(__doc__ or "")
    figures = {}
    for neighbor in (False, True):
        process = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
        if neighbor:
            process.start()
        for policy in ("ACTIVE", "PASSIVE"):
            figures[f"{policy.lower()}, {'busy neighbor' if neighbor else 'alone'}"] = seconds_per_step(policy, chosen.threads)
        if neighbor:
            process.terminate()
    ratios = {place: figures[f"active, {place}"] / figures[f"passive, {place}"] for place in ("alone", "busy neighbor")}
    print(table(["threads wait", "seconds per step"], [[name, f"{value:.3f}"] for name, value in figures.items()]))
    write("shared_machine", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
