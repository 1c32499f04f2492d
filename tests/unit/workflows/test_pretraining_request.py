"""How a preset, a file, settings and a share to hide become one configuration of pretraining."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.components import component_to_dict, kind_of
from genoken.core.errors import ConfigError, DataError
from genoken.core.samples import Samples
from genoken.objectives.masked_value import MaskedValueObjective
from genoken.workflows.pretraining_request import (
    Hiding,
    check_phenotypes,
    resolve_pretraining,
    with_mapped_phenotypes,
    with_objectives,
)


def objectives(preset="", config=None, settings=None, **shares):
    resolved = with_objectives(resolve_pretraining(preset, config, settings or {}), Hiding(**shares))
    return {kind_of(objective): component_to_dict(objective) for objective in resolved.objectives}


def test_a_named_objective_keeps_the_options_of_the_preset():
    of_preset = objectives("phenotype_mlm")
    assert of_preset["masked_value"]["absent_swap"] == 0.5
    chosen = objectives("phenotype_mlm", settings={"objectives": ["masked_value", "masked_feature"]})
    assert list(chosen) == ["masked_value", "masked_feature"]
    assert chosen["masked_value"] == of_preset["masked_value"]
    assert chosen["masked_feature"] == objectives(settings={"objectives": ["masked_feature"]})["masked_feature"]
    changed = objectives("phenotype_mlm", settings={"objectives": [{"kind": "masked_value", "weight": 3.0}]})
    assert changed == {"masked_value": of_preset["masked_value"] | {"weight": 3.0}}


def test_a_named_objective_keeps_the_options_of_a_configuration():
    config = {"objectives": [{"kind": "phenotype", "drop": 0.3}, MaskedValueObjective(absent_swap=0.25)]}
    chosen = objectives("phenotype_mlm", config, {"objectives": ["phenotype", "masked_value"]})
    assert (chosen["phenotype"]["drop"], chosen["masked_value"]["absent_swap"]) == (0.3, 0.25)
    whole = objectives("phenotype_mlm", config, {"objectives": [MaskedValueObjective(weight=2.0)]})
    assert whole == {"masked_value": component_to_dict(MaskedValueObjective(weight=2.0))}


def test_a_share_to_hide_changes_every_objective_that_hides_features_and_nothing_else():
    expected = objectives("phenotype_mlm")
    expected["masked_value"]["probability"] = 0.3
    assert objectives("phenotype_mlm", mask_probability=0.3) == expected
    both = objectives(settings={"objectives": ["masked_feature", "masked_value", "phenotype"]}, mask_probability=0.3)
    assert [found["probability"] for found in both.values()] == [0.3, 0.3, 0.5]
    assert objectives("l1000_rank", mask_probability=0.2)["masked_feature"]["restrict_to_missing"] is True


def test_a_share_to_hide_changes_the_objective_that_the_tokens_call_for():
    assert {name: found["probability"] for name, found in objectives(mask_probability=0.0).items()} == {"masked_value": 0.0}
    ranks = objectives(settings={"tokenizer": "rank"}, mask_probability=0.4)
    assert {name: found["probability"] for name, found in ranks.items()} == {"masked_feature": 0.4}
    with_phenotypes = objectives(settings={"data.phenotypes": ["sex"]}, mask_probability=0.4)
    assert {name: found["probability"] for name, found in with_phenotypes.items()} == {"masked_value": 0.4, "phenotype": 0.5}


@pytest.mark.parametrize(
    ("tokenizer", "kind"),
    [("rank", "next_cell"), ("binned", "next_value"), ("continuous", "next_value"),
     ({"kind": "rank", "values": "all", "order": "gene_order"}, "next_value")],
)  # fmt: skip
def test_next_cells_are_asked_for_what_their_tokens_hold(tokenizer, kind):
    assert list(objectives(settings={"tokenizer": tokenizer, "successors.key": "next_cell_ids"})) == [kind]


def test_what_becomes_of_hidden_tokens_can_be_said_for_all_objectives_over_features():
    source = {"mask_share": 0.8, "random_share": 0.1}
    expected = objectives("next_cell_small")
    assert (expected["next_cell"]["mask_share"], expected["next_cell"]["random_share"]) == (1.0, 0.0)
    expected["next_cell"] |= source
    assert objectives("next_cell_small", **source) == expected
    expected["next_cell"]["probability"] = 0.3
    assert objectives("next_cell_small", mask_probability=0.3, **source) == expected
    both = objectives(settings={"objectives": ["next_value", "masked_feature", "phenotype"]}, mask_share=0.5)
    assert [(found["mask_share"], found["random_share"]) for found in both.values()] == [(0.5, 0.0), (0.5, 0.1), (1.0, 0.0)]


def test_shares_that_cannot_be_used():
    with pytest.raises(ConfigError, match=r"'objective\.mask_share' and 'objective\.random_share' add up to 1\.1"):
        objectives("next_cell_small", mask_share=0.9, random_share=0.2)
    with pytest.raises(ConfigError, match=r"^--random-share: 'objectives\.random_share': input should be greater"):
        objectives("next_cell_small", random_share=-0.2)
    with pytest.raises(ConfigError, match=r"add up to 1\.2 — their sum is at most 1"):
        objectives("next_cell_small", random_share=0.2)
    with pytest.raises(ConfigError, match=r"^--mask-probability: 'objectives.probability': input should be less"):
        objectives(mask_probability=1.5)
    with pytest.raises(ConfigError, match=r"^--mask-probability: .*needs an objective that hides features"):
        objectives(settings={"objectives": ["phenotype"]}, mask_probability=0.5)


def test_an_option_of_one_objective_is_set_by_its_place():
    expected = objectives("phenotype_mlm")
    expected["masked_value"]["probability"] = 0.2
    assert objectives("phenotype_mlm", settings={"objectives.1.probability": 0.2}) == expected
    with pytest.raises(ConfigError, match=r"'objectives\.2\.probability': the list has no item '2' — it has items 0 to 1"):
        objectives("phenotype_mlm", settings={"objectives.2.probability": 0.2})


def test_objectives_that_are_wrong():
    with pytest.raises(ConfigError, match="named twice"):
        objectives(settings={"objectives": ["phenotype", "phenotype"]})
    with pytest.raises(ConfigError, match=re.escape("'objectives[0]' needs a 'kind'")):
        objectives(settings={"objectives": [3]})


def test_there_are_no_classes_to_balance():
    with pytest.raises(ConfigError, match=r"'training\.balanced_sampling' needs classes, and pretraining has none"):
        resolve_pretraining("", None, {"training.balanced_sampling": True})


@pytest.fixture
def sexes(tmp_path):
    """A phenotype map of the column ``sex``."""
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"sex": ["female", "male"]}), encoding="utf-8")
    return str(path)


def mapped(path, columns=()):
    return with_mapped_phenotypes(resolve_pretraining("", None, {"data.phenotype_map": path, "data.phenotypes": list(columns)}))


def test_a_map_names_the_phenotypes(sexes):
    config = mapped(sexes)
    assert config.data.phenotypes == ("sex",)
    assert config == mapped(sexes, ["sex"])
    assert [kind_of(objective) for objective in with_objectives(config).objectives] == ["masked_value", "phenotype"]
    without = resolve_pretraining("", None, {"data.phenotypes": ["tissue"]})
    assert with_mapped_phenotypes(without) == without


@pytest.mark.parametrize("columns", [["tissue"], ["sex", "tissue"], ["sex", "sex"]])
def test_other_phenotypes_beside_a_map_are_refused(sexes, columns):
    with pytest.raises(ConfigError, match="but the phenotype map has sex — name the same columns, or leave --phenotypes out"):
        mapped(sexes, columns)


def test_phenotypes_that_no_file_has(sexes):
    table = pd.DataFrame({"Sex": ["male"], "tissue": ["skin"]}, index=["cell"])
    samples = Samples(sp.csr_matrix([[1.0]]), table, pd.DataFrame(index=["gene"]), "counts", "cells.h5ad")
    check_phenotypes(resolve_pretraining("", None, {"data.phenotypes": ["tissue"]}), samples)
    with pytest.raises(DataError, match=r"cells\.h5ad: no file has the phenotype 'sex' in obs"):
        check_phenotypes(mapped(sexes), samples)
