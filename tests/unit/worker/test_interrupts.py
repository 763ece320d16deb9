from __future__ import annotations

import signal
import threading

import pytest

from pgflow.worker.interrupts import SecondSignal, termination_signals


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_passed_on_and_the_second_raises(signum: signal.Signals) -> None:
    received: list[int] = []
    with termination_signals(received.append):
        signal.raise_signal(signum)
        assert received == [signum]
        with pytest.raises(SecondSignal) as second:
            signal.raise_signal(signal.SIGTERM)

    assert second.value.signum == signal.SIGTERM


def test_the_handlers_from_before_are_put_back() -> None:
    before = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
    with termination_signals(print):
        assert signal.getsignal(signal.SIGTERM) not in before

    assert [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)] == before


def test_in_another_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def look() -> None:
        with termination_signals(print):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(5)

    assert seen == [before]
