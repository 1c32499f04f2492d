"""Time and peak memory of reading and packing genotypes: genoken against plain loops over bed-reader, Pgenlib and cyvcf2.

Random calls, written into a temporary folder: a PLINK 1 and a PLINK 2 data set, and a phased VCF. Ours is measured from the
files to :class:`~genoken.core.samples.Samples`: calls in two bits with the tables of samples and variants, for the VCF both the
copies and those on the first strand. Theirs reads the calls alone into one dense int8 matrix of samples by variants, no table.
``pack``: ours writes the PLINK 1 data set as a store by sample, tables included; theirs reads it with bed-reader, 1,000 variants
at a time, into a file of int8 by sample, which NumPy maps.
Each runs in a process of its own, whose peak memory is that of the whole process, imports included; time begins after the imports,
and after Numba has started, which it does once in a process (its own figure).

    python benchmarks/genotype_read.py [--quick] [--only bed,pgen,vcf,pack]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from _results import figures_before, options, table, write
from genoken.core.random import generator

BED, VCF = (2_000, 50_000), (300, 20_000)
QUICK_BED, QUICK_VCF = (200, 2_000), (50, 500)
MISSING = 0.01
ROWS_AT_ONCE = 1000

IMPORTS = """
import json, sys, time
from pathlib import Path
import cyvcf2, pgenlib, pyarrow.csv, pyarrow.parquet
from genoken.core.calls import Calls
from genoken.workflows.files import read_file, whole_name
from genoken.workflows.pack import pack
from genoken.workflows.show import Show
import numpy as np
whole_name(Path('none'))  # imports all readers
begin = time.perf_counter()
Calls(np.zeros((1, 1), dtype=np.uint8), 1).dense()  # the first kernel starts Numba, as an import does
numba_seconds = time.perf_counter() - begin
start = time.perf_counter()
"""
READ = """
samples = read_file(Path(sys.argv[1]))
seconds = time.perf_counter() - start
_, one, two, _ = samples.values.totals()
total = float(one + 2 * two)
"""
PACK = """
store = pack(Path(sys.argv[1]), Path(sys.argv[1]).with_suffix(".calls"), overwrite=True, show=Show(quiet=True))
seconds = time.perf_counter() - start
_, one, two, _ = read_file(store).values.totals()
total = float(one + 2 * two)
"""
OURS = {"bed": IMPORTS + READ, "pgen": IMPORTS + READ, "vcf": IMPORTS + READ, "pack": IMPORTS + PACK}
THEIRS = {
    "bed": """
import json, sys, time
import numpy as np
import bed_reader
start = time.perf_counter()
with bed_reader.open_bed(sys.argv[1]) as bed:
    calls = bed.read(dtype="int8", order="C")
seconds = time.perf_counter() - start
total = float(calls[calls > 0].sum())
""",
    "pgen": """
import json, sys, time
import numpy as np
import pgenlib
start = time.perf_counter()
with pgenlib.PgenReader(sys.argv[1].encode()) as reader:
    calls = np.empty((reader.get_raw_sample_ct(), reader.get_variant_ct()), dtype=np.int8)
    block = np.empty((1000, len(calls)), dtype=np.int8)
    for first in range(0, calls.shape[1], 1000):
        last = min(first + 1000, calls.shape[1])
        reader.read_range(first, last, block[: last - first])
        calls[:, first:last] = block[: last - first].T
seconds = time.perf_counter() - start
total = float(calls[calls > 0].sum())
""",
    "pack": """
import json, sys, time
import numpy as np
import bed_reader
start = time.perf_counter()
with bed_reader.open_bed(sys.argv[1]) as bed:
    calls = np.memmap(sys.argv[1] + ".int8", dtype=np.int8, mode="w+", shape=bed.shape)
    for first in range(0, calls.shape[1], 1000):
        calls[:, first : first + 1000] = bed.read(np.s_[:, first : first + 1000], dtype="int8", order="C")
    calls.flush()
seconds = time.perf_counter() - start
total = float(calls[calls > 0].sum())
""",
    "vcf": """
import json, sys, time
import numpy as np
import cyvcf2
start = time.perf_counter()
rows = []
for variant in cyvcf2.VCF(sys.argv[1], gts012=True):
    alleles = variant.genotype.array()[:, :2]
    rows.append(np.where((alleles < 0).any(axis=1), -1, alleles.sum(axis=1)).astype(np.int8))
calls = np.stack(rows).T
seconds = time.perf_counter() - start
total = float(calls[calls > 0].sum())
""",
}
REPORT = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) / 1024  # the kernel lets a process begin with its parent's ru_maxrss
start_up = {"numba_start_seconds": numba_seconds} if "numba_seconds" in globals() else {}
print(json.dumps({"seconds": seconds, "peak_mb": peak, "total": total} | start_up))
"""


def random_calls(num_samples: int, num_variants: int) -> np.ndarray:
    """Return int8 (variants, samples, 2) alleles, -1 in both where a call is missing."""
    rng = generator(0, "genotype_read")
    frequencies = rng.beta(0.6, 1.5, size=(num_variants, 1, 1))
    alleles = np.empty((num_variants, num_samples, 2), dtype=np.int8)
    for start in range(0, num_variants, ROWS_AT_ONCE):
        block = alleles[start : start + ROWS_AT_ONCE]
        block[:] = rng.random(block.shape, dtype=np.float32) < frequencies[start : start + ROWS_AT_ONCE]
        block[rng.random(block.shape[:2], dtype=np.float32) < MISSING] = -1
    return alleles


def write_bed(folder: Path, num_samples: int, num_variants: int) -> Path:
    """Write a PLINK 1 data set."""
    codes = np.array([3, 2, 0, 1], dtype=np.uint8)  # of 0, 1 and 2 copies of A1, and of no call (which is -1, the last)
    alleles = random_calls(num_samples, num_variants)
    copies = np.where(alleles[:, :, 0] < 0, -1, alleles.sum(axis=2, dtype=np.int8))
    padded = np.zeros((num_variants, -(-num_samples // 4) * 4), dtype=np.uint8)
    padded[:, :num_samples] = codes[copies]
    packed = padded[:, 0::4] | padded[:, 1::4] << 2 | padded[:, 2::4] << 4 | padded[:, 3::4] << 6
    path = folder / "cohort.bed"
    path.write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
    path.with_suffix(".bim").write_text("".join(f"1\trs{row}\t0\t{100 * row + 1}\tA\tG\n" for row in range(num_variants)))
    path.with_suffix(".fam").write_text("".join(f"F{row} s{row} 0 0 1 -9\n" for row in range(num_samples)))
    return path


def write_pgen(folder: Path, num_samples: int, num_variants: int) -> Path:
    """Write a PLINK 2 data set without phase."""
    import pgenlib

    path = folder / "cohort.pgen"
    alleles = random_calls(num_samples, num_variants)
    writer = pgenlib.PgenWriter(str(path).encode(), num_samples, variant_ct=num_variants, nonref_flags=False)
    copies = np.where(alleles[:, :, 0] < 0, -9, alleles.sum(axis=2, dtype=np.int8)).astype(np.int8)
    writer.append_biallelic_batch(copies)
    writer.close()
    lines = "".join(f"1\t{100 * row + 1}\trs{row}\tG\tA\n" for row in range(num_variants))
    path.with_suffix(".pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + lines)
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + "".join(f"s{row}\t1\n" for row in range(num_samples)))
    return path


def write_vcf(folder: Path, num_samples: int, num_variants: int) -> Path:
    """Write a phased VCF, not compressed."""
    words = np.array(["0|0", "0|1", "1|0", "1|1", ".|."])
    path = folder / "cohort.vcf"
    alleles = random_calls(num_samples, num_variants)
    codes = np.where(alleles[:, :, 0] < 0, 4, 2 * alleles[:, :, 0] + alleles[:, :, 1])
    names = "\t".join(f"s{row}" for row in range(num_samples))
    with path.open("w") as handle:
        handle.write('##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        handle.write(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n")
        for row, calls in enumerate(codes):
            handle.write(f"1\t{100 * row + 1}\trs{row}\tG\tA\t.\t.\t.\tGT\t" + "\t".join(words[calls]) + "\n")
    return path


def measure(script: str, path: Path, repeats: int) -> dict[str, Any]:
    """Return the best time and the peak memory of a script in processes of its own."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, "-c", script + REPORT, str(path)]
        runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    return min(runs, key=lambda run: run["seconds"])


def main() -> None:
    chosen = options(__doc__.splitlines()[0])
    writers = {"bed": write_bed, "pgen": write_pgen, "vcf": write_vcf, "pack": write_bed}
    names = [name for name in writers if not chosen.only or name in chosen.only.split(",")]
    figures, ratios, rows = figures_before("genotype_read", chosen), {}, []
    for name in names:
        shape = (QUICK_VCF if chosen.quick else VCF) if name == "vcf" else (QUICK_BED if chosen.quick else BED)
        with tempfile.TemporaryDirectory() as folder:
            path = writers[name](Path(folder), *shape)
            ours, theirs = (measure(script, path, chosen.repeats) for script in (OURS[name], THEIRS[name]))
        assert ours["total"] == theirs["total"], f"{name}: both sides must read the same calls"
        ratios |= {f"{name}_time": theirs["seconds"] / ours["seconds"], f"{name}_memory": theirs["peak_mb"] / ours["peak_mb"]}
        figures[name] = {"samples": shape[0], "variants": shape[1], "ours": ours, "theirs": theirs}
        of_both = [f"{side['seconds']:.2f} s, {side['peak_mb']:,.0f} MB" for side in (ours, theirs)]
        rows.append([name, f"{shape[0]:,} x {shape[1]:,}", *of_both, f"{ratios[f'{name}_time']:.2f}"])
    print(table(("file", "samples x variants", "genoken", "plain loop, calls alone", "theirs over ours, time"), rows))
    write("genotype_read", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
