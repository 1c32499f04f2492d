"""Which tokens are hidden, and what stands in their place: a pure function of (seed, epoch, row, place, objective)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import kind_of, settings
from genoken.core.contracts import MaskDraw, TokenObjective
from genoken.core.errors import ConfigError
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS, Channel, ChannelRole, Layout
from genoken.core.random import hash_step, seed_for, unit_interval

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch

Share = Annotated[float, Field(ge=0, le=1)]

MASK, RANDOM, KEEP = 0, 1, 2
"""What is done to a hidden token: its content is masked, replaced by another, or kept."""

ACTION, REPLACEMENT, SWAP, ABSENT, DROP = 1, 2, 3, 4, 5
"""Purposes of a target's draws."""


@dataclass(frozen=True)
class Hidden:
    """The tokens that an objective hides.

    Parameters
    ----------
    places
        Indices into the batch's tokens, int64, ascending.
    samples
        Sample of each, as its place in the batch.
    actions
        ``MASK``, ``RANDOM`` or ``KEEP`` for each.
    streams
        A 64-bit hash of each, from which its other draws follow.
    """

    places: np.ndarray
    samples: np.ndarray
    actions: np.ndarray
    streams: np.ndarray

    def bits(self, purpose: int) -> np.ndarray:
        """Return 64 random bits of each token for one purpose, uint64."""
        with np.errstate(over="ignore"):  # sums and products of hashes wrap around
            return hash_step(self.streams, np.uint64(purpose))

    def uniform(self, purpose: int) -> np.ndarray:
        """Return a random number in [0, 1) of each token for one purpose."""
        return unit_interval(self.bits(purpose))

    def below(self, limits: np.ndarray | int) -> np.ndarray:
        """Return a random integer in [0, limit) of each token for its replacement, int64."""
        return (self.bits(REPLACEMENT) % np.asarray(limits, dtype=np.uint64)).astype(np.int64)

    def take(self, chosen: np.ndarray) -> Hidden:
        """Return the part that a boolean mask over the tokens chooses."""
        return Hidden(self.places[chosen], self.samples[chosen], self.actions[chosen], self.streams[chosen])


@settings
class MaskedObjective(TokenObjective):
    """What objectives that hide tokens have in common: how many, which, and what stands in their place.

    The choice is a hash of the seed, the epoch, the objective's kind, the sample's row and the token's place in the sample. It is
    the same in any batch, worker, process and order, and after a resume; and a lower probability hides fewer of the same tokens.
    Specials are never hidden. In evaluation every hidden token is masked, none is replaced or kept: a kept one would show the
    answer.
    """

    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the objective's mean loss beside those of other objectives."""
    probability: Share = 0.15
    """Share of a sample's tokens that is hidden, in the first epoch if there is a schedule."""
    final_probability: Share = 0.15
    """Share in the last epoch and in evaluation, unless the schedule is constant."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the share goes from ``probability`` to ``final_probability`` over the epochs."""
    count: Literal["exact", "bernoulli"] = "exact"
    """``exact``: ``ceil(p n)`` of a sample's n tokens; ``bernoulli``: each token by itself with probability p."""
    mask_share: Share = 0.8
    """Share of the hidden tokens whose content is masked."""
    random_share: Share = 0.1
    """Share of the hidden tokens whose content is replaced by another; the rest keeps its content."""
    same_positions: bool = False
    """Hide the same places in every sample."""
    static: bool = False
    """Hide the same tokens in every epoch."""

    def __post_init__(self) -> None:
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise ConfigError(
                f"'objective.mask_share' and 'objective.random_share' add up to {self.mask_share + self.random_share:g}",
                remedy="their sum is at most 1; the rest of the hidden tokens keeps its content",
            )

    def probability_at(self, epoch: int, num_epochs: int) -> float:
        """Return the share that is hidden in one epoch of ``num_epochs``, or in evaluation (``epoch`` -1)."""
        if self.schedule == "constant":
            return self.probability
        progress = 1.0 if epoch < 0 else min(epoch / max(num_epochs - 1, 1), 1.0)
        if self.schedule == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return self.probability + (self.final_probability - self.probability) * progress

    def draw(self, seed: int, epoch: int, num_epochs: int) -> MaskDraw:
        """Return the draw of masks for one epoch of training, or for evaluation (``epoch`` -1)."""
        return MaskDraw(seed, 0 if self.static and epoch > 0 else epoch, self.probability_at(epoch, num_epochs))


def choose(objective: MaskedObjective, batch: Batch, eligible: np.ndarray, draw: MaskDraw) -> Hidden:
    """Choose which of the eligible tokens, a boolean mask of shape (tokens,), are hidden, and what is done to each."""
    from genoken.objectives import _masking_kernels

    offsets, rows = batch.offsets.numpy().astype(np.int64), batch.rows.numpy()
    key = np.uint64(seed_for(draw.seed, "mask", kind_of(objective), draw.epoch))
    with np.errstate(over="ignore"):  # sums and products of hashes wrap around
        places = _masking_kernels.choose_places(
            offsets, rows, eligible, key, draw.probability, objective.count == "exact", objective.same_positions
        )
        samples = np.searchsorted(offsets, places, side="right") - 1
        # These draws depend on the row even where the places do not.
        streams = hash_step(hash_step(key, rows[samples].astype(np.uint64)), (places - offsets[samples]).astype(np.uint64))
    hidden = Hidden(places, samples, np.full(len(places), MASK, dtype=np.int8), streams)
    if draw.epoch < 0:
        return hidden
    edges = [objective.mask_share, objective.mask_share + objective.random_share]
    return dataclasses.replace(hidden, actions=np.digitize(hidden.uniform(ACTION), edges).astype(np.int8))


def required_channel(layout: Layout, role: ChannelRole, kind: str) -> Channel:
    """Return the channel with this role.

    Raises
    ------
    ConfigError
        When the layout has none.
    """
    channel = layout.channel(role)
    if channel is None:
        remedies = {"phenotype": "choose other --phenotypes or another objective", "segment": "say which cells come next"}
        remedy = remedies.get(role, "choose another tokenizer or objective")
        raise ConfigError(f"the objective '{kind}' needs tokens with a {role} channel, and there is none", remedy=remedy)
    return channel


def feature_indices(identities: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the feature index of each token, int64, -1 at specials and phenotypes."""
    return np.where((identities >= NUM_SPECIALS) & (identities < layout.first_phenotype), identities - NUM_SPECIALS, -1)


def true_identities(batch: Batch, layout: Layout) -> np.ndarray:
    """Return the identity of each token before any objective changed it, int64 of shape (tokens,)."""
    identities = batch.channels[required_channel(layout, "identity", "masked").name].numpy().copy()
    for name, changed in batch.targets.items():
        if name.endswith(".identities"):
            identities[batch.targets[name.removesuffix("identities") + "places"].numpy()] = changed.numpy()
    return identities


def tokens_of(segment: str, batch: Batch, layout: Layout, identities: np.ndarray) -> np.ndarray:
    """Return which tokens are the sample's features or phenotypes, or the features of the one that comes next (``next``)."""
    if segment == "phenotypes":
        return identities >= layout.first_phenotype
    channel = layout.channel("segment")
    is_next = np.zeros(len(identities), dtype=bool)
    if channel is not None and channel.name in batch.channels:
        is_next = batch.channels[channel.name].numpy() == FIRST_CATEGORY
    return (feature_indices(identities, layout) >= 0) & (is_next == (segment == "next"))


def eligible_tokens(batch: Batch, layout: Layout, identities: np.ndarray, segment: str) -> np.ndarray:
    """Return which tokens of a segment may be hidden: the encoder sees them, and no other objective asks for them."""
    eligible = tokens_of(segment, batch, layout, identities)
    if batch.visible is not None:
        seen = np.zeros(len(eligible), dtype=bool)
        seen[batch.visible.numpy()] = True
        eligible &= seen
    for name, places in batch.targets.items():
        if name.endswith(".places"):
            eligible[places.numpy()] = False
    return eligible


def rewritten(batch: Batch, kind: str, channels: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> Batch:
    """Return the batch with some channels replaced and an objective's targets added."""
    import torch

    return dataclasses.replace(
        batch,
        channels={**batch.channels, **{name: torch.from_numpy(values) for name, values in channels.items()}},
        targets={**batch.targets, **{f"{kind}.{name}": torch.from_numpy(values) for name, values in targets.items()}},
    )


def samples_of_targets(batch: Batch, kind: str) -> Tensor:
    """Return the sample of each target of an objective as its place in the batch, int64 of shape (targets,)."""
    import torch

    return torch.searchsorted(batch.offsets[1:].long(), batch.targets[f"{kind}.places"], right=True)


def places_in_samples(batch: Batch, kind: str, segment: str) -> Tensor:
    """Return the place of each target of an objective, int64 of shape (targets,).

    Tokens of a sample are counted from its CLS token, those of the next one (``segment`` is ``next``) from the separator, both 0.
    """
    import torch

    samples = samples_of_targets(batch, kind)
    places = batch.targets[f"{kind}.places"] - batch.offsets.long()[samples]
    if segment != "next":
        return places
    return places - torch.tensor(batch.context_lengths, dtype=torch.int64, device=places.device)[samples]
