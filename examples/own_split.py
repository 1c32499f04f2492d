"""Your own split: a column of obs that says train, val or test for each cell."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60, groups=6)
parts = {"donor_04": "val", "donor_05": "test"}
cells.obs["split"] = [parts.get(donor, "train") for donor in cells.obs["donor_id"]]
settings = {"split.kind": "column", "training.epochs": 3, "model.width": 32}
run = genoken.train(
    cells, label="cell_type", preset="gene_transformer_small", settings=settings, output="runs/own_split", overwrite=True
)
print(run.metrics["split"]["samples"])
