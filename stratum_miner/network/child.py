"""Runs another program to its end, with a limit on its time (seconds) and on its output (bytes).

The program runs in a process group of its own, and its output comes through pipes. The output is read while the program
runs, so a program that prints too much is killed before its output fills the memory. When the program has ended, child
processes that it started may still keep the pipes open. ``run`` does not wait for these processes: it reads what is in
the pipes and kills the process group.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import trio

CHUNK: Final = 1 << 16
KILLED_SECONDS: Final = 5.0
"""Maximum number of seconds to wait for the end of a program that was killed. A program that is blocked in a system
call may end later."""


class ChildError(Exception):
    """The program could not be started or did not end by itself.

    The message gives the reason. It never contains the arguments of the program, which may be secret. ``started`` is
    false if the program could not be started.
    """

    def __init__(self, text: str, *, started: bool = True) -> None:
        super().__init__(text)
        self.started = started


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it printed. The output is empty if ``run`` was called without ``max_bytes``."""

    exit_code: int
    """The exit code of the program, or -N if the signal with the number N killed the program."""
    output: bytes
    errors: bytes


async def run(
    command: Sequence[str],
    *,
    seconds: float,
    max_bytes: int | None,
    input: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end, without a shell.

    ``seconds`` limits the run time. The standard output may have up to ``max_bytes`` bytes, and so may the standard
    error. At the end, any child processes that the program has left running are killed.

    If ``max_bytes`` is None, both outputs are discarded, and child processes of the program are killed only if the
    program itself is killed. Raises ChildError if the program cannot be started, takes too long or prints too much.
    """
    target = subprocess.DEVNULL if max_bytes is None else subprocess.PIPE
    try:
        process = await trio.lowlevel.open_process(
            [*command], stdin=subprocess.PIPE, stdout=target, stderr=target, start_new_session=True,
            env=None if environment is None else dict(environment),
        )  # fmt: skip
    except (OSError, ValueError) as error:  # ValueError if an argument contains a null byte
        raise ChildError(
            f"the program cannot be started: {getattr(error, 'strerror', None) or error}", started=False
        ) from None
    outputs = [_Output(stream, max_bytes or 0) for stream in (process.stdout, process.stderr) if stream is not None]
    try:
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send_input, process, input)
                for output in outputs:
                    nursery.start_soon(output.read, nursery.cancel_scope)
                await process.wait()
                nursery.cancel_scope.cancel()
        if scope.cancelled_caught:
            raise ChildError(f"it took more than {seconds:g} s and was killed")
        texts = [output.rest() for output in outputs] or [b"", b""]
        if max(map(len, texts)) > (max_bytes or 0):
            raise ChildError(f"it printed more than {max_bytes} bytes and was killed")
        return Ended(process.returncode or 0, *texts)
    finally:
        if outputs or process.returncode is None:
            await _end(process)
        # Closing a pipe never blocks, so the shield delays a cancellation by very little. Without the shield, a
        # cancellation could leave a pipe open.
        with trio.CancelScope(shield=True):
            for output in outputs:
                await output.stream.aclose()


@dataclass(slots=True)
class _Output:
    """One of the two output pipes of a program, and the bytes read from this pipe. Reading stops when more than
    ``limit`` bytes have been read."""

    stream: trio.abc.ReceiveStream
    limit: int
    data: bytearray = field(default_factory=bytearray)

    async def read(self, stop: trio.CancelScope) -> None:
        """Read until the pipe is closed. Cancel ``stop`` if the program printed more than ``limit`` bytes."""
        while data := await self.stream.receive_some(CHUNK):
            self.data += data
            if len(self.data) > self.limit:
                stop.cancel()

    def rest(self) -> bytes:
        """Read what is still in the pipe after the end of the program. Return all that was read from the pipe."""
        assert isinstance(self.stream, trio.lowlevel.FdStream), "trio wraps a pipe into this class"
        with suppress(BlockingIOError):  # the pipe is empty, but a child process still has it open
            while len(self.data) <= self.limit and (data := os.read(self.stream.fileno(), CHUNK)):
                self.data += data
        return bytes(self.data)


async def _send_input(process: trio.Process, input: bytes) -> None:
    assert process.stdin is not None, "the process was started with a pipe"
    async with process.stdin:
        with suppress(trio.BrokenResourceError):  # the program need not read its input
            await process.stdin.send_all(input)


async def _end(process: trio.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with trio.move_on_after(KILLED_SECONDS, shield=True):
        await process.wait()
