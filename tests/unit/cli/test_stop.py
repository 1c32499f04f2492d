"""Signals become one exception, and handlers come back."""

from __future__ import annotations

import signal
import threading

import pytest

from genoken.cli.stop import Stopped, stoppable


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_raises_stopped(number, code):
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as caught, stoppable():
        signal.raise_signal(number)
    assert (caught.value.number, caught.value.exit_code) == (number, code)
    assert signal.getsignal(number) is before


def test_advice_is_part_of_the_line():
    stopped = Stopped(signal.SIGINT)
    assert str(stopped) == "stopped"
    stopped.advice = "go on with: genoken train --resume runs/x"
    assert str(stopped) == "stopped; go on with: genoken train --resume runs/x"


def test_a_failure_inside_puts_the_handlers_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), stoppable():
        _ = 1 / (signal.getsignal(signal.SIGTERM) is before)
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with stoppable():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
