"""Train with a configuration file, and change one setting of it."""

from pathlib import Path

import genoken
from genoken.synthetic import planted_markers

config = Path(__file__).with_name("config.yaml")
cells = planted_markers(samples=240, features=60)
run = genoken.train(cells, config=config, settings={"training.seed": 1}, output="runs/config", overwrite=True)
print(run.config.model.width, run.config.training.seed, run.verdict)
