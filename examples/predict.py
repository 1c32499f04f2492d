"""Predict new cells: labels and probabilities into obs, the embedding into obsm["X_genoken"]."""

import anndata

import genoken
from genoken.synthetic import planted_markers
from genoken.workflows.predict import predict

cells = planted_markers(samples=300, features=60)
known, new = cells[:240].copy(), cells[240:].copy()
settings = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
run = genoken.train(known, label="cell_type", group="donor_id", settings=settings, output="runs/predict", overwrite=True)
print(run.predict(new).head())  # one row per cell
predict(run, new, "runs/predicted.h5ad")
print(anndata.read_h5ad("runs/predicted.h5ad"))
