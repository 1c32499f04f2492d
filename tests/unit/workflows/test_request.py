"""What is refused before any file is read."""

from __future__ import annotations

import pytest
import torch

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.workflows.assemble import resolve_config, without_needless_path
from genoken.workflows.request import check_settings
from genoken.workflows.train import train

WRONG = [
    ({"model.width": 20, "model.encoder.heads": 3}, r"'model\.width' \(20\) is not a multiple of 'model\.encoder\.heads' \(3\)"),
    ({"model.width": 33, "model.encoder.heads": 3, "model.embedding.combine": "concatenate"}, r"'model\.width' must be even"),
    ({"training.attention": "varlen"}, "backend 'varlen' cannot be used: the device is cpu"),
    ({"training.attention": "flex"}, "backend 'flex' cannot be used"),
    ({"training.precision": "fp16"}, "fp16 needs a GPU"),
    ({"training.nodes": 2}, "nobody started the processes of several nodes"),
]


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings_are_refused_before_the_file_is_looked_for(settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train(tmp_path / "absent.h5ad", label="y", settings=settings, output=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "tokenizer",
    ["rank", "binned", {"kind": "binned", "bins": "per_gene", "edges_file": "e"}, {"kind": "binned", "bins": "quantile"}],
)
def test_encoders_that_weigh_numbers_need_tokens_that_hold_some(tokenizer):
    config = without_needless_path(resolve_config("", {"tokenizer": tokenizer}, {}))
    assert config.model.linear_path is False
    check_settings(config)
    for encoder in ("mlp", "linear"):
        wrong = resolve_config(encoder, {"tokenizer": tokenizer}, {})
        rival = without_needless_path(resolve_config("", {"tokenizer": tokenizer, "evaluation": {"rivals": [encoder]}}, {}))
        for refused in (wrong, rival):
            with pytest.raises(ConfigError, match=r"the tokens of this tokenizer hold none — use tokenizer\.kind: continuous"):
                check_settings(refused)


@pytest.mark.parametrize("preset", ["", "gene_transformer", "gene_transformer_small", "mlp"])
def test_right_settings_pass_and_draw_nothing(preset):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    check_settings(resolve_config(preset, None, {}))
    check_settings(resolve_config(preset, {"objective": "regress"}, {}))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_occupied_folder_is_refused_before_the_file_is_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for overwrite, message in ((False, "exists and is not empty"), (True, "genoken did not write")):
        with pytest.raises(RunError, match=message):
            train(tmp_path / "absent.h5ad", label="y", output=tmp_path, overwrite=overwrite)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_missing_file_leaves_the_run_that_was_to_be_replaced(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("", encoding="utf-8")
    (run / "manifest.json").write_text('{"genoken": "1"}', encoding="utf-8")
    with pytest.raises(DataError, match="the file does not exist"):
        train(tmp_path / "absent.h5ad", label="y", output=run, overwrite=True)
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "manifest.json"]
