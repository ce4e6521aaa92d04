"""Single keys of a terminal, without echo and without waiting for Enter; the terminal is as before on every way out."""

import os
import signal
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

MOST = 64
"""Bytes at a time: a paste is not a thousand commands."""


@asynccontextmanager
async def reading(descriptor: int) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
    """Keys as they are pressed, one string each; escape sequences are left out. Ctrl-C stays a signal.

    After Ctrl-Z and fg, the shell's own settings are in force: they are replaced again.
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
        except OSError:  # the terminal went away; its SIGHUP is somebody else's matter
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
