"""Variants of a run: importance, regressions, fine-mapping and permuted labels, from the fit to the files and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genoken.core.config import RunConfig, build
from genoken.core.errors import ConfigError
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.evaluation.association.glm import logistic_association
from genoken.workflows import variants as module
from genoken.workflows.fold import Course, FoldResult, fit_fold
from genoken.workflows.inputs import Study
from genoken.workflows.run import Run
from genoken.workflows.store import FittedModel
from genoken.workflows.variant_importance import ExplainedRun
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variants import bed_of, explain_variants, variant_results

SAMPLES, VARIANTS, PLANTED = 260, 40, 9
WORDS = np.array(["train"] * 160 + ["val"] * 40 + ["test"] * 56 + ["unused"] * 4)
OPTIONS = VariantOptions(methods=("gradient", "attention"), seeds=2, null=1, components=2, covariates=("age",), top=5, most_loci=2)


@pytest.fixture(scope="module")
def study() -> Study:
    """People whose label one variant tells; each third variant has a neighbor in linkage, the file's order is not the genome's."""
    rng = np.random.default_rng(4)
    strands = rng.random((2, SAMPLES, VARIANTS)) < 0.4
    strands[:, :, 1:VARIANTS:3] = strands[:, :, 0 : VARIANTS - 1 : 3] ^ (rng.random(strands[:, :, 1:VARIANTS:3].shape) < 0.03)
    dense = strands.sum(axis=0).astype(np.int8)
    labels = (dense[:, PLANTED] + rng.normal(0, 0.3, SAMPLES) > 0.6).astype(np.int64)
    dense[rng.random(dense.shape) < 0.01] = MISSING
    features = pd.DataFrame(
        {
            "chromosome": np.repeat(["3", "MT"], VARIANTS // 2),
            "position_bp": np.tile(np.arange(VARIANTS // 2) * 100_000 + 100, 2),
            "counted_allele": "T",
            "other_allele": "C",
            "build": "GRCh37",
        },
        index=[f"rs{index}" for index in range(VARIANTS)],
    )
    table = pd.DataFrame({"age": rng.normal(50, 9, SAMPLES)}, index=[f"p{index}" for index in range(SAMPLES)])
    backwards = np.r_[np.arange(VARIANTS // 2)[::-1], np.arange(VARIANTS // 2, VARIANTS)]
    samples = Samples(sparse_dosages(dense[:, backwards]), table, features.iloc[backwards], "dosage", "planted")
    return Study(samples, "classification", "trait", labels, ("no", "yes"), "", "", None, ())


@pytest.fixture(scope="module")
def fold(study, tmp_path_factory) -> FoldResult:
    encoder = {"kind": "cnn_transformer", "channels": [8], "patch": 2, "layers": 1, "heads": 2, "feed_forward": 8}
    config = build(
        RunConfig,
        {
            "tokenizer": {"kind": "genotype"},
            "model": {"encoder": encoder, "width": 8},
            "training": {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "logger": "none"},
            "evaluation": {"baselines": []},
        },
    )
    return fit_fold(config, study, WORDS, tmp_path_factory.mktemp("fold"), on_epoch=None)


@pytest.fixture(scope="module")
def fitted(fold) -> FittedModel:
    return fold.model


@pytest.fixture(scope="module")
def results(study, fold):
    steps: list[int] = []
    found = variant_results(
        ExplainedRun([fold.model], [Course.of(fold.facts)], study, WORDS[None]), OPTIONS, on_step=lambda: steps.append(1)
    )
    assert len(steps) == 3
    return found


def test_the_planted_variant_leads_and_linkage_is_clumped(results):
    table = results.table
    assert table["id"].tolist() == [f"rs{index}" for index in range(VARIANTS)]
    assert table.sort_values("rank")["id"].iloc[0] in {"rs9", "rs10"}
    assert table["importance_gradient"].idxmax() in {PLANTED, PLANTED + 1}
    clump = table.set_index("id")["clump_lead"]
    assert clump["rs9"] == clump["rs10"]
    assert clump["rs9"] != clump["rs12"]
    assert table.loc[[PLANTED, PLANTED + 1], "stability"].max() > 2 * table["stability"].mean()
    assert table.loc[[PLANTED, PLANTED + 1], "above_null"].any()
    assert table["above_null"].mean() < 0.5
    assert table.loc[PLANTED, "pip"] > 0.9
    assert table.loc[PLANTED, "credible_set"] >= 1
    assert table.loc[PLANTED, "glm_minus_log10_p"] > 10
    assert table.drop(index=[PLANTED, PLANTED + 1])["glm_minus_log10_p"].max() < 5


def test_regressions_leave_out_unused_samples_and_take_covariates(results, study):
    used = WORDS != "unused"
    column = list(study.samples.features.index).index("rs9")
    values = study.samples.values.toarray()[used, column]
    dense = np.where(np.isnan(values), MISSING, values).astype(np.int8)[:, None]
    plain = logistic_association(dense, study.labels[used], study.samples.table["age"].to_numpy()[used, None])
    assert results.table.loc[PLANTED, "glm_minus_log10_p_without_components"] == pytest.approx(plain["minus_log10_p"][0])
    assert results.controls["association"]["samples"] == 256
    assert results.controls["association"]["components"] == 2
    rare = np.minimum(dense[dense >= 0].mean() / 2, 1 - dense[dense >= 0].mean() / 2)
    assert results.table.loc[PLANTED, "maf"] == pytest.approx(rare)


def test_patches_of_two_variants_share_their_attention_and_the_notes_say_so(results):
    values = results.table["importance_attention"].to_numpy()
    np.testing.assert_allclose(values[0::2], values[1::2], rtol=1e-6)
    sentence = "Importance by attention: 40 of these 40 variants share their score with others: 20 different scores in all."
    assert sentence in results.controls["notes"]


def test_permuted_labels_have_an_importance_of_their_own(results):
    table, largest = results.table, results.controls["null"]["largest"]["gradient"]
    assert table["importance_permuted"].max() == pytest.approx(largest)
    assert table["above_null"].sum() > 0
    assert not np.allclose(table["importance_permuted"], table["importance_gradient"])


def test_the_runs_covariates_and_the_truth_are_taken(fold, study, fitted):
    config = build(RunConfig, {"tokenizer": {"kind": "genotype"}, "data": {"covariates": ["age"]}})
    model = FittedModel(config, fitted.state, fitted.symbols, fitted.target, fitted.network)
    options = VariantOptions(methods=("gradient",), null=0, components=0, most_loci=1, causal=("rs9", "rs31"))
    found = variant_results(ExplainedRun([model], [Course.of(fold.facts)], study, WORDS[None]), options)
    assert found.controls["association"]["covariates"] == ["age"]
    recovery = found.controls["recovery"]
    assert recovery["causal"] == ["rs9", "rs31"]
    assert recovery["chance"] == 2 / VARIANTS
    scores = {row["ranking"]: row["average_precision"] for row in recovery["rankings"]}
    assert set(scores) == {"ensemble", "gradient", "glm", "glm_without_components", "pip"}
    assert scores["glm"] >= 0.25  # the one that acts is the first or, behind its neighbor in linkage, the second


def test_controls_say_what_is_known_and_nothing_is_called_causal(results):
    controls = results.controls
    assert controls["recovery"] is None
    assert (controls["models"], controls["methods"], controls["build"]) == (2, ["gradient", "attention"], "GRCh37")
    assert controls["null"]["refits"] == 1
    assert 0 < controls["null"]["share_above"]["gradient"] < 0.5
    assert -1 <= controls["agreement_of_models"] <= 1
    row = next(row for row in controls["agreement"] if (row["ranking"], row["other"]) == ("gradient", "glm"))
    assert row["shared"] >= 2
    assert controls["notes"][0].startswith("Importance says what the network uses.")
    assert "log odds" in controls["notes"][1]
    assert "permuted" in controls["notes"][2]
    assert "causal" not in json.dumps(controls).lower()


def test_loci_hold_linkage_and_attention_of_all_pairs(results):
    pairs = results.pairs
    number = int(results.table.loc[PLANTED, "locus"])
    own = pairs[pairs["locus"] == number]
    size = own["first"].nunique()
    assert len(own) == size**2
    assert own[own["first"] == own["second"]]["r2"].round(6).eq(1).all()
    linked = own[(own["first"] == "rs9") & (own["second"] == "rs10")].iloc[0]
    assert linked["r2"] > 0.7
    assert 0 < linked["attention"] < 1
    lead = next(locus["lead"] for locus in results.controls["loci"] if locus["number"] == number)
    assert results.table.set_index("id")["r2_to_locus_lead"][lead] == pytest.approx(1.0)


def test_bed_counts_from_zero_and_has_leads_alone(results):
    lines = bed_of(results.table, "GRCh37").splitlines()
    assert lines[0] == "# genome build GRCh37"
    leads = results.table[results.table["clump_lead"] == results.table["id"]]
    assert len(lines) == 1 + len(leads) < VARIANTS
    first = leads.iloc[0]
    assert lines[1].split("\t") == [
        "chr3",
        str(first["pos"] - 1),
        str(first["pos"]),
        first["id"],
        str(round(1000 * first["ensemble"])),
    ]
    assert any(line.startswith("chrM\t") for line in lines)


def run_of(folder: Path, fitted: FittedModel) -> Run:
    """Return a run whose model is this one."""
    folder.mkdir()
    (folder / "metrics.json").write_text(
        json.dumps({"task": "classification", "label": "trait", "test": {"model": {"accuracy": 1}}})
    )
    run = Run(folder)
    run.__dict__["model"] = fitted
    return run


def test_a_run_gets_files_and_a_report(study, fold, tmp_path, monkeypatch):
    run = run_of(tmp_path / "run", fold.model)
    (run.folder / "fit.json").write_text(json.dumps(fold.facts))
    monkeypatch.setattr(module, "own_study", lambda _: study)
    monkeypatch.setattr(module, "own_folds", lambda *_: WORDS[None])
    table = run.variants(methods=["gradient"], null=0, components=0, output=tmp_path / "copy.parquet")
    written = pd.read_csv(run.folder / "explanations" / "variants.tsv", sep="\t")
    assert written["id"].tolist() == table["id"].tolist()
    assert "above_null" not in written
    np.testing.assert_allclose(written["ensemble"], table["ensemble"], rtol=1e-5)
    assert pd.read_parquet(tmp_path / "copy.parquet").index.tolist() == table["id"].tolist()
    assert (run.folder / "explanations" / "variants.bed").is_file()
    assert "Variants that the model uses" in (run.folder / "report.html").read_text()


def test_a_run_on_genes_is_refused(fitted, tmp_path):
    run = run_of(tmp_path / "run", fitted)
    genes = build(RunConfig, {"tokenizer": {"kind": "continuous"}})
    run.__dict__["model"] = FittedModel(genes, fitted.state, fitted.symbols, fitted.target, fitted.network)
    with pytest.raises(ConfigError, match="not on genotypes"):
        explain_variants(run)
