"""Another program, run to its end, with an end to every wait: a limit in seconds, and one in bytes for what it prints.

Theory of operation: a program leads a process group of its own. What it prints is read while it runs, so the limit is
checked before much is held; a program that prints more is ended. Once the program itself has ended, nobody waits for
others that it left behind with our pipe: what is in the pipe is taken, and the group is ended.
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
"""Seconds for the system to end a killed program. One that hangs in the system itself takes longer."""


class ChildError(Exception):
    """The program could not be run or did not end by itself; the text says which, and not with what arguments."""

    def __init__(self, text: str, *, started: bool = True) -> None:
        super().__init__(text)
        self.started = started


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended; what it printed is empty where nobody asked for it."""

    exit_code: int
    """Negative: the number of the signal that ended it."""
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
    """Run a program to its end, without a shell. ChildError when it cannot be started, takes too long or says too much.

    ``max_bytes`` bounds its standard output and its standard error, each; None throws both away, and then the program
    may leave others running when it ends in time. When it does not, or when it was listened to, its group is killed.
    """
    target = subprocess.DEVNULL if max_bytes is None else subprocess.PIPE
    try:
        process = await trio.lowlevel.open_process(
            [*command], stdin=subprocess.PIPE, stdout=target, stderr=target, start_new_session=True,
            env=None if environment is None else dict(environment),
        )  # fmt: skip
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise ChildError(f"cannot run it: {getattr(error, 'strerror', None) or error}", started=False) from None
    heard = [_Heard(stream, max_bytes or 0) for stream in (process.stdout, process.stderr) if stream is not None]
    try:
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, process, input)
                for one in heard:
                    nursery.start_soon(one.listen, nursery.cancel_scope)
                await process.wait()
                nursery.cancel_scope.cancel()
        if scope.cancelled_caught:
            raise ChildError(f"it took more than {seconds:g} s and was killed")
        said = [one.all() for one in heard] or [b"", b""]
        if max(map(len, said)) > (max_bytes or 0):
            raise ChildError(f"it printed more than {max_bytes} bytes and was killed")
        return Ended(process.returncode or 0, *said)
    finally:
        if heard or process.returncode is None:
            await _end(process)
        with trio.CancelScope(shield=True):  # closing never waits, and all are closed
            for one in heard:
                await one.stream.aclose()


@dataclass(slots=True)
class _Heard:
    """One of the two pipes that a program prints to, and what came; a little more than the limit at most."""

    stream: trio.abc.ReceiveStream
    limit: int
    said: bytearray = field(default_factory=bytearray)

    async def listen(self, stop: trio.CancelScope) -> None:
        """Until its end, or until it is too much."""
        while data := await self.stream.receive_some(CHUNK):
            self.said += data
            if len(self.said) > self.limit:
                stop.cancel()

    def all(self) -> bytes:
        """All that was read and, after the end of the program, what is still in the pipe."""
        assert isinstance(self.stream, trio.lowlevel.FdStream), "what trio makes of a pipe"
        with suppress(BlockingIOError):  # somebody still holds the other end
            while len(self.said) <= self.limit and (data := os.read(self.stream.fileno(), CHUNK)):
                self.said += data
        return bytes(self.said)


async def _tell(process: trio.Process, input: bytes) -> None:
    assert process.stdin is not None, "it was opened with a pipe"
    async with process.stdin:
        with suppress(trio.BrokenResourceError):  # it need not read what we tell it
            await process.stdin.send_all(input)


async def _end(process: trio.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with trio.move_on_after(KILLED_SECONDS, shield=True):
        await process.wait()
