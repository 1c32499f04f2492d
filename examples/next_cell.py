"""Learn which genes the next cells of a trajectory express, hold the model against trivial rules, and predict."""

import genoken
from genoken.synthetic import planted_trajectory

cells = planted_trajectory(samples=300, features=60, steps=4)  # obsp["next_cell_ids"] says who comes next
small = {"training.epochs": 2, "model.width": 32, "successors.controls": [], "successors.time": "time"}
run = genoken.pretrain(cells, preset="next_value_small", settings=small, group="donor_id", output="runs/next_cell", overwrite=True)
print(run.verdict)
found = run.predict_next_cell(cells, num_predictions=5)
print(found.caveat)
print(found.table.query("list == 'rising'").groupby("symbol")["change"].mean().nlargest(5))
