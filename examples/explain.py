"""Which genes the model of train.py looks at for each class; here the truth is known, for the cells are synthetic."""

import anndata

import genoken

cells = anndata.read_h5ad("runs/other.h5ad")
genes = genoken.load_run("runs/train").explain(cells, method="integrated_gradients", by="class", top=5)
genes["planted"] = cells.var["marker_of"].reindex(genes["feature_id"]).to_numpy()
print(genes[["class", "rank", "symbol", "importance", "correlation", "planted"]])
