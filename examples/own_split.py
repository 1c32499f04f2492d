"""Your own split: a column of obs that says train, val or test for each cell."""

import anndata

import genoken

cells = anndata.read_h5ad("runs/cells.h5ad")
parts = {"donor_08": "val", "donor_09": "test"}
cells.obs["split"] = [parts.get(donor, "train") for donor in cells.obs["donor_id"]]
settings = {"split.kind": "column", "training.epochs": 4, "model.width": 16}
run = genoken.train(cells, label="cell_type", settings=settings, output="runs/own_split", overwrite=True)
print(run.metrics["split"]["samples"])
