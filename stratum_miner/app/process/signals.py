"""Ctrl-C and SIGTERM in every phase of a command: the first ends gracefully, the second at once, none with a traceback.

Starting (modules load): leave. Running inside trio: what is registered is stopped, or else everything is cancelled.
Ending (summary printed, interpreter going down): another Ctrl-C changes nothing. This module must load quickly.
"""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import trio

T = TypeVar("T")
INTERRUPTED = 130
"""Exit code, as a shell reports SIGINT."""


class ProcessPhase(Enum):
    """Where the process is."""

    STARTING = auto()
    RUNNING = auto()
    ENDING = auto()


_phase = ProcessPhase.STARTING


def enter(phase: ProcessPhase) -> None:
    """Note the process's phase."""
    global _phase  # noqa: PLW0603  there is one process
    _phase = phase


def install() -> None:
    """Take over SIGINT for the whole process."""
    signal.signal(signal.SIGINT, _on_interrupt)


def finish() -> None:
    """From now on nothing is worth interrupting; the interpreter would restore the default handler on its way out."""
    enter(ProcessPhase.ENDING)
    if signal.getsignal(signal.SIGINT) is _on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_interrupt(_signum: int, _frame: FrameType | None) -> None:
    if _phase is ProcessPhase.STARTING:
        os._exit(INTERRUPTED)
    if _phase is ProcessPhase.RUNNING:
        raise KeyboardInterrupt


class Stop:
    """What the first signal calls; when nothing is registered, everything is cancelled."""

    def __init__(self) -> None:
        self._stoppers: list[Callable[[], None]] = []
        self.signalled = False

    @contextmanager
    def calling(self, stopper: Callable[[], None]) -> Iterator[None]:
        """Have ``stopper`` called by the first signal while the block runs."""
        self._stoppers.append(stopper)
        try:
            yield
        finally:
            self._stoppers.remove(stopper)

    def gracefully(self) -> bool:
        """Call what is registered, innermost first; False when that is nothing."""
        for stopper in reversed(self._stoppers):
            stopper()
        return bool(self._stoppers)


def run(main: Callable[[Stop], Awaitable[None]]) -> None:
    """Run a command's async part, with as many open files as the system allows.

    KeyboardInterrupt when it was cancelled before it could be stopped gracefully.
    """
    import trio  # noqa: PLC0415  see the module's first lines

    from stratum_miner.network import files  # noqa: PLC0415  the same

    files.allow()
    stop = Stop()
    trio.run(_run, main, stop)
    finish()
    if stop.signalled:
        raise KeyboardInterrupt


def wait_for(question: Callable[[], Awaitable[T]]) -> T:
    """Run an async part of a command that goes on afterwards, and give what it returns or raises.

    KeyboardInterrupt at the first signal: a question needs no graceful end.
    """
    import trio  # noqa: PLC0415  see the module's first lines

    stop = Stop()
    answers: list[T] = []
    errors: list[Exception] = []

    async def ask(_stop: Stop) -> None:
        try:
            answers.append(await question())
        except Exception as error:  # raised below, without the nursery's wrapping
            errors.append(error)

    trio.run(_run, ask, stop)
    if stop.signalled:
        raise KeyboardInterrupt
    enter(ProcessPhase.RUNNING)
    for error in errors:
        raise error
    return answers[0]


async def _run(main: Callable[[Stop], Awaitable[None]], stop: Stop) -> None:
    import trio  # noqa: PLC0415  see the module's first lines

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, signals, stop, nursery.cancel_scope)
            try:
                await main(stop)
            finally:
                enter(ProcessPhase.ENDING)
            nursery.cancel_scope.cancel()


async def _watch(signals: AsyncIterator[int], stop: Stop, everything: "trio.CancelScope") -> None:
    graceful = False
    async for _ in signals:
        if graceful or not stop.gracefully():
            stop.signalled = not graceful
            everything.cancel()
            return
        graceful = True
