"""Processor time of other processes, the wait of a thread for a processor, and processes that serve a benchmark."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

FORK = multiprocessing.get_context("fork")
"""A forked process has imported the modules already, and the same ones as this process."""
SCHEDULED = 2
"""CPUCLOCK_SCHED of Linux: the clock of the processor time of a process."""


def processor_s(pid: int) -> float:
    """Return the seconds of processor time of all threads of a process. This is the clock that clock_getcpuclockid(3)
    returns, with a resolution of nanoseconds."""
    return time.clock_gettime((~pid << 3) | SCHEDULED)


def waited_s(thread: int) -> float:
    """Return the seconds in which a thread of this process was ready to run and waited for a processor. The thread
    itself must call this: the number is complete only while the thread runs."""
    with open(f"/proc/self/task/{thread}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


@contextmanager
def serving(serve: Callable[..., None], *arguments: Any) -> Iterator[tuple[int, Connection]]:
    """Run ``serve(pipe, *arguments)`` in another process, which sends the port first. Yield process id and pipe."""
    pipe, other_end = FORK.Pipe()
    process = FORK.Process(target=_serve, args=(serve, other_end, pipe, *arguments), daemon=True)
    process.start()
    other_end.close()
    assert process.pid is not None
    try:
        yield process.pid, pipe
    finally:
        process.kill()
        process.join()


def _serve(serve: Callable[..., None], pipe: Connection, other_end: Connection, *arguments: Any) -> None:
    other_end.close()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    serve(pipe, *arguments)


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended, also if the parent was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
