"""Reads single keys from a terminal, without echo and without Enter. Always restores the settings of the terminal."""

import os
import signal
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

MOST = 64
"""Two limits have this value: the number of bytes that are read at a time, and the number of pressed keys that wait for
the program to act on them. While this many keys wait, further keys are dropped. So if someone pastes a long text, not
all of its characters act as keys."""


@asynccontextmanager
async def reading(descriptor: int) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
    """Yield a channel that receives each pressed key as a string.

    Keys that send an escape sequence, such as the arrow keys, are ignored. Ctrl-C still sends SIGINT. When the process
    continues after Ctrl-Z and ``fg``, ``reading`` sets the terminal up again, because the shell has changed the
    settings of the terminal.
    """
    before = termios.tcgetattr(descriptor)
    send, receive = trio.open_memory_channel[str](MOST)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        with trio.open_signal_receiver(signal.SIGCONT) as continued:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read, descriptor, send)
                nursery.start_soon(_again, descriptor, continued)
                yield receive
                nursery.cancel_scope.cancel()
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def in_foreground(descriptor: int) -> bool:
    """Return whether this process may change the settings of a terminal. It may not if it runs in the background, for
    example because a shell started it with ``&``. If such a process changes the settings, the terminal stops it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not the controlling terminal of this process, so it cannot stop the process
        return True


async def _read(descriptor: int, send: trio.MemorySendChannel[str]) -> None:
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        try:
            taken = os.read(descriptor, MOST)
        except OSError:  # the terminal was closed; the program handles the SIGHUP elsewhere
            return
        if not taken:
            return
        if taken.startswith(b"\x1b"):
            continue
        for key in taken.decode("utf-8", "ignore"):
            try:
                send.send_nowait(key)
            except trio.WouldBlock:
                break


async def _again(descriptor: int, continued: AsyncIterator[int]) -> None:
    async for _ in continued:
        tty.setcbreak(descriptor, termios.TCSANOW)
