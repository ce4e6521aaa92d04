"""Reads single keys from a terminal, without echo and without Enter. Always restores the settings of the terminal."""

import os
import signal
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

MOST = 64
"""The most bytes that are read at a time, and the most keys that wait, so that a pasted text is not executed whole."""


@asynccontextmanager
async def reading(descriptor: int) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
    """Return a channel that receives each pressed key as a string. Escape sequences are left out. Ctrl-C stays a
    signal.

    After Ctrl-Z and ``fg``, the terminal has the settings of the shell, so they are replaced again.
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
