"""Work that several processes share out among themselves, each whole piece of it done by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Pieces = list[tuple[int, Any]]
"""Results with the place of each in the whole list."""


def alone(pieces: Pieces) -> list[Pieces]:
    """Return what the only process has done."""
    return [pieces]


@dataclass(frozen=True)
class Shard:
    """Which part of the work this process does, and how it gets to know of the rest.

    Parameters
    ----------
    index, count
        Number of this process, from 0, and of all.
    gather
        Returns the pieces of every process, the same in each.
    """

    index: int = 0
    count: int = 1
    gather: Callable[[Pieces], list[Pieces]] = alone

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``function`` of every item in order, this process computing every ``count``-th of them.

        Items are never divided, so the result does not depend on how many processes there are.
        """
        own = [(place, function(items[place])) for place in range(self.index, len(items), self.count)]
        found = {place: result for pieces in self.gather(own) for place, result in pieces}
        return [found[place] for place in range(len(items))]


ONE_PROCESS = Shard()
"""All of the work."""
