"""Packing genotypes takes no more memory for many variants than for a few, and a store is opened without being read into memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

SAMPLES, FEW, MANY = 100_000, 40, 12_000
PACKED_MB = SAMPLES / 4 * MANY / 1e6  # 300: two bits for each call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PACK = """
import json, sys
from pathlib import Path
from genoken.workflows.files import read_file
from genoken.workflows.pack import pack
from genoken.workflows.show import Show
store = pack(Path(sys.argv[1]), Path(sys.argv[2]), show=Show(quiet=True))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps(int(status["VmHWM"].split()[0]) / 1024))
"""
OPEN = """
import json, sys
from pathlib import Path
import numpy as np
from genoken.workflows.files import read_file
samples = read_file(Path(sys.argv[1]))
samples.take(np.arange(100)).values.dense()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps(int(status["RssAnon"].split()[0]) / 1024))
"""


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    """PLINK files of 100,000 people, at few and at many variants."""
    if not os.path.exists("/proc/self/status"):  # noqa: PTH110
        pytest.skip("memory is measured as Linux tells it")
    folder, rng = tmp_path_factory.mktemp("cohorts"), np.random.default_rng(0)
    for name, count in (("few", FEW), ("many", MANY)):
        with (folder / f"{name}.bed").open("wb") as file:
            file.write(b"\x6c\x1b\x01")
            for _ in range(0, count, 40):
                file.write(rng.bytes(40 * SAMPLES // 4))
        (folder / f"{name}.bim").write_text("".join(f"1\trs{row}\t0\t{row + 1}\tA\tG\n" for row in range(count)))
        (folder / f"{name}.fam").write_text("".join(f"F{row}\ts{row}\t0\t0\t1\t-9\n" for row in range(SAMPLES)))
    return folder


def measured(script, *paths):
    done = subprocess.run([sys.executable, "-c", script, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_does_not_grow_with_the_number_of_variants(cohorts):
    few, many = (measured(PACK, cohorts / f"{name}.bed", cohorts / f"{name}.calls") for name in ("few", "many"))
    assert (cohorts / "many.calls" / "calls.bin").stat().st_size == PACKED_MB * 1e6
    assert many - few < PACKED_MB / 3  # blocks of 16 MB and what is made of them
    few, many = (measured(OPEN, cohorts / f"{name}.calls") for name in ("few", "many"))
    assert many - few < PACKED_MB / 10
