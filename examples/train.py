"""Train on donors, test on donors that the model has never seen, beside simple baselines; write a report."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60)  # your own: anndata.read_h5ad("cells.h5ad"), or the path itself
settings = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
run = genoken.train(cells, label="cell_type", group="donor_id", settings=settings, output="runs/train", overwrite=True)
print(run.verdict)
print(run.metrics["test"]["model"]["macro_f1"], run.metrics["test"]["baselines"]["linear"]["macro_f1"])
print("look at", run.folder / "report.html")
