"""Three files, or objects, in place of one: to learn from, to choose the stopping point, to be tested on."""

import anndata

import genoken

cells = anndata.read_h5ad("runs/cells.h5ad")
number = cells.obs["donor_id"].astype(str).str[-2:].astype(int)
train, val, test = cells[number < 6].copy(), cells[number.isin([6, 7])].copy(), cells[number > 7].copy()
settings = {"training.epochs": 4, "model.width": 16}
run = genoken.train(train=train, val=val, test=test, label="cell_type", settings=settings, output="runs/three", overwrite=True)
print(run.verdict)
