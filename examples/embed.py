"""Export what the model has learned: a vector for each cell and for each gene."""

import genoken
from genoken.synthetic import planted_markers
from genoken.workflows.embed import embed

cells = planted_markers(samples=240, features=60)
settings = {"split.kind": "group", "training.epochs": 3, "model.width": 32}
run = genoken.train(cells, label="cell_type", group="donor_id", settings=settings, output="runs/embed", overwrite=True)
print(run.embed(cells).shape)  # cells x width
print(embed(run, None, "runs/genes.parquet", genes=True).shape)  # the learned table of genes
print(embed(run, cells, "runs/genes_in_context.parquet", genes=True, contextual=True).shape)
