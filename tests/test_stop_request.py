"""Ctrl-C and SIGTERM while something must be finished first."""

from __future__ import annotations

import signal
import threading

import pytest

from nodeloom.interrupt import StopRequest

NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_first_signal_is_remembered_second_breaks_in(number):
    with StopRequest() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_handlers_come_back(handlers):
    with StopRequest():
        assert all(signal.getsignal(number) != handlers[number] for number in NUMBERS)
    assert all(signal.getsignal(number) == handlers[number] for number in NUMBERS)
    with pytest.raises(ZeroDivisionError), StopRequest():
        raise ZeroDivisionError
    assert all(signal.getsignal(number) == handlers[number] for number in NUMBERS)


def test_handlers_of_the_caller_come_back():
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested and not seen
    signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored():
    # A job that a shell put in the background must not be stopped by a Ctrl-C for another one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.requested
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_handlers_that_python_does_not_know(monkeypatch):
    # signal.signal gives None for a handler of a C library, and does not take it back.
    real, asked = signal.signal, []

    def fake(number, handler):
        asked.append((number, handler))
        real(number, handler)

    with monkeypatch.context() as patch:
        patch.setattr(signal, "signal", fake)
        with StopRequest():
            pass
    assert [handler for _, handler in asked[2:]] == [signal.SIG_DFL, signal.SIG_DFL]


def test_other_threads_leave_signals_alone(handlers):
    seen = []

    def work():
        with StopRequest() as stop:
            seen.append((stop.requested, [signal.getsignal(number) for number in NUMBERS]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, [handlers[number] for number in NUMBERS])]
