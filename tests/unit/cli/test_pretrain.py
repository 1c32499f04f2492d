"""``genoken pretrain``: what is typed arrives at the workflow."""

from __future__ import annotations

import pytest

from genoken.core.components import component_to_dict
from genoken.core.errors import ConfigError
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretraining_request import Hiding, resolve_pretraining, with_objectives


def test_a_share_to_hide_goes_with_a_preset(call, recorded):
    calls = recorded("pretrain")
    assert call("pretrain", "a.h5ad", "--preset", "phenotype_mlm", "--mask-probability", "0.3").code == 0
    assert (calls[0]["preset"], calls[0]["mask_probability"], calls[0]["settings"]) == ("phenotype_mlm", 0.3, {})


def test_objectives_are_named_by_their_kinds(call, recorded):
    calls = recorded("pretrain")
    assert call("pretrain", "a.h5ad", "--objective", "masked_value,phenotype", "--mask-probability", "0").code == 0
    assert (calls[0]["settings"], calls[0]["mask_probability"]) == ({"objectives": ["masked_value", "phenotype"]}, 0.0)
    call("pretrain", "a.h5ad", "--preset", "phenotype_mlm", "--set", "objectives.1.probability=0.2")
    found = with_objectives(resolve_pretraining("phenotype_mlm", None, calls[1]["settings"])).objectives
    assert [component_to_dict(objective)["probability"] for objective in found] == [0.5, 0.2]
    assert "mask_probability" not in calls[1]


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_file_at_all(nothing, tmp_path):
    with pytest.raises(ConfigError, match="no file to pretrain on is named"):
        pretrain(nothing, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_options_of_next_cells_are_settings(call, recorded):
    calls = recorded("pretrain")
    words = (
        "--successors temporal_neighbors --draw weighted --without-successor identity --next-attention self --successor-time day "
        "--types stage --controls reversed --max-tokens 1024 --layers 8 --heads 8 --width 512 --feed-forward 2048 --dropout 0.1 "
        "--batch-size 8 --accumulate 4 --limit-batches 10 --devices 2 --strategy ddp --precision fp16 --epochs 3 "
        "--learning-rate 1e-4 --weight-decay 0.01 --mask-probability 0.3 "
        "--mask-share 0.8 --random-share 0.1"
    )
    assert call("pretrain", "a.h5ad", "--preset", "next_cell_small", *words.split()).code == 0
    found = resolve_pretraining("next_cell_small", None, calls[0]["settings"])
    successors, training, encoder = found.successors, found.training, found.model.encoder
    assert (successors.key, successors.draw, successors.without) == ("temporal_neighbors", "weighted", "identity")
    assert (successors.attention, successors.time, successors.types) == ("self", "day", "stage")
    assert successors.controls == ("reversed",)
    assert (found.tokenizer.max_tokens, found.model.width) == (1024, 512)
    assert (encoder.layers, encoder.heads, encoder.feed_forward, encoder.dropout) == (8, 8, 2048, 0.1)
    assert (training.batch_size, training.accumulate, training.limit_batches, training.epochs) == (8, 4, 10, 3)
    assert (training.devices, training.strategy, training.precision) == (2, "ddp", "fp16")
    assert (training.learning_rate, training.weight_decay) == (1e-4, 0.01)
    hiding = Hiding(*(calls[0][name] for name in ("mask_probability", "mask_share", "random_share")))
    objective = component_to_dict(with_objectives(found, hiding).objectives[0])
    shares = [objective[name] for name in ("kind", "probability", "mask_share", "random_share")]
    assert shares == ["next_cell", 0.3, 0.8, 0.1]


def test_no_controls_and_other_words(call, recorded):
    calls = recorded("pretrain")
    call("pretrain", "a.h5ad", "--controls", "none")
    assert calls[0]["settings"] == {"successors.controls": []}
    answer = call("pretrain", "a.h5ad", "--next-attention", "strickt")
    assert (answer.code, answer.error) == (
        2,
        "genoken: error: --next-attention: 'strickt' is not among its words — did you mean 'strict'?\n",
    )
