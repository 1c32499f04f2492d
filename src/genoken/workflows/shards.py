"""Explaining in several processes that torchrun or SLURM started: who does which part, and how the parts come together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genoken.interpretation.shards import ONE_PROCESS, Pieces, Shard
from genoken.training.processes import place_among_processes


@contextmanager
def shard_of_this_process() -> Iterator[Shard]:
    """Give this process its part of the work; where it was started alone, that is all of it."""
    index, count = place_among_processes()
    if count == 1:
        yield ONE_PROCESS
        return
    torch.distributed.init_process_group("gloo")
    try:
        yield Shard(index, count, _gather)
    finally:
        torch.distributed.destroy_process_group()


def _gather(pieces: Pieces) -> list[Pieces]:
    """Return the pieces of all processes."""
    found: list[Pieces] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(found, pieces)
    return found
