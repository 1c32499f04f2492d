"""Predict a number instead of a class: any column of real numbers."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60)
settings = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
run = genoken.train(cells, label="score", group="donor_id", settings=settings, output="runs/regression", overwrite=True)
print(run.metrics["task"], run.verdict)
print("r2", run.metrics["test"]["model"]["r2"])
