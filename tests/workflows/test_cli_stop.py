"""A real process is stopped in the middle of training, says how to go on, and does."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genoken.synthetic import planted_markers

pytestmark = pytest.mark.slow
SECONDS = 240
OPTIONS = """--label cell_type --group donor_id --split group --baselines majority --logger none
             --set model.width=32 --set evaluation.bootstrap=50 --batch-size 4 --checkpoint-every 5 --epochs 40 --patience 0"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "genoken", *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for_checkpoint(process: subprocess.Popen[str], folder: Path) -> None:
    end = time.monotonic() + SECONDS
    while not any(folder.glob("checkpoints/*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_stopped_run_says_how_to_go_on(tmp_path, number, code):
    planted_markers(samples=240, features=40, groups=12).write_h5ad(tmp_path / "cells.h5ad")
    process = start(tmp_path, "train", "cells.h5ad", *shlex.split(OPTIONS), "-o", "runs/x")
    wait_for_checkpoint(process, tmp_path / "runs" / "x")
    process.send_signal(number)
    _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == code
    assert error.splitlines()[-1] == "genoken: stopped; go on with: genoken train --resume runs/x"
    assert "Traceback" not in error

    words = shlex.split(error.splitlines()[-1].split("go on with: genoken ")[1])
    resumed = start(tmp_path, *words)
    out, error = resumed.communicate(timeout=SECONDS)
    assert resumed.returncode == 0, error
    assert "runs/x/report.html" in out
    assert (tmp_path / "runs" / "x" / "report.html").is_file()
    again = start(tmp_path, *words)
    out, _ = again.communicate(timeout=SECONDS)
    assert (again.returncode, "finished already" in out) == (0, True)


def test_a_closed_pipe_is_quiet(tmp_path):
    planted_markers(samples=60, features=40).write_h5ad(tmp_path / "cells.h5ad")
    command = f"{shlex.quote(sys.executable)} -m genoken check cells.h5ad --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.stdout, done.stderr) == ("{", "")
