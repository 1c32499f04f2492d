"""Arms of the benchmark of causal recovery: functions from genotypes and a trait to one score per variant and way to read them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genoken.core.config import component_from_dict
from genoken.core.genotypes import BUILD, CHROMOSOME, COUNTED, OTHER, POSITION, sparse_dosages
from genoken.core.random import seed_for
from genoken.core.samples import Samples
from genoken.evaluation.association.glm import linear_association
from genoken.evaluation.association.susie import SusieOptions, susie
from genoken.interpretation.subject import Subject
from genoken.training.fit import fit
from genoken.training.task import SupervisedTask
from genoken.workflows.assemble import ValidationScorer, prepare_fold, resolve_config
from genoken.workflows.inputs import Study

VALIDATED, EXPLAINED = 64, 256
"""Samples on which the course of training is watched, which chooses nothing; and on which gradients are averaged."""


@dataclass(frozen=True)
class Problem:
    """Dosages of the minor or the other allele, int8 (samples, variants), and a trait, both in two parts; and a seed."""

    train: np.ndarray
    train_target: np.ndarray
    val: np.ndarray
    val_target: np.ndarray
    seed: int

    @property
    def all_dosages(self) -> np.ndarray:
        """Both parts; for methods that tune nothing, or that divide the samples by themselves."""
        return np.concatenate([self.train, self.val])

    @property
    def all_targets(self) -> np.ndarray:
        """The trait of both parts."""
        return np.concatenate([self.train_target, self.val_target])


Scores = dict[str, np.ndarray]
Arm = Callable[[Problem], Scores]


def standardized(dosages: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return dosages with the mean and the deviation of others."""
    deviation = by.std(axis=0)
    return (dosages - by.mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1.0)


def glm(problem: Problem) -> Scores:
    found = linear_association(problem.all_dosages, problem.all_targets)
    return {"": np.nan_to_num(found["minus_log10_p"].to_numpy())}


def lasso(problem: Problem) -> Scores:
    from sklearn.linear_model import LassoCV

    values = standardized(problem.all_dosages, problem.all_dosages)
    model = LassoCV(eps=0.03, cv=5, max_iter=2000, random_state=seed_for(problem.seed, "lasso") % 2**31)
    return {"": np.abs(model.fit(values, problem.all_targets).coef_)}


def fine_mapping(problem: Problem) -> Scores:
    values = standardized(problem.all_dosages, problem.all_dosages)
    return {"": susie(values, problem.all_targets, SusieOptions(num_effects=5)).pip}


class PlainNetwork(nn.Module):
    """A hidden layer beside a linear path, or without one."""

    def __init__(self, variants: int, *, with_linear: bool, width: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(variants, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, 1))
        self.linear = nn.Linear(variants, 1) if with_linear else None

    def forward(self, values: Tensor) -> Tensor:
        found = self.hidden(values)[:, 0]
        return found if self.linear is None else found + self.linear(values)[:, 0]


def trained(problem: Problem, seed: int, *, with_linear: bool, epochs: int = 60, patience: int = 8) -> tuple[PlainNetwork, Tensor]:
    """Return a network with the weights of its best epoch on the validation part, and the standardized inputs of both parts."""
    torch.manual_seed(seed_for(problem.seed, "network", seed) % 2**31)
    parts = [torch.tensor(standardized(part, problem.train), dtype=torch.float32) for part in (problem.train, problem.val)]
    center, scale = problem.train_target.mean(), problem.train_target.std()
    targets = [torch.tensor((part - center) / scale, dtype=torch.float32) for part in (problem.train_target, problem.val_target)]
    network = PlainNetwork(parts[0].shape[1], with_linear=with_linear)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.3)
    best, best_weights, waited = np.inf, copy.deepcopy(network.state_dict()), 0
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(len(parts[0])).split(128):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(parts[0][rows]), targets[0][rows]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            loss = float(nn.functional.mse_loss(network(parts[1]), targets[1]))
        if loss < best:
            best, best_weights, waited = loss, copy.deepcopy(network.state_dict()), 0
        else:
            waited += 1
        if waited == patience:
            break
    network.load_state_dict(best_weights)
    return network.eval(), torch.cat(parts)


def gradients(network: nn.Module, values: Tensor) -> Tensor:
    values = values.detach().requires_grad_()
    (found,) = torch.autograd.grad(network(values).sum(), values)
    return found


def readings(network: nn.Module, values: Tensor) -> Scores:
    """Return mean magnitudes of each attribution over the samples."""
    gradient = gradients(network, values)
    draws = torch.Generator().manual_seed(0)
    smooth = torch.stack([gradients(network, values + 0.5 * torch.randn(values.shape, generator=draws)) for _ in range(8)]).mean(
        dim=0
    )
    # from the mean genotype, which is 0, at the middles of 8 steps
    path = torch.stack([gradients(network, values * (step + 0.5) / 8) for step in range(8)]).mean(dim=0)
    return {
        "saliency": gradient.abs().mean(dim=0).numpy(),
        "gradient x input": (gradient * values).abs().mean(dim=0).numpy(),
        "SmoothGrad": smooth.abs().mean(dim=0).numpy(),
        "integrated gradients": (path * values).abs().mean(dim=0).numpy(),
        "allele flips": allele_flips(network, values).numpy(),
    }


@torch.no_grad()
def allele_flips(network: nn.Module, values: Tensor) -> Tensor:
    """Return the mean magnitude of the change when a variant's genotype is replaced by that of a random other sample."""
    draws = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(values), generator=draws)[:128]
    others = torch.randperm(len(values), generator=draws)[:128]
    before = network(values[rows])
    changes = []
    for variant in range(values.shape[1]):
        changed = values[rows].clone()
        changed[:, variant] = values[others, variant]
        changes.append((network(changed) - before).abs().mean())
    return torch.stack(changes)


def plain(problem: Problem, *, with_linear: bool) -> Scores:
    """Return the readings of one network, and the mean of their ranks over three networks."""
    found = [readings(*trained(problem, seed, with_linear=with_linear)) for seed in range(3)]
    averaged = {f"{name}, 3 networks": np.mean([ranked(one[name]) for one in found], axis=0) for name in found[0]}
    return {**found[0], **averaged}


def mlp(problem: Problem) -> Scores:
    return plain(problem, with_linear=False)


def mlp_beside_linear(problem: Problem) -> Scores:
    return plain(problem, with_linear=True)


def ranked(scores: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(scores, kind="stable"), kind="stable") / len(scores)


def chosen_variants(problem: Problem, *, pairs: int) -> Scores:
    """Return what the preset ``single_effect`` says, trained on all samples: an evidence bound needs no early stopping."""
    config = resolve_config("single_effect", None, {"model.encoder.pairs": pairs, "training.seed": problem.seed})
    config = replace(config, objective=component_from_dict("objectives", "regress"))
    study, everybody = _study(problem), np.arange(len(problem.all_targets))
    prepared = prepare_fold(config, study, everybody)
    target, whole = prepared.model.target, prepared.dataset(everybody)
    task = SupervisedTask(
        config.objective, target, config.training, len(everybody), study.labels, ValidationScorer("regression", ())
    )
    with TemporaryDirectory() as folder:
        network = fit(
            prepared.model.network,
            whole,
            prepared.dataset(everybody[:VALIDATED]),
            task,
            replace(config.training, logger="none"),
            folder=Path(folder),
            stop_after=config.training.epochs,
        ).network
    subject = Subject(network, whole, config.objective, target)
    found = {name: np.zeros(study.samples.num_features) for name in ("gates", "gradient x input")}
    kept = study.samples.features.index.get_indexer(list(prepared.model.state.feature_ids))
    for name, method, rows in (("gates", "attention", everybody[:1]), ("gradient x input", "gradient", everybody[:EXPLAINED])):
        scores = component_from_dict("attributions", method).attribute(subject, rows, np.zeros(len(rows), dtype=np.int64)).scores
        found[name][kept] = np.abs(scores.toarray()).mean(axis=0)
    return found


def _study(problem: Problem) -> Study:
    dosages, trait = problem.all_dosages, problem.all_targets
    features = pd.DataFrame(
        {CHROMOSOME: "20", POSITION: np.arange(dosages.shape[1]), COUNTED: "T", OTHER: "C", BUILD: ""},
        index=[f"variant{place}" for place in range(dosages.shape[1])],
    )
    table = pd.DataFrame({"trait": trait}, index=[f"person{row}" for row in range(len(trait))])
    samples = Samples(sparse_dosages(dosages), table, features, "dosage", "simulated")
    return Study(samples, "regression", "trait", trait, (), "", "", None, ())


def single_effects(problem: Problem) -> Scores:
    return chosen_variants(problem, pairs=0)


def single_effects_and_pairs(problem: Problem) -> Scores:
    return chosen_variants(problem, pairs=2)


CLASSICAL: dict[str, Arm] = {"GLM": glm, "lasso": lasso, "SuSiE": fine_mapping}
NEURAL: dict[str, Arm] = {
    "MLP": mlp,
    "MLP beside linear": mlp_beside_linear,
    "single effects": single_effects,
    "single effects and pairs": single_effects_and_pairs,
}
"""Add a function here, and its readings are scored, chosen among and compared as the others are."""
