"""Score a trained model on another data set that has labels."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=300, features=60)
is_other = cells.obs["donor_id"].isin(["donor_10", "donor_11"])
known, other = cells[~is_other].copy(), cells[is_other].copy()
settings = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
run = genoken.train(known, label="cell_type", group="donor_id", settings=settings, output="runs/evaluate", overwrite=True)
metrics = genoken.evaluate(run, other)
print(metrics["verdict"], metrics["test"]["model"]["accuracy"])
