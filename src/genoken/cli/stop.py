"""Stopping: Ctrl-C and SIGTERM end a command in one line, after whatever is being written is whole or gone."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stopped(BaseException):
    """The user, or the machine, asked the command to stop.

    It is no ``Exception``, so that nothing takes it for a failure, and no ``KeyboardInterrupt``, which the training engine would
    turn into an exit of its own.

    Parameters
    ----------
    number
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.advice = ""
        """How to go on; empty when there is nothing to go on with."""

    @property
    def exit_code(self) -> int:
        """What shells expect: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.number

    def __str__(self) -> str:
        """Return the line for the user."""
        return f"stopped; {self.advice}" if self.advice else "stopped"


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` in the main thread on Ctrl-C and SIGTERM while the block runs; elsewhere change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise_stopped) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
