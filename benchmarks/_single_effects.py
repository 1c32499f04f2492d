"""A network whose first layer chooses variants: sums of softmax-gated single effects, and products of two of them.

The trait is a sum of ``effects``, each of which acts through one variant, coded as additive, dominant or recessive, and of
``pairs``, each of which is the product of two variants. Which variant it is, is a softmax over all variants (and codings); how
strong the effect is, a normal distribution. All are trained by gradient descent on the evidence bound, which is exact for the
mean field, so that nothing is sampled: with gates alone and one coding, this is the model of SuSiE (Wang et al. 2020,
doi:10.1111/rssb.12388), fitted by Adam in place of one effect after the other. There is no analogue of the codings and of the
pairs in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

CODINGS = 3
_PRIOR = (0.9, 0.05, 0.05)
"""Of the codings: most effects are additive. With less for these, linked variants pass for dominant ones."""
_LEAST_DEVIATION = 0.03
_IMPOSSIBLE = -1e9
_CLOSE = 0.6
_START = 10.0
_SAME = 0.3


@dataclass(frozen=True)
class Coded:
    """Genotypes as inputs: ``values`` (samples, columns), columns being variants x codings, and which of them are of use."""

    values: Tensor
    is_valid: Tensor
    num_variants: int

    @property
    def squares(self) -> Tensor:
        """Mean products of all columns."""
        return self.values.T @ self.values / len(self.values)


def coded(dosages: np.ndarray) -> Coded:
    """Code int8 (samples, variants) as copies of the minor allele, as carriers of it, and as those with two copies."""
    minor = np.where(dosages.mean(axis=0) > 1, 2 - dosages, dosages)
    codes = np.stack([minor, minor >= 1, minor == 2], axis=2).astype(np.float64)
    deviation = codes.std(axis=0)
    is_valid = deviation > _LEAST_DEVIATION
    is_valid[:, 1] &= deviation[:, 2] > _LEAST_DEVIATION  # without people with two copies, carriers and copies are the same
    values = np.where(is_valid, (codes - codes.mean(axis=0)) / np.maximum(deviation, 1e-9), 0.0)
    flat = torch.tensor(values.reshape(len(dosages), -1), dtype=torch.float32)
    return Coded(flat, torch.tensor(is_valid.reshape(-1)), dosages.shape[1])


def _normal_divergence(mean: Tensor, log_deviation: Tensor, prior_log_deviation: Tensor) -> Tensor:
    """Return the divergence of a normal distribution from one of mean 0."""
    spread = (torch.exp(2 * log_deviation) + mean**2) / (2 * torch.exp(2 * prior_log_deviation))
    return prior_log_deviation - log_deviation + spread - 0.5


def _choice_divergence(gate: Tensor, log_prior: Tensor) -> Tensor:
    return (gate * (torch.log(gate + 1e-20) - log_prior)).sum()


class SingleEffects(nn.Module):
    """Gates and effects; see the module.

    Parameters
    ----------
    inputs
        The coded genotypes on which it is trained.
    effects, pairs
        Number of single effects and of products; those that are not needed shrink to nothing, because each has a prior variance
        of its own that is learned.
    seed
        Of the gates' start.
    """

    def __init__(self, inputs: Coded, effects: int, pairs: int, seed: int) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(seed)
        width = inputs.values.shape[1]
        prior = torch.tensor(_PRIOR).repeat(inputs.num_variants) * inputs.is_valid
        self.log_prior = torch.log(torch.clamp(prior / prior.sum(), min=1e-30))
        self.is_valid = inputs.is_valid
        self.gate = nn.Parameter(0.01 * torch.randn(effects, width, generator=draws))
        self.mean = nn.Parameter(0.01 * torch.randn(effects, width, generator=draws))
        self.log_deviation = nn.Parameter(torch.full((effects, width), -3.5))
        self.prior_log_deviation = nn.Parameter(torch.full((effects,), -2.0))
        self.log_noise = nn.Parameter(torch.zeros(()))
        self.pair_gate = nn.Parameter(0.01 * torch.randn(pairs, 2, width, generator=draws))
        self.pair_mean = nn.Parameter(torch.zeros(pairs))
        self.pair_log_deviation = nn.Parameter(torch.full((pairs,), -3.5))
        self.pair_prior_log_deviation = nn.Parameter(torch.full((pairs,), -2.0))

    def singles(self) -> tuple[Tensor, Tensor]:
        """Return the gates and the expected weights, both (effects, columns)."""
        gate = torch.softmax(torch.where(self.is_valid, self.gate + self.log_prior, torch.tensor(_IMPOSSIBLE)), dim=1)
        return gate, gate * self.mean

    def pairs(self) -> Tensor:
        """Return the gates of the pairs (pairs, 2, columns)."""
        return torch.softmax(torch.where(self.is_valid, self.pair_gate + self.log_prior, torch.tensor(_IMPOSSIBLE)), dim=2)

    def products(self, values: Tensor) -> Tensor:
        """Return what the pairs see in each sample, (samples, pairs)."""
        seen = torch.einsum("nc,psc->nps", values, self.pairs())
        return seen.prod(dim=2)

    def forward(self, values: Tensor) -> Tensor:
        """Return the expected trait of coded genotypes (samples, columns), but for a constant."""
        _, weights = self.singles()
        total = values @ weights.sum(dim=0)
        return total + self.products(values) @ self.pair_mean if len(self.pair_mean) else total

    def single_terms(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Return the variance of the single effects' sum under the gates, and their divergence from the prior."""
        gate, weights = self.singles()
        second = (gate * (self.mean**2 + torch.exp(2 * self.log_deviation))).sum()  # columns have variance 1
        divergence = (gate * _normal_divergence(self.mean, self.log_deviation, self.prior_log_deviation[:, None])).sum()
        return second - ((weights @ squares) * weights).sum(), divergence + _choice_divergence(gate, self.log_prior)

    def pair_terms(self, products: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of the pairs; the product of two columns has a variance of about 1, as if they were not linked."""
        second = (self.pair_mean**2 + torch.exp(2 * self.pair_log_deviation)).sum()
        divergence = _normal_divergence(self.pair_mean, self.pair_log_deviation, self.pair_prior_log_deviation).sum()
        own = (self.pair_mean**2 * products.var(dim=0)).sum()
        return torch.relu(second - own), divergence + _choice_divergence(self.pairs(), self.log_prior)


def fit(inputs: Coded, target: np.ndarray, *, effects: int = 5, pairs: int = 3, steps: int = 200, seed: int = 0) -> SingleEffects:
    """Fit single effects, then pairs to what they leave, then both together."""
    model = SingleEffects(inputs, effects, pairs, seed)
    wanted = torch.tensor((target - target.mean()) / target.std(), dtype=torch.float32)
    squares = inputs.squares
    singles = [model.gate, model.mean, model.log_deviation, model.prior_log_deviation, model.log_noise]
    _descend(model, inputs, wanted, squares, singles, steps, with_pairs=False)
    if _start_pairs(model, inputs, wanted, squares):
        _descend(model, inputs, wanted, squares, list(model.parameters()), steps, with_pairs=True)
    return model


def _descend(
    model: SingleEffects,
    inputs: Coded,
    wanted: Tensor,
    squares: Tensor,
    trained: list[nn.Parameter],
    steps: int,
    *,
    with_pairs: bool,
) -> None:
    """Minimize the negative evidence bound per sample."""
    optimizer = torch.optim.Adam(trained, lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps, pct_start=0.2)
    count = len(wanted)
    moments = inputs.values.T @ wanted / count
    for _ in range(steps):
        spread, divergence = model.single_terms(squares)
        weights = model.singles()[1].sum(dim=0)
        if with_pairs:
            products = model.products(inputs.values)
            pair_spread, pair_divergence = model.pair_terms(products)
            left = wanted - inputs.values @ weights - (products - products.mean(dim=0)) @ model.pair_mean
            error = (left**2).mean() + spread + pair_spread
            divergence = divergence + pair_divergence
        else:
            error = 1 - 2 * moments @ weights + weights @ squares @ weights + spread
        loss = 0.5 * error * torch.exp(-2 * model.log_noise) + model.log_noise + divergence / count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _start_pairs(model: SingleEffects, inputs: Coded, wanted: Tensor, squares: Tensor) -> int:
    """Start each pair at a product that is correlated with what the single effects leave, at another one each; return how many.

    Pairs for which there is no product with more evidence than the search among so many gives by chance are taken away.

    The gradient of the loss by the weights of all products of two columns, at zero, is one matrix product. From uniform gates,
    descent would have to find products of which neither factor tells anything by itself.
    """
    values, count = inputs.values, len(wanted)
    left = wanted - values @ model.singles()[1].sum(dim=0)
    left = (left - left.mean()) / left.std()
    slope = (values * left[:, None]).T @ values / count
    spread = torch.clamp((values**2).T @ values**2 / count - squares**2, min=0.05)
    evidence = count * slope**2 / (2 * spread)  # log likelihood ratio of the product
    possible = model.is_valid[:, None] & model.is_valid & (squares.abs() < _CLOSE)
    evidence = torch.where(possible, evidence, torch.zeros(()))
    least = float(torch.log(possible.sum() / 2))
    started = 0
    while started < len(model.pair_mean) and float(evidence.max()) > least:
        first, second = divmod(int(evidence.argmax()), len(squares))
        best = evidence[first, second]
        model.pair_gate[started, 0] = torch.clamp(evidence[:, second] - best, min=-_START)
        model.pair_gate[started, 1] = torch.clamp(evidence[first] - best, min=-_START)
        model.pair_mean[started] = slope[first, second] / spread[first, second]
        same = torch.outer(squares[first] ** 2 > _SAME, squares[second] ** 2 > _SAME)
        evidence = torch.where(same | same.T, torch.zeros(()), evidence)
        started += 1
    for name in ("pair_gate", "pair_mean", "pair_log_deviation", "pair_prior_log_deviation"):
        setattr(model, name, nn.Parameter(getattr(model, name)[:started].clone()))
    return started


@torch.no_grad()
def attributions(model: SingleEffects, inputs: Coded) -> dict[str, np.ndarray]:
    """Return scores (variants,) of each way to read the gates.

    ``gates``: the probability that some effect acts through the variant, of effects that are not nothing. ``gated effects``:
    expected magnitude of the effects that act through it, in standard deviations of the trait.
    """
    shape = (-1, inputs.num_variants, CODINGS)
    gate, weights = model.singles()
    pair_gate = model.pairs().reshape(-1, inputs.num_variants, CODINGS).sum(dim=2)
    is_there = (torch.exp(2 * model.prior_log_deviation) > 1e-3).float()
    is_pair = (torch.exp(2 * model.pair_prior_log_deviation) > 1e-3).float().repeat_interleave(2)
    chosen = gate.reshape(shape).sum(dim=2)
    none = torch.log1p(-torch.clamp(chosen * is_there[:, None], max=1 - 1e-6)).sum(dim=0)
    none = none + torch.log1p(-torch.clamp(pair_gate * is_pair[:, None], max=1 - 1e-6)).sum(dim=0)
    strength = weights.abs().reshape(shape).sum(dim=(0, 2))
    strength = strength + (pair_gate * model.pair_mean.abs().repeat_interleave(2)[:, None]).sum(dim=0)
    return {"gates": 1 - torch.exp(none).numpy(), "gated effects": strength.numpy()}
