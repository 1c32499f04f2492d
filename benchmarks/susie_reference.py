"""Hold our SuSiE against the published figures of its authors: the example of three effects that comes with the R package susieR.

``N3finemapping.RData`` is a file of 131 kB in the folder ``data`` of that package's source (github.com/stephenslab/susieR, BSD-3).
Its vignette "Fine-mapping example" prints the evidence bound of ``susie(X, Y[, 1], L = 10)`` for the last time as
-1370.10901872278, and names the variables that act: 403, 653 and 773 of 1,001. Needs the package rdata.

    python benchmarks/susie_reference.py N3finemapping.RData
"""

from __future__ import annotations

import sys
import time

import numpy as np

from genoken.evaluation.association.susie import SusieOptions, susie

PUBLISHED_BOUND = -1370.10901872278
ACTING = {403, 653, 773}


def main() -> int:
    """Print our figures beside the published ones; 1 where they differ, 2 without the file."""
    import rdata

    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    example = rdata.read_rda(sys.argv[1])["N3finemapping"]
    values, target = np.asarray(example["X"], dtype=np.float64), np.asarray(example["Y"], dtype=np.float64)[:, 0]
    start = time.perf_counter()
    found = susie(values, target, SusieOptions(num_effects=10, tolerance=1e-6))
    seconds = time.perf_counter() - start
    sets = [sorted((credible.variants + 1).tolist()) for credible in found.sets]
    print(f"evidence bound   {found.elbo[-1]:.6f}, published {PUBLISHED_BOUND:.6f}")
    print(f"iterations       {len(found.elbo)} in {seconds:.2f} s")
    for credible, variables in zip(found.sets, sets, strict=True):
        print(f"credible set     purity {credible.purity:.7f}, coverage {credible.coverage:.4f}: {variables}")
    each_acts = len(sets) == len(ACTING) and all(len(ACTING.intersection(variables)) == 1 for variables in sets)
    agrees = abs(float(found.elbo[-1]) - PUBLISHED_BOUND) < 1e-3 and each_acts
    print("They agree." if agrees else "They DIFFER.")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
