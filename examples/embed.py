"""Export what the model of train.py has learned: a vector for each cell and for each gene."""

import genoken
from genoken.workflows.embed import embed

run = genoken.load_run("runs/train")
print(run.embed("runs/other.h5ad").shape)  # cells x width
print(embed(run, None, "runs/genes.parquet", genes=True).shape)  # the learned table of genes
print(embed(run, "runs/other.h5ad", "runs/genes_in_context.parquet", genes=True, contextual=True).shape)
