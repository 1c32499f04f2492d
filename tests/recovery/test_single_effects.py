"""The network that chooses variants finds planted ones by the product's own training, and equals SuSiE where it is SuSiE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genoken.core.config import component_from_dict
from genoken.core.genotypes import dense_dosages
from genoken.core.samples import Samples
from genoken.evaluation.association.glm import linear_association
from genoken.evaluation.association.susie import SusieOptions, susie
from genoken.interpretation.subject import Subject
from genoken.synthetic_genotypes import simulate_genotypes
from genoken.synthetic_traits import SimulatedTrait, TraitModel, simulate_trait
from genoken.training.fit import fit
from genoken.training.task import SupervisedTask
from genoken.workflows.assemble import ValidationScorer, prepare_fold, resolve_config
from genoken.workflows.inputs import Study


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def people() -> Samples:
    return simulate_genotypes(800, 60, seed=3, chromosomes=12, min_frequency=0.2)


def trait_of(people: Samples, architecture: str) -> SimulatedTrait:
    return simulate_trait(people, TraitModel(architecture, 2, heritability=0.4, min_frequency=0.1), seed=2)


def gates_of(people: Samples, target: np.ndarray, folder: Path, *, objective: str = "regress", **settings) -> np.ndarray:
    """Return what the attribution ``attention`` says of each variant after training on everybody with the preset."""
    changed = {"model.encoder.effects": 3, "model.encoder.pairs": 0, "training.logger": "none", "training.epochs": 60, **settings}
    config = resolve_config("single_effect", {"objective": {"kind": objective}}, {"training.batch_size": 200, **changed})
    assert config.data.principal_components == 0  # those of sixty variants would take some of the effects
    classes = ("no", "yes") if objective == "classify" else ()
    everybody = np.arange(people.num_samples)
    study = Study(people, config.objective.task, "trait", target, classes, "", "", None, ())
    prepared = prepare_fold(config, study, everybody)
    whole, learned = prepared.dataset(everybody), prepared.model.target
    scorer = ValidationScorer(config.objective.task, classes)
    task = SupervisedTask(config.objective, learned, config.training, len(everybody), target, scorer)
    val = prepared.dataset(everybody[:50])
    network = fit(
        prepared.model.network, whole, val, task, config.training, folder=folder, stop_after=config.training.epochs
    ).network
    subject = Subject(network, whole, config.objective, learned)
    found = component_from_dict("attributions", "attention").attribute(subject, everybody[:2], np.zeros(2, dtype=np.int64)).scores
    assert (found[0] != found[1]).nnz == 0  # the same in all samples
    places = people.features.index.get_indexer(list(prepared.model.state.feature_ids))
    scores = np.zeros(people.num_features)
    scores[places] = found[0].toarray()[0]
    return scores


def tags(people: Samples, scores: np.ndarray, trait: SimulatedTrait) -> np.ndarray:
    """Return the r² of each causal variant with the nearest of the first two signals: clumps of r² of at least 0.5."""
    linkage = np.corrcoef(dense_dosages(people.values).T.astype(float)) ** 2
    leads: list[int] = []
    for variant in np.argsort(-scores, kind="stable"):
        if all(linkage[variant, lead] < 0.5 for lead in leads) and len(leads) < 2:
            leads.append(int(variant))
    return linkage[np.ix_(people.features.index.get_indexer(trait.causal), leads)].max(axis=1)


@pytest.mark.parametrize("architecture", ["additive", "dominant", "recessive"])
def test_variants_that_act_are_chosen(architecture, people, tmp_path):
    trait = trait_of(people, architecture)
    scores = gates_of(people, trait.liability, tmp_path)
    assert (tags(people, scores, trait) > 0.8).all()
    assert np.sort(scores)[-2] > 0.3


def test_two_variants_that_tell_nothing_alone_are_chosen(people, tmp_path):
    trait = trait_of(people, "epistatic_pure")
    dosages = dense_dosages(people.values)
    is_causal = people.features.index.isin(trait.causal)
    assert linear_association(dosages, trait.liability)["minus_log10_p"].to_numpy()[is_causal].max() < 3
    scores = gates_of(people, trait.liability, tmp_path, **{"model.encoder.pairs": 1})
    assert (tags(people, scores, trait) > 0.8).all()


def test_cases_and_controls(people, tmp_path):
    trait = trait_of(people, "additive")
    cases = (trait.liability > np.median(trait.liability)).astype(np.int64)
    scores = gates_of(people, cases, tmp_path, objective="classify", **{"training.epochs": 60})
    assert (tags(people, scores, trait) > 0.8).all()


def test_gates_are_inclusion_probabilities_where_the_model_is_that_of_susie(people, tmp_path):
    trait = simulate_trait(people, TraitModel("additive", 2, heritability=0.08, min_frequency=0.1), seed=2)
    only_copies = {"model.encoder.dominant": 0.0, "model.encoder.recessive": 0.0, "training.epochs": 200}
    scores = gates_of(people, trait.liability, tmp_path, **only_copies, **{"training.batch_size": 800})
    dosages = dense_dosages(people.values).astype(float)
    expected = susie(dosages, trait.liability, SusieOptions(num_effects=3)).pip
    assert 0.05 < np.sort(expected)[-3] < 0.95  # not all is decided
    np.testing.assert_allclose(scores, expected, atol=0.12)


def test_a_trait_of_noise_chooses_nothing(people, tmp_path):
    noise = np.random.default_rng(5).normal(size=people.num_samples)
    assert gates_of(people, noise, tmp_path).max() < 0.5
