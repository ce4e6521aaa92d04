"""Handles Ctrl-C and SIGTERM. The first signal stops the command gracefully, the second signal stops it at once. No
signal prints a traceback.

The effect depends on the phase of the process:

* While modules are loading, Ctrl-C exits at once.
* While trio runs, the first signal calls the functions that are registered with ``Stop.calling``. If there are none, it
  cancels everything.
* While the summary is printed and the interpreter exits, Ctrl-C is ignored.

This module must load quickly, so it imports trio only when needed.
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
"""Exit code after SIGINT, as shells report it (128 + 2)."""


class ProcessPhase(Enum):
    """The phase of the process, which decides what a signal does."""

    STARTING = auto()
    RUNNING = auto()
    ENDING = auto()


_phase = ProcessPhase.STARTING


def enter(phase: ProcessPhase) -> None:
    """Set the phase of the process."""
    global _phase  # noqa: PLW0603  there is one process
    _phase = phase


def install() -> None:
    """Install the handler of SIGINT for the whole process."""
    signal.signal(signal.SIGINT, _on_interrupt)


def finish() -> None:
    """Ignore SIGINT from now on. The interpreter would otherwise restore the default handler while it exits."""
    enter(ProcessPhase.ENDING)
    if signal.getsignal(signal.SIGINT) is _on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_interrupt(_signum: int, _frame: FrameType | None) -> None:
    if _phase is ProcessPhase.STARTING:
        os._exit(INTERRUPTED)
    if _phase is ProcessPhase.RUNNING:
        raise KeyboardInterrupt


class Stop:
    """The functions that the first signal calls to stop a command gracefully. If there are none, the signal cancels
    everything."""

    def __init__(self) -> None:
        self._stoppers: list[Callable[[], None]] = []
        self.signalled = False

    @contextmanager
    def calling(self, stopper: Callable[[], None]) -> Iterator[None]:
        """Register the function ``stopper`` while the ``with`` block runs."""
        self._stoppers.append(stopper)
        try:
            yield
        finally:
            self._stoppers.remove(stopper)

    def gracefully(self) -> bool:
        """Call the registered functions, beginning with the one that was registered last. Return False if there are
        none."""
        for stopper in reversed(self._stoppers):
            stopper()
        return bool(self._stoppers)


def run(main: Callable[[Stop], Awaitable[None]]) -> None:
    """Run ``main``, the async part of a command. Before that, raise the limit of open files as far as the system
    permits.

    Raises KeyboardInterrupt if a signal cancelled ``main`` because no stop function was registered.
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
    """Run ``question``, an async function such as a query, and return its result. For commands that otherwise do not
    use trio.

    Raises the error of ``question``. Raises KeyboardInterrupt at the first signal, because a query needs no graceful
    stop.
    """
    import trio  # noqa: PLC0415  see the module's first lines

    stop = Stop()
    answers: list[T] = []
    errors: list[Exception] = []

    async def ask(_stop: Stop) -> None:
        try:
            answers.append(await question())
        except Exception as error:  # raised again below, outside the exception group of the nursery
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
