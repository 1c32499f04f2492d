"""Write two files of synthetic cells, of ten donors and of two others, for all other examples to work on."""

from pathlib import Path

from genoken.synthetic import planted_markers

Path("runs").mkdir(exist_ok=True)
cells = planted_markers(samples=180, features=50, groups=12)
is_other = cells.obs["donor_id"].isin(["donor_10", "donor_11"])
cells[~is_other].copy().write_h5ad("runs/cells.h5ad")
cells[is_other].copy().write_h5ad("runs/other.h5ad")
