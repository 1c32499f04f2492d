"""Pretrain on hidden phenotypes and genes, hold the model against trivial rules, and fill in what new cells lack."""

import genoken
from genoken.workflows.predict import predict

small = {"training.epochs": 2, "model.width": 32, "model.encoder.layers": 1, "data.group": "donor_id"}
run = genoken.pretrain(
    "runs/cells.h5ad", phenotypes=["cell_type"], preset="phenotype_mlm", settings=small, output="runs/pretrained", overwrite=True
)
print(run.verdict)
print(predict(run, "runs/other.h5ad", "runs/filled_in.tsv").table.head())
