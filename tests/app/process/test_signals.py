"""The first signal ends a command gracefully, the second at once, in every phase."""

import os
import signal
from collections.abc import Iterator

import pytest
import trio

from stratum_miner.app.process import signals
from stratum_miner.app.process.signals import ProcessPhase, Stop


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    signals.enter(ProcessPhase.STARTING)
    yield
    signal.signal(signal.SIGINT, before)
    signals.enter(ProcessPhase.STARTING)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_phases_outside_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    signals.install()
    interrupt()
    assert left == [130]
    signals.enter(ProcessPhase.RUNNING)
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    signals.finish()
    interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_first_signal_stops_gracefully() -> None:
    told: list[str] = []

    async def main(stop: Stop) -> None:
        stopped = trio.Event()
        with stop.calling(stopped.set):
            interrupt()
            await stopped.wait()
            told.append("stopped")

    signals.run(main)
    assert told == ["stopped"]


def test_second_signal_ends_at_once_without_being_an_error() -> None:
    async def main(stop: Stop) -> None:
        first = trio.Event()
        with stop.calling(first.set):
            interrupt()
            await first.wait()
            interrupt()
            await trio.sleep_forever()

    signals.run(main)


def test_signal_before_anything_can_be_stopped() -> None:
    async def main(stop: Stop) -> None:
        interrupt()
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        signals.run(main)


def test_a_question_in_the_middle_of_a_command() -> None:
    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise ValueError("no")

    async def never() -> int:
        interrupt()
        await trio.sleep_forever()
        raise AssertionError

    signals.install()
    signals.enter(ProcessPhase.RUNNING)
    assert signals.wait_for(answer) == 7
    with pytest.raises(ValueError, match="no"):  # as it is, without a group around it
        signals.wait_for(fail)
    with pytest.raises(KeyboardInterrupt):  # the command goes on, and can be interrupted
        interrupt()
    with pytest.raises(KeyboardInterrupt):
        signals.wait_for(never)
