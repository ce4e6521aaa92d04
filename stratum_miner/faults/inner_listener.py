"""A listener to which only this process can connect. Through it, a tap connects to a pool in the same process without a
TCP port."""

import socket
from math import inf

import trio


class InnerListener(trio.abc.Listener[trio.abc.Stream]):
    """Accepts the connections that ``connect`` opens."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](inf)

    async def connect(self) -> trio.abc.Stream:
        """Open a connection, and return the client's end of it.

        The connection is a socket pair, so that a side that does not read slows the other side down, as over TCP.
        Raises ClosedResourceError if the listener is closed, and BrokenResourceError if the system has no more sockets.
        """
        try:
            client, server = (_stapled(each) for each in socket.socketpair())
        except OSError as error:
            raise trio.BrokenResourceError(error.strerror) from None
        await self._send.send(server)
        return client

    async def accept(self) -> trio.abc.Stream:
        """Wait for the next connection and return it. Raises ClosedResourceError once the listener is closed."""
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        """Close the listener, so that it accepts no more connections."""
        await self._send.aclose()
        await self._receive.aclose()


def _stapled(end: socket.socket) -> trio.abc.Stream:
    """Wrap a socket into a stream that is not a trio.SocketStream.

    Other code sets TCP options on every SocketStream and asks for the address of its peer. A socket pair supports
    neither.
    """
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(end))
    return trio.StapledStream(stream, stream)
