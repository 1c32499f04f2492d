"""Cross-validation over whole donors: every cell is tested once, by a model that has not seen its donor."""

import anndata

import genoken

cells = anndata.read_h5ad("runs/cells.h5ad")  # an object in memory will do as well as a path
settings = {"split.kind": "folds", "split.folds": 2, "training.epochs": 4, "model.width": 16}
run = genoken.train(cells, label="cell_type", group="donor_id", settings=settings, output="runs/folds", overwrite=True)
print(run.verdict)
print(run.metrics["split"]["folds"], "folds,", run.metrics["test"]["samples"], "cells tested")
