"""Runs on haploblocks: an effect of haplotypes that dosages cannot show is found, written, read, explained and predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.config import RunConfig, build, component_from_dict
from genoken.core.errors import ConfigError, DataError
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.interpretation.draw import Part
from genoken.interpretation.explain import explain_parts
from genoken.interpretation.subject import Subject
from genoken.workflows.assemble import resolve_config
from genoken.workflows.fold import Course, FoldResult, fit_fold
from genoken.workflows.inputs import Study
from genoken.workflows.predict import align_samples
from genoken.workflows.results import dataset_of, write_embeddings, write_gene_embeddings
from genoken.workflows.results import pool as pooled
from genoken.workflows.show import Show
from genoken.workflows.store import read_model
from genoken.workflows.summands import predict_model
from genoken.workflows.variant_importance import OF_BLOCKS, ExplainedRun
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variants import variant_results

PEOPLE, VARIANTS, BLOCK_VARIANTS = 500, 24, 3
PAIR = (9, 10)
"""The variants whose alleles count only together; both are in the fourth block."""
BLOCK = "3:900-1100"
WORDS = np.array(["train"] * 320 + ["val"] * 60 + ["test"] * 120)
TEST = np.flatnonzero(WORDS == "test")
HAPLOBLOCKS = {"kind": "haploblock", "block_variants": BLOCK_VARIANTS}


@pytest.fixture(scope="module")
def strands() -> tuple[np.ndarray, np.ndarray]:
    """Return bool strands (2, people, variants), and the label: whether the alleles of the pair differ on each strand.

    Nine of ten people are heterozygous for both variants of the pair, whatever their label, and in all others each dosage is as
    frequent with either label: only who knows which alleles are on one strand knows the label.
    """
    rng = np.random.default_rng(8)
    found = rng.random((2, PEOPLE, VARIANTS)) < 0.5
    labels = rng.integers(0, 2, PEOPLE)
    first, second = PAIR
    found[1, :, first] ^= (found[1, :, first] == found[0, :, first]) & (rng.random(PEOPLE) < 0.8)
    found[:, :, second] = found[:, :, first] ^ labels.astype(bool)
    return found, labels


@pytest.fixture(scope="module")
def study(strands) -> Study:
    """The people with a label, some calls missing."""
    found, labels = strands
    is_missing = np.random.default_rng(9).random(found[0].shape) < 0.01
    dosages = found.sum(axis=0)
    values, first = (sparse_dosages(np.where(is_missing, MISSING, counts).astype(np.int8)) for counts in (dosages, found[0]))
    features = pd.DataFrame(
        {"chromosome": "3", "position_bp": np.arange(VARIANTS) * 100, "counted_allele": "T", "other_allele": "C", "build": ""},
        index=[f"rs{index}" for index in range(VARIANTS)],
    )
    table = pd.DataFrame({"trait": np.array(["cis", "trans"])[labels]}, index=[f"p{index}" for index in range(PEOPLE)])
    samples = Samples(values, table, features, "dosage", "planted", first_strand=first)
    return Study(samples, "classification", "trait", labels, ("cis", "trans"), "", "", None, ())


def config_of(tokenizer: dict[str, object], *, baselines: tuple[str, ...] = ("majority", "linear"), **model) -> RunConfig:
    encoder = {"kind": "transformer", "layers": 1, "heads": 2, "feed_forward": 32}
    return build(
        RunConfig,
        {
            "data": {"principal_components": 0},  # those of one region would follow the planted haplotypes
            "tokenizer": tokenizer,
            "model": {"encoder": encoder, "width": 16, "linear_path": False} | model,
            "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.007, "logger": "none"},
            "evaluation": {"baselines": list(baselines)},
        },
    )


def accuracies(result: FoldResult, study: Study) -> dict[str, float]:
    return {name: float((found.argmax(axis=1) == study.labels[TEST]).mean()) for name, found in result.predictions.items()}


@pytest.fixture(scope="module")
def fold(study, tmp_path_factory):
    """Return the folder of a fold on haploblocks, and what it gave."""
    folder = tmp_path_factory.mktemp("fold")
    return folder, fit_fold(config_of(HAPLOBLOCKS), study, WORDS, folder, on_epoch=None, save_baselines=True)


def test_haplotypes_show_what_dosages_cannot(fold, study, tmp_path):
    found = accuracies(fold[1], study)
    assert found["model"] > 0.95
    assert found["linear"] > 0.95  # the baseline is told the same haplotypes
    of_dosages = accuracies(fit_fold(config_of({"kind": "genotype"}), study, WORDS, tmp_path, on_epoch=None), study)
    assert max(of_dosages.values()) < 0.7


def test_a_fold_is_read_and_its_block_is_found_again(fold, study, tmp_path):
    folder, result = fold
    config, again = config_of(HAPLOBLOCKS), read_model(folder)
    dataset = dataset_of(again, study, TEST)
    np.testing.assert_array_equal(predict_model(again.network, dataset, config, again.target), result.predictions["model"])
    subject = Subject(again.network, dataset, config.objective, again.target)
    explanation = explain_parts([Part(subject, np.arange(len(TEST)), again.symbols, None)], seed=0, method="gradient")
    assert len(explanation.ranking) == 2 * VARIANTS // BLOCK_VARIANTS
    assert set(explanation.genes.groupby("class")["feature_id"].first()) == {BLOCK}
    curve = explanation.controls["deletion"]
    assert curve["fractions"][1] <= BLOCK_VARIANTS / VARIANTS  # one block
    assert curve["importance"][1] < curve["random"][1] - 0.2
    write_gene_embeddings(tmp_path, again)
    assert pd.read_parquet(tmp_path / "gene_embeddings.parquet")["feature_id"].tolist()[3] == BLOCK
    write_embeddings(tmp_path, study, again, pooled(study, WORDS[None], [result.predictions]), TEST)
    assert len(pd.read_parquet(tmp_path / "embeddings.parquet")) == len(TEST)


def test_variants_have_a_share_of_their_blocks_importance(fold, study):
    model, course = fold[1].model, Course.of(fold[1].facts)
    options = VariantOptions(methods=("gradient", "attention"), null=1, components=0, most_loci=1, top=3)
    results = variant_results(ExplainedRun([model], [course], study, WORDS[None]), options)
    table = results.table
    assert table["id"].tolist() == [f"rs{index}" for index in range(VARIANTS)]
    block = np.arange(VARIANTS) // BLOCK_VARIANTS
    assert block[table["rank"].to_numpy() == 1].tolist() == [3]  # that of the pair
    assert block[int(table["importance_gradient"].idxmax())] == 3
    assert table.loc[list(PAIR), "glm_minus_log10_p"].max() < 3  # dosages do not show it
    assert table["above_null"].sum() >= 1
    assert results.pairs["attention"].isna().all()
    assert results.controls["notes"][1] == OF_BLOCKS


def test_a_trait_of_haplotypes_is_regressed_with_clusters_that_share_vectors(strands, study, tmp_path):
    found, _ = strands
    trait = (found[:, :, PAIR[0]] & found[:, :, PAIR[1]]).sum(axis=0) + np.random.default_rng(2).normal(0, 0.1, PEOPLE)
    of_trait = replace(study, task="regression", labels=trait, classes=())
    config = config_of(HAPLOBLOCKS | {"categories": "shared"}, baselines=())
    config = replace(config, objective=component_from_dict("objectives", "regress"))
    config = replace(config, training=replace(config.training, monitor="loss"))
    result = fit_fold(config, of_trait, WORDS, tmp_path, on_epoch=None)
    assert np.corrcoef(result.predictions["model"], trait[TEST])[0, 1] > 0.75


def test_encoders_that_need_a_grid_or_numbers_are_refused(study, tmp_path):
    for encoder in ({"kind": "cnn"}, {"kind": "mlp"}):
        with pytest.raises(ConfigError, match="tokenizer"):
            fit_fold(config_of(HAPLOBLOCKS, encoder=encoder), study, WORDS, tmp_path, on_epoch=None)


def test_a_file_that_counts_other_alleles_in_another_order_is_predicted_alike(fold, study):
    again, samples = read_model(fold[0]), study.samples
    order = np.random.default_rng(0).permutation(VARIANTS)
    dosages, first = (sp.csr_matrix(np.nan_to_num(matrix.toarray())) for matrix in (samples.values, samples.first_strand))
    flips = samples.features.rename(columns={"counted_allele": "other_allele", "other_allele": "counted_allele"})
    own = replace(samples, values=dosages, first_strand=first)
    other = replace(
        samples,
        values=sp.csr_matrix(2 - dosages.toarray()[:, order]),
        first_strand=sp.csr_matrix(1 - first.toarray()[:, order]),
        features=flips.iloc[order],
    )
    parts = [align_samples(again, given, None, Show(quiet=True)) for given in (own, other)]
    assert parts[0].coverage.startswith(f"{VARIANTS} of {VARIANTS} variants found (100.0%)")
    assert [len(part.notes) for part in parts] == [0, 1]
    expected, found = (predict_model(again.network, part.dataset, again.config, again.target) for part in parts)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(DataError, match="need phased genotypes"):
        align_samples(again, replace(samples, first_strand=None), None, Show(quiet=True))


def test_the_preset_runs_when_it_is_shrunk(study, tmp_path):
    smaller = {"tokenizer.block_variants": 8, "model.width": 16, "model.encoder.layers": 1, "model.encoder.feed_forward": 16}
    settings = smaller | {"training.epochs": 1, "training.logger": "none", "evaluation.baselines": ["majority"]}
    result = fit_fold(resolve_config("haploblock", None, settings), study, WORDS, tmp_path, on_epoch=None)
    assert np.isfinite(result.history[["train_loss", "val_loss"]].to_numpy()).all()
    sizes = result.model.state.per_feature["num_variants"]
    assert sizes.sum() == VARIANTS
    assert (sizes >= 2).all()
    assert (sizes <= 8).all()
