"""Lists the devices that are plugged in, once a second. A task that waits for a device looks for it in each new list.

This module polls instead of using the events of udev, because polling also works in a container. After each new list,
waiting tasks can also look for pseudo-terminals and symbolic links, which udev does not report. Making a list takes a
few milliseconds, in a worker thread.
"""

import structlog
import trio

from stratum_miner.backends.asic.discovery import FoundDevice, discover
from stratum_miner.backends.asic.port_list import Listing

log = structlog.get_logger(__name__)

POLL_S = 1.0
"""Seconds between two lists."""


class Hotplug:
    """Updates ``devices``, the list of the devices that are plugged in, every ``POLL_S`` seconds while ``run`` runs."""

    def __init__(self, listing: Listing) -> None:
        self.devices: tuple[FoundDevice, ...] = ()
        self.has_looked = False
        self._listing = listing
        self._looked = trio.Event()

    async def run(self) -> None:
        """List the devices that are plugged in, once every ``POLL_S`` seconds, until cancelled."""
        while True:
            await self._look()
            await trio.sleep(POLL_S)

    async def next_look(self) -> None:
        """Wait until ``devices`` was updated again."""
        await self._looked.wait()

    async def _look(self) -> None:
        try:
            self.devices = discover(await self._listing())
        except OSError as error:  # a device disappeared while its texts were read
            log.debug("listing_failed", reason=str(error))
        self.has_looked = True
        self._looked.set()
        self._looked = trio.Event()
