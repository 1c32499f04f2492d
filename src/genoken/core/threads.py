"""The number of threads that PyTorch computes with, kept as it is where other libraries would change it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Give PyTorch, if it is loaded, the number of threads back that it had before the block.

    Numba, when a library asks it for its threads for the first time, sets the number of the process's OpenMP threads, which are
    PyTorch's too. With another number sums are taken in another order, and a process's second run would not be that of its first.
    """
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
