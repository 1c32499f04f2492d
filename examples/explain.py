"""Which genes the model looks at for each class, beside controls."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60)
settings = {"split.kind": "group", "training.epochs": 6, "model.width": 32}
run = genoken.train(cells, label="cell_type", group="donor_id", settings=settings, output="runs/explain", overwrite=True)
genes = run.explain(cells, method="integrated_gradients", by="class", top=5)
genes["planted"] = cells.var["marker_of"].reindex(genes["feature_id"]).to_numpy()  # here the truth is known
print(genes[["class", "rank", "symbol", "importance", "planted"]])
