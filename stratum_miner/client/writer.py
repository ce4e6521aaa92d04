"""The sending half of a connection to a pool: a task that writes the bytes of ``ClientConnection`` to the stream."""

import re

import structlog
import trio

from stratum_miner.client.endings import ConnectionEnded
from stratum_miner.client.settings import PoolSettings
from stratum_miner.client.traffic import Traffic
from stratum_miner.stratum.client_connection import ClientConnection

log = structlog.get_logger(__name__)

MAX_UNSENT = 256 << 10
"""Maximum number of bytes that may wait to be sent before the client stops reading. Without this limit, a pool that
sends requests and does not read the replies could fill the memory. Shares alone never reach the limit: even the lines
of all shares that may be open at the same time take fewer bytes."""
_PASSWORD = re.compile(rb'("method":"mining.authorize","params":\["(?:[^"\\]|\\.)*",)"(?:[^"\\]|\\.)*"')
"""Matches a mining.authorize request, as the module ``envelope`` encodes it, up to the end of the password. The first
group ends before the password."""


class Writer:
    """Writes to the stream of one connection. Call ``flush`` whenever there is something to send."""

    def __init__(
        self, stream: trio.abc.Stream, connection: ClientConnection, settings: PoolSettings, traffic: Traffic
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._settings = settings
        self._traffic = traffic
        self._to_flush = trio.Event()
        self._taken = trio.Event()
        """The event for which ``wait_for_room`` waits. ``run`` sets the event, and replaces it by a new one, each time
        it takes the waiting bytes in order to send them."""
        self._can_write = True

    def flush(self) -> None:
        """Wake ``run``, which then sends the waiting bytes."""
        self._to_flush.set()

    async def run(self) -> None:
        """Send the waiting bytes after each ``flush``, until the stream breaks. Raises ConnectionEnded if one write
        takes longer than ``Timeouts.send``."""
        timeout = self._settings.timeouts.send
        while True:
            await self._to_flush.wait()
            self._to_flush = trio.Event()
            data = self._connection.data_to_send()
            self._note_taken()
            if self._settings.trace:
                trace("sent", _PASSWORD.sub(rb'\1"***"', data))
            try:
                with trio.fail_after(timeout):
                    await self._stream.send_all(data)
                self._traffic.bytes_sent += len(data)
            except trio.TooSlowError:
                raise ConnectionEnded(f"the pool accepted no data for {timeout:g} s") from None
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._can_write = False
                self._note_taken()
                return  # the reading task reports the end, after the pool's last messages

    async def wait_for_room(self) -> None:
        """Wait until at most ``MAX_UNSENT`` bytes wait to be sent, or the stream is broken. The wait cannot last
        forever: if the pool reads nothing, ``run`` ends the connection after ``Timeouts.send``."""
        while self._can_write and self._connection.unsent > MAX_UNSENT:
            await self._taken.wait()
        if not self._can_write:
            self._connection.data_to_send()  # discard these bytes: they cannot be sent

    def _note_taken(self) -> None:
        self._taken.set()
        self._taken = trio.Event()


def trace(direction: str, data: bytes | bytearray) -> None:
    """Log each line that was sent or received."""
    for line in data.splitlines():
        log.info(direction, line=line.decode("utf-8", "backslashreplace"))
