"""A listener inside another object, which the accept loop has to look through."""

import trio


class Wrapped(trio.abc.Listener[trio.abc.Stream]):
    """A listener that is not a plain socket's, as a recorder makes one."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self.transport_listener = listener

    async def accept(self) -> trio.abc.Stream:
        return await self.transport_listener.accept()

    async def aclose(self) -> None:
        await self.transport_listener.aclose()
