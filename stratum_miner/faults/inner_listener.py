"""A listener that is reached from within this process only: how a tap stands before a pool without a second port."""

import socket
from math import inf

import trio


class InnerListener(trio.abc.Listener[trio.abc.Stream]):
    """Accepts what ``connect`` opens."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](inf)

    async def connect(self) -> trio.abc.Stream:
        """The other end of a new connection; a socket pair, so that who does not read is felt.

        ClosedResourceError once closed, BrokenResourceError when the system has no sockets to give.
        """
        try:
            ours, theirs = (_stapled(each) for each in socket.socketpair())
        except OSError as error:
            raise trio.BrokenResourceError(error.strerror) from None
        await self._send.send(theirs)
        return ours

    async def accept(self) -> trio.abc.Stream:
        """The next connection. ClosedResourceError once closed."""
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        """Accept no more."""
        await self._send.aclose()
        await self._receive.aclose()


def _stapled(end: socket.socket) -> trio.abc.Stream:
    """A stream that does not look like TCP, so that nobody sets its options or asks for its peer."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(end))
    return trio.StapledStream(stream, stream)
