"""Predict new cells with the model of train.py: into a table, or into an .h5ad with the embedding in obsm["X_genoken"]."""

import anndata

import genoken
from genoken.workflows.predict import predict

run = genoken.load_run("runs/train")
print(run.predict("runs/other.h5ad").head())  # one row per cell: predicted, and a probability for each class
predict(run, "runs/other.h5ad", "runs/predicted.h5ad")
print(anndata.read_h5ad("runs/predicted.h5ad"))
