"""Train with a configuration file, and change one setting of it."""

from pathlib import Path

import genoken

config = Path(__file__).with_name("config.yaml")
run = genoken.train("runs/cells.h5ad", config=config, settings={"training.seed": 1}, output="runs/config", overwrite=True)
print(run.config.model.width, run.config.training.seed, run.verdict)
