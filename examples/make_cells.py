"""Write two files of synthetic cells, from ten donors and from two others, for the examples on the command line."""

from pathlib import Path

from genoken.synthetic import planted_markers

Path("runs").mkdir(exist_ok=True)
cells = planted_markers(samples=300, features=60, groups=12)
is_other = cells.obs["donor_id"].isin(["donor_10", "donor_11"])
cells[~is_other].copy().write_h5ad("runs/cells.h5ad")
cells[is_other].copy().write_h5ad("runs/other.h5ad")
