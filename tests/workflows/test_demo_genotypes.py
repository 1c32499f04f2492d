"""The demo on genotypes, shrunk: files, verdict, variants, and a score of each ranking by the known causes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from genoken.workflows.demo_genotypes import PEOPLE, SETTINGS, TRAIT, demo_genotypes
from genoken.workflows.show import Show
from genoken.workflows.simulate import PeopleModel


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_scores_who_finds_the_causes(tmp_path, capsys):
    pytest.importorskip("bed_reader")
    people = PeopleModel(samples=300, variants=120, populations=2, chromosomes=2)
    settings = SETTINGS | {"training.epochs": 20, "evaluation.bootstrap": 50, "training.logger": "none"}
    run = demo_genotypes(tmp_path / "demo", people=people, settings=settings, show=Show())
    out = capsys.readouterr().out
    for words in (
        "Quality of the variants",
        "Hardy-Weinberg",
        run.verdict,
        "Leading variants",
        "How well rankings find the 4 causal",
    ):
        assert words in out
    for suffix in (".bed", ".bim", ".fam", ".traits.tsv", ".truth.tsv"):
        assert (tmp_path / f"demo{suffix}").is_file()
    controls = json.loads((run.folder / "explanations" / "variants.json").read_text())
    truth = pd.read_csv(tmp_path / "demo.truth.tsv", sep="\t")
    assert sorted(controls["recovery"]["causal"]) == sorted(truth["variant_id"])
    assert controls["association"]["covariates"] == ["age", "sex"]
    scores = {row["ranking"]: row["average_precision"] for row in controls["recovery"]["rankings"]}
    assert {"ensemble", "integrated_gradients", "gradient", "attention", "glm", "pip", "permuted"} <= set(scores)
    assert scores["permuted"] < max(scores["ensemble"], scores["pip"])
    page = (run.folder / "report.html").read_text()
    for words in ("How well each ranking finds the causal variants", "Beyond covariates and ancestry", "Within each"):
        assert words in page
    assert run.metrics["test"]["increment"]["baseline"] == "covariates_pcs"
    assert list(run.metrics["test"]["within"]["strata"]) == ["population_1", "population_2"]


def test_what_is_shown_by_default_is_small():
    assert PEOPLE.samples * PEOPLE.variants <= 2_000_000
    assert TRAIT.num_causal == 4
    assert SETTINGS["training.epochs"] <= 100
