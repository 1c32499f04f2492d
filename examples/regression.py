"""Predict a number instead of a class: any column of real numbers."""

import genoken

settings = {"split.kind": "group", "training.epochs": 4, "model.width": 16}
run = genoken.train("runs/cells.h5ad", label="score", group="donor_id", settings=settings, output="runs/regression", overwrite=True)
print(run.metrics["task"], run.verdict)
print("r2", run.metrics["test"]["model"]["r2"])
