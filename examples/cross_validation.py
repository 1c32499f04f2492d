"""Cross-validation over whole donors: every cell is tested once, by a model that has not seen its donor."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=180, features=60, groups=9)
settings = {"split.kind": "folds", "split.folds": 3, "training.epochs": 2, "model.width": 32}
run = genoken.train(cells, label="cell_type", group="donor_id", settings=settings, output="runs/folds", overwrite=True)
print(run.verdict)
print(run.metrics["split"]["folds"], "folds,", run.metrics["test"]["samples"], "cells tested")
