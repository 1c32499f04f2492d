"""Three files in place of one: to learn from, to choose the stopping point, to be tested on."""

import genoken
from genoken.synthetic import planted_markers

cells = planted_markers(samples=240, features=60, groups=6)
numbers = cells.obs["donor_id"].str[-2:].astype(int)
train, val, test = cells[numbers < 4].copy(), cells[numbers == 4].copy(), cells[numbers == 5].copy()
settings = {"training.epochs": 3, "model.width": 32}
run = genoken.train(
    train=train, val=val, test=test, label="cell_type", settings=settings, output="runs/three_files", overwrite=True
)
print(run.verdict)
