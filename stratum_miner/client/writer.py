"""The sending half of a connection to a pool: a task that writes what the protocol has to say."""

import re

import structlog
import trio

from stratum_miner.client.endings import ConnectionEnded
from stratum_miner.client.settings import PoolSettings
from stratum_miner.client.traffic import Traffic
from stratum_miner.stratum.client_connection import ClientConnection

log = structlog.get_logger(__name__)

MAX_UNSENT = 256 << 10
"""Bytes waiting to go out beyond which we read no more: answers to a pool that asks without reading. The shares that
may be unanswered are less."""
_PASSWORD = re.compile(rb'("method":"mining.authorize","params":\["(?:[^"\\]|\\.)*",)"(?:[^"\\]|\\.)*"')
"""The second parameter of our own mining.authorize, as our encoder writes it."""


class Writer:
    """Runs as long as its connection; ``flush`` whenever there is something to send."""

    def __init__(
        self, stream: trio.abc.Stream, connection: ClientConnection, settings: PoolSettings, traffic: Traffic
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._settings = settings
        self._traffic = traffic
        self._to_flush = trio.Event()
        self._taken = trio.Event()
        """Set, and made anew, whenever what waited was taken."""
        self._can_write = True

    def flush(self) -> None:
        """Send soon what waits to be sent."""
        self._to_flush.set()

    async def run(self) -> None:
        """Write until the pool takes no more. Raises ConnectionEnded when it takes nothing for too long."""
        timeout = self._settings.timeouts.send
        while True:
            await self._to_flush.wait()
            self._to_flush = trio.Event()
            data = self._connection.data_to_send()
            self._note_taken()
            if not data:
                continue
            if self._settings.trace:
                trace("sent", _PASSWORD.sub(rb'\1"***"', data))
            try:
                with trio.fail_after(timeout):
                    await self._stream.send_all(data)
                self._traffic.bytes_sent += len(data)
            except trio.TooSlowError:
                raise ConnectionEnded(f"the pool took no data for {timeout:g} s") from None
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._can_write = False
                self._note_taken()
                return  # the reader sees the end too, with what the pool said before

    async def wait_for_room(self) -> None:
        """Wait while the pool does not take what we answer; the limit of time of ``run`` ends that."""
        while self._can_write and self._connection.unsent > MAX_UNSENT:
            await self._taken.wait()
        if not self._can_write:
            self._connection.data_to_send()  # nobody will take it

    def _note_taken(self) -> None:
        self._taken.set()
        self._taken = trio.Event()


def trace(direction: str, data: bytes | bytearray) -> None:
    """Log each line of what was sent or received."""
    for line in data.splitlines():
        log.info(direction, line=line.decode("utf-8", "backslashreplace"))
