"""Train on donors, test on donors that the model has never seen, beside simple baselines; write a report."""

import genoken

settings = {"split.kind": "group", "training.epochs": 6, "model.width": 32}  # small and short, to be quick
run = genoken.train("runs/cells.h5ad", label="cell_type", group="donor_id", settings=settings, output="runs/train", overwrite=True)
print(run.verdict)
print(run.metrics["test"]["model"]["macro_f1"], run.metrics["test"]["baselines"]["linear"]["macro_f1"])
print("look at", run.folder / "report.html")
