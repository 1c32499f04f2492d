"""Division of groups into parts of given shares, so that every class is in every part and proportions are kept."""

from __future__ import annotations

import numpy as np

MISSING_CLASS = 1000.0
"""Cost of a class that is missing in a part that must hold it; larger than every imbalance."""
MISSING_GROUP = 10.0
"""Cost of each group that a part has less than it should."""
_MOST_STARTS = 64
_GROUPS_TO_TRY = 800
_MOST_SWEEPS = 8
_GROUPS_TO_IMPROVE = 5000
_LEAST_GAIN = 1e-7


def partition_groups(
    counts: np.ndarray, shares: np.ndarray, *, cover: np.ndarray, least_groups: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    r"""Divide groups into parts, whole groups only.

    Minimizes, over parts p with share :math:`s_p`, :math:`n_p` of n samples and :math:`n_{pc}` of the :math:`n_c` of class c:

    .. math::

        \sum_p \frac{1}{s_p}\Big[\big(\tfrac{n_p}{n} - s_p\big)^2 + \tfrac{1}{C}\sum_c \big(\tfrac{n_{pc}}{n_c} - s_p\big)^2\Big]
        + \text{cover}_p \cdot \#\{c: n_{pc} = 0\} + 10 \cdot \#\text{missing groups}_p + 1000 \cdot [\text{p is empty}]

    by greedy assignment from many seeded orders (large groups first, or groups with rare classes first), each improved by moving
    single groups; the best is kept. This is a search: it may miss the optimum, and is exhaustive in no case.

    Parameters
    ----------
    counts
        Samples per group and class, of shape (groups, classes); every row and column has a sample.
    shares
        Wanted share of each part, of shape (parts,), positive, with sum 1.
    cover
        Cost of each class that is missing in a part, of shape (parts,): ``MISSING_CLASS`` where it must not happen, 0 where it may.
    least_groups
        Number of groups that each part should have at least, of shape (parts,).
    rng
        Where the orders come from.

    Returns
    -------
    numpy.ndarray
        Part of each group, int64 of shape (groups,).
    """
    search = _Search(counts.astype(np.float64), shares, cover, least_groups)
    num_groups = len(counts)
    best, best_cost = np.zeros(num_groups, dtype=np.int64), np.inf
    for start in range(int(np.clip(_GROUPS_TO_TRY // num_groups, 1, _MOST_STARTS))):
        parts = search.greedy(_order(counts, start, rng))
        if num_groups <= _GROUPS_TO_IMPROVE:
            search.improve(parts)
        cost = search.cost(parts)
        if cost < best_cost - _LEAST_GAIN:
            best, best_cost = parts, cost
    return best


def _order(counts: np.ndarray, start: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order of the groups: large ones first, or (every other start) those with rare classes; jittered after two."""
    jitter = np.exp(rng.normal(0.0, 0.5, len(counts))) if start > 1 else np.ones(len(counts))
    size = counts.sum(axis=1) * jitter
    if start % 2 == 0:
        return np.argsort(-size, kind="stable")
    groups_of_class = (counts > 0).sum(axis=0)
    rarest = np.where(counts > 0, groups_of_class, len(counts) + 1).min(axis=1)
    return np.lexsort((-size, rarest))


class _Search:
    """State of one search: what each part holds, and the cost of one group more or less in each part."""

    def __init__(self, counts: np.ndarray, shares: np.ndarray, cover: np.ndarray, least_groups: np.ndarray) -> None:
        self.counts = counts
        self.sizes = counts.sum(axis=1)
        self.total = self.sizes.sum()
        self.class_totals = counts.sum(axis=0)
        self.shares, self.cover, self.least_groups = shares, cover, least_groups
        self.num_parts = len(shares)
        self._clear()

    def _clear(self) -> None:
        self.held = np.zeros((self.num_parts, self.counts.shape[1]))
        self.held_groups = np.zeros(self.num_parts)

    def _part_costs(self, held: np.ndarray, held_groups: np.ndarray) -> np.ndarray:
        """Return the cost of each part, of shape (parts,), if it held these counts and that many groups."""
        size = (held.sum(axis=1) / self.total - self.shares) ** 2
        proportions = ((held / self.class_totals - self.shares[:, None]) ** 2).mean(axis=1)
        missing = (held <= 0).sum(axis=1) * self.cover
        short = np.maximum(self.least_groups - held_groups, 0) * MISSING_GROUP
        return (size + proportions) / self.shares + missing + short + (held_groups == 0) * MISSING_CLASS

    def cost(self, parts: np.ndarray) -> float:
        """Return the cost of an assignment, and make it the state."""
        self._clear()
        np.add.at(self.held, parts, self.counts)
        np.add.at(self.held_groups, parts, 1)
        return float(self._part_costs(self.held, self.held_groups).sum())

    def greedy(self, order: np.ndarray) -> np.ndarray:
        """Give each group, in this order, to the part where it lowers the cost most."""
        self._clear()
        parts = np.zeros(len(order), dtype=np.int64)
        current = self._part_costs(self.held, self.held_groups)
        for group in order:
            changed = self._part_costs(self.held + self.counts[group], self.held_groups + 1)
            part = int(np.argmin(changed - current))
            parts[group] = part
            self.held[part] += self.counts[group]
            self.held_groups[part] += 1
            current[part] = changed[part]
        return parts

    def improve(self, parts: np.ndarray) -> None:
        """Move single groups, in place, as long as a move lowers the cost."""
        self.cost(parts)
        for _ in range(_MOST_SWEEPS):
            moves = sum(self._move(parts, group) for group in range(len(parts)))
            if not moves:
                return

    def _move(self, parts: np.ndarray, group: int) -> bool:
        """Move one group to the part where it costs least; return whether it moved."""
        own, amount = parts[group], self.counts[group]
        current = self._part_costs(self.held, self.held_groups)
        added = self._part_costs(self.held + amount, self.held_groups + 1) - current
        without = self._part_costs(self.held - amount, self.held_groups - 1)[own] - current[own]
        added[own] = -without
        part = int(np.argmin(added))
        if part == own or added[part] + without > -_LEAST_GAIN:
            return False
        self.held[own] -= amount
        self.held[part] += amount
        self.held_groups[own] -= 1
        self.held_groups[part] += 1
        parts[group] = part
        return True
