"""``genoken pretrain``: what is typed arrives at the workflow."""

from __future__ import annotations

import pytest

from genoken.core.components import component_to_dict
from genoken.core.errors import ConfigError
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretraining_request import resolve_pretraining, with_objectives


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
