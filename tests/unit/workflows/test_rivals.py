"""Networks beside the model: another encoder, or the same one without its pretraining."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genoken.core.components import kind_of
from genoken.workflows.assemble import resolve_config
from genoken.workflows.rivals import rival_config, rival_name

CONFIG = resolve_config(
    "", None, {"training.freeze_layers": 2, "training.layer_decay": 0.5, "training.logger": "csv", "model.pooling": "mean"}
)


def test_from_scratch_all_of_the_same_network_learns_at_the_full_rate():
    found = rival_config(CONFIG, "scratch")
    assert found.model == CONFIG.model
    assert (found.training.freeze_layers, found.training.layer_decay, found.training.logger) == (0, 1.0, "none")
    assert replace(found, training=CONFIG.training) == CONFIG
    assert rival_name("scratch") == "scratch"


@pytest.mark.parametrize(("rival", "head", "name"), [("mlp", "mlp", "mlp"), ("linear", "linear", "linear_network")])
def test_another_encoder_has_neither_blocks_nor_a_linear_path(rival, head, name):
    found = rival_config(CONFIG, rival)
    assert (kind_of(found.model.encoder), found.model.head, found.model.linear_path) == (rival, head, False)
    assert found.training.freeze_layers == 0
    assert rival_name(rival) == name
