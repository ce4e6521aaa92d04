"""A web server on a real socket that says what the test tells it to, right or wrong."""

import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial

import trio

Talk = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk, wrap: Callable[[trio.SocketStream], trio.abc.Stream] = lambda s: s) -> AsyncIterator[str]:
    """The server's URL while the block runs; ``talk`` has each connection, closed when it returns."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with wrap(stream) as wrapped:
                await talk(wrapped)
        except (trio.BrokenResourceError, trio.ClosedResourceError):  # it hung up, as it should on most of what we say
            pass

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def request(stream: trio.abc.Stream) -> bytes:
    """The next request, head and body; empty when there is none."""
    came = b""
    while b"\r\n\r\n" not in came:
        data = await stream.receive_some()
        if not data:
            return b""
        came += data
    head, _, body = came.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += await stream.receive_some()
    return head + b"\r\n\r\n" + body


def saying(*parts: bytes, again: bool = False, stays: bool = False) -> Talk:
    """Answer a request with ``parts``, the last one for ever with ``again``, or without hanging up with ``stays``."""

    async def talk(stream: trio.abc.Stream) -> None:
        await request(stream)
        for part in parts:
            await stream.send_all(part)
        while again:
            await stream.send_all(parts[-1])
        if stays:
            await trio.sleep_forever()

    return talk


def answer(body: bytes, *fields: str, status: int = 200) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def dripping(first: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n") -> Iterator[str]:
    """Host and port of a server in a thread. It answers ``first``, and then a byte every 0.05 s until one hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(1000)
            connection.sendall(first)
            while True:
                connection.sendall(b"9")
                threading.Event().wait(0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()
