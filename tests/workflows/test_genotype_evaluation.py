"""A run on genotypes with covariates: relatives together, a headline beyond covariates and ancestry, the same on other files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.core.errors import ConfigError, DataError, RunError
from genoken.workflows.evaluate import evaluate
from genoken.workflows.run import Run, load_trained
from genoken.workflows.train import train

SAMPLES, VARIANTS = 200, 700
SETTINGS = {
    "data.covariates": ["age", "sex"],
    "tokenizer.kind": "genotype",
    "model.encoder.kind": "mlp",
    "model.width": 8,
    "model.linear_path": True,
    "training.epochs": 2,
    "training.logger": "none",
    "evaluation.bootstrap": 50,
    "evaluation.baselines": ["majority", "covariates", "covariates_pcs", "gblup"],
}


def cohort():
    """Return people of two populations, the last twenty a second time, whose trait follows age, sex and population."""
    rng = np.random.default_rng(0)
    population = np.arange(SAMPLES) % 2
    frequency = rng.uniform(0.2, 0.8, (2, VARIANTS))
    dense = rng.binomial(2, frequency[population]).astype(np.int8)
    dense[-20:] = dense[:20]
    population[-20:] = population[:20]
    dense[rng.random(dense.shape) < 0.01] = -1
    age, sex = rng.normal(50, 10, SAMPLES), rng.choice(["f", "m"], SAMPLES)
    trait = (age - 50) / 10 + (sex == "m") + 2 * population + 0.5 * rng.normal(size=SAMPLES)
    table = pd.DataFrame(
        {"age": age, "sex": sex, "trait": trait, "population": np.array(["CEU", "YRI"])[population], "twice": 2 * trait + 1},
        index=[f"p{row}" for row in range(SAMPLES)],
    )
    table.loc["p3", "age"] = None
    return genoken.genotypes(dense, table)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.workflows.train.write_explanations", lambda *arguments, **named: None)
        patch.setattr("genoken.workflows.run.Run.report", lambda run: run.folder)
        return train(cohort(), label="trait", settings=SETTINGS, output=tmp_path_factory.mktemp("genotypes") / "run")


def test_relatives_stay_on_one_side_and_the_headline_is_beyond_covariates_and_components(run):
    metrics = run.metrics
    assert metrics["split"]["group"] == "kinship"
    assert metrics["split"]["leaky"] is False
    assert not [finding for finding in metrics["leakage"]["findings"] if finding["level"] == "error"]
    split = pd.read_parquet(run.folder / "split.parquet").set_index("sample_id")["fold_0"]
    assert (split[[f"p{row}" for row in range(20)]].to_numpy() == split[[f"p{row}" for row in range(180, 200)]].to_numpy()).all()
    test = metrics["test"]
    assert list(test["baselines"]) == ["majority", "covariates", "covariates_pcs", "gblup"]
    assert test["baselines"]["covariates_pcs"]["r2"] > test["baselines"]["covariates"]["r2"] + 0.2 > 0.3
    assert test["increment"]["baseline"] == "covariates_pcs"
    assert test["increment"]["value"] == pytest.approx(test["model"]["r2"] - test["baselines"]["covariates_pcs"]["r2"])
    assert " covariates and principal components" in metrics["verdict"]
    assert list(test["within"]["strata"]) == ["CEU", "YRI"]
    assert test["within"]["mean"]["model"]["r2"] < test["model"]["r2"]


def test_a_network_that_learned_nothing_says_what_covariates_and_components_say(run):
    assert run.metrics["test"]["model"]["r2"] > 0.5  # two epochs alone would not reach it
    data = cohort()
    network = run.model.network
    for parameter in network.head.parameters():
        parameter.data.zero_()
    for parameter in network.linear_path.parameters() if network.linear_path is not None else ():
        parameter.data.zero_()
    predicted = run.predict(data)["predicted"].to_numpy()
    expected = evaluate(run, data)["test"]["baselines"]["covariates_pcs"]
    truth = data.obs["trait"].to_numpy()
    assert 1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum() == pytest.approx(expected["r2"], abs=1e-4)


def test_files_of_the_background_are_listed_and_one_that_is_gone_is_missed(run, tmp_path):
    files = json.loads((run.folder / "manifest.json").read_text())["files"]
    assert {"background.json", "background.safetensors", "baselines/covariates_pcs.safetensors"} <= set(files)
    path = run.folder / "background.json"
    kept = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(RunError, match=r"it has no background\.json"):
            load_trained(run.folder)
    finally:
        path.write_bytes(kept)


def test_another_file_is_scored_with_the_same_baselines(run):
    found = evaluate(run, cohort())
    assert list(found["test"]["baselines"]) == ["majority", "covariates", "covariates_pcs", "gblup"]
    assert found["test"]["increment"]["baseline"] == "covariates_pcs"
    assert found["test"]["baselines"]["covariates_pcs"]["r2"] > 0.6
    assert found["split"]["group"] == "kinship"


def test_a_file_without_a_covariate_is_refused_and_unknown_values_are_counted(run):
    data = cohort()
    del data.obs["sex"]
    with pytest.raises(DataError, match="there is no column 'sex', which is a covariate of the model"):
        run.predict(data)
    with pytest.raises(DataError, match="there is no column 'sex', which is a covariate of the model"):
        evaluate(run, data)


@pytest.mark.parametrize(
    ("settings", "error", "line"),
    [
        ({"data.covariates": ["twice"]}, ConfigError, "the covariate 'twice' equals the label 'trait'"),
        ({"data.covariates": ["trait"]}, ConfigError, "the covariate 'trait' is the label"),
        ({"data.covariates": ["sex"], "data.group": "sex"}, ConfigError, "'sex' is both covariate and group"),
        ({"data.covariates": ["agee"]}, DataError, "there is no column 'agee'"),
        ({"split.kind": "random"}, DataError, "pairs of samples are one person in train and in test"),
    ],
)
def test_what_would_flatter_is_refused_in_one_line(settings, error, line, tmp_path):
    with pytest.raises(error, match=line):
        train(cohort(), label="trait", settings=SETTINGS | settings, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
