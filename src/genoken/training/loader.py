"""Batches in a fixed order, prepared ahead of the training step by threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from genoken.core.batch import Batch

PREPARED_AHEAD = 4
"""Batches per thread that wait in the queue."""


class BatchLoader:
    """Iterates over batches that a function makes from rows; resumes where it was and meters the time spent waiting.

    Parameters
    ----------
    epoch
        Returns the number of the epoch that is about to begin.
    plan
        Returns the row arrays of an epoch's batches, for its number and the first batch that will be asked for.
    make
        Turns rows and the epoch number into a batch.
    num_batches
        Batches per epoch.
    num_threads
        Threads that prepare batches ahead; 0: they are made when asked for.
    """

    def __init__(
        self,
        epoch: Callable[[], int],
        plan: Callable[[int, int], Sequence[np.ndarray]],
        make: Callable[[np.ndarray, int], Batch],
        num_batches: int,
        num_threads: int = 0,
    ) -> None:
        self._plan = plan
        self._make = make
        self._num_batches = num_batches
        self._num_threads = num_threads
        self._epoch = epoch
        self._yielded = 0
        self._start = 0
        self.seconds_waited = 0.0

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self._num_batches

    def state_dict(self) -> dict[str, Any]:
        """Return how many batches of the current epoch have been handed out."""
        return {"yielded": self._yielded}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Start the next pass behind the batches that were handed out; after a whole epoch, at the beginning."""
        self._start = int(state["yielded"]) % max(self._num_batches, 1)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the current epoch."""
        epoch, start = self._epoch(), self._start
        self._start = 0
        rows_of_batches = self._plan(epoch, start)[start : self._num_batches]
        self._yielded = start
        batches = (
            self._ahead(rows_of_batches, epoch) if self._num_threads else (self._make(rows, epoch) for rows in rows_of_batches)
        )
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.seconds_waited += time.perf_counter() - began
            if batch is None:
                return
            self._yielded += 1
            yield batch

    def _ahead(self, rows_of_batches: Sequence[np.ndarray], epoch: int) -> Iterator[Batch]:
        """Yield batches in order while threads make the next ones; an error in a thread is raised here."""
        stop = threading.Event()
        results: list[queue.Queue[Any]] = [queue.Queue(maxsize=PREPARED_AHEAD) for _ in range(self._num_threads)]

        def work(thread: int) -> None:
            for rows in rows_of_batches[thread :: self._num_threads]:
                try:
                    made: Any = self._make(rows, epoch)
                except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
                    made = error
                while not stop.is_set():
                    try:
                        results[thread].put(made, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if stop.is_set() or isinstance(made, BaseException):
                    return

        threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(self._num_threads)]
        for thread in threads:
            thread.start()
        try:
            for index in range(len(rows_of_batches)):
                made = results[index % self._num_threads].get()
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            stop.set()
            for thread in threads:
                thread.join()
