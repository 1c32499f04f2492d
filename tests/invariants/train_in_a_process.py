"""Train the tests' problem in a process of its own, or in several that it starts: ``train_in_a_process.py FOLDER SETTINGS``.

SETTINGS is JSON. What comes out is written into FOLDER: ``weights.safetensors`` and ``result.json``.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))

import conftest  # the problem that the other tests train
from genoken.core.batch import LossTerm
from genoken.core.components import settings
from genoken.core.errors import TrainingError
from genoken.objectives.classify import ClassifyObjective


@settings
class SpoiledInTheSecondProcess(ClassifyObjective):
    """Cross-entropy that becomes NaN in the second process after some training steps."""

    good_losses: int = 0
    """How many training losses are right."""

    def loss(self, outputs, batch, state):
        """Return the loss, NaN from some call on."""
        term = ClassifyObjective.loss(self, outputs, batch, state)
        if not outputs.requires_grad or torch.distributed.get_rank() == 0:
            return term
        COUNT.append(1)
        return LossTerm(term.total * math.nan, term.count) if len(COUNT) > self.good_losses else term


COUNT: list[int] = []


def main() -> None:
    """Train once."""
    folder, training = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    good_losses = training.pop("good_losses", None)
    problem = conftest.Problem(*conftest.make_parts(), folder=folder, dropout=training.pop("dropout", 0.0))
    if good_losses is not None:
        problem = replace(problem, objective=SpoiledInTheSecondProcess(good_losses=good_losses))
    rows: list[dict[str, float]] = []
    print("begin", flush=True)
    try:
        fitted = problem.fit("run", on_epoch=rows.append, **training)
    except TrainingError as error:
        (folder / "result.json").write_text(json.dumps({"error": str(error)}))
        return
    save_file({name: tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}, folder / "weights.safetensors")
    result = {"history": fitted.history, "rows": rows, "best_epoch": fitted.best_epoch}
    (folder / "result.json").write_text(json.dumps(result | {"failure": str(fitted.failure) if fitted.failure else None}))


if __name__ == "__main__":
    main()
