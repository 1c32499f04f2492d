"""Compare two runs on the same test cells, with a paired interval of the difference."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60)
common = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
transformer = genoken.train(cells, label="cell_type", settings=common, output="runs/transformer", overwrite=True)
mlp = genoken.train(cells, label="cell_type", preset="mlp", settings=common, output="runs/mlp", overwrite=True)
print(genoken.compare(transformer, mlp)["sentence"])
