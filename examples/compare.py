"""Compare the run of train.py with another on the same test cells, with a paired interval of the difference."""

import genoken

settings = {"split.kind": "group", "training.epochs": 6}
genoken.train(
    "runs/cells.h5ad", label="cell_type", group="donor_id", preset="mlp", settings=settings, output="runs/mlp", overwrite=True
)
print(genoken.compare("runs/train", "runs/mlp")["verdict"])
