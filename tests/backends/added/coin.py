"""A backend that does not exist, in the file that a new backend takes."""

from typing import ClassVar

from stratum_miner.backends.reference import ReferenceBackend
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics


class CoinBackend(ReferenceBackend):
    """The reference under another name."""

    name: ClassVar[str] = "coin"

    def statistics(self) -> BackendStatistics:
        """One device."""
        [device] = super().statistics().devices
        return BackendStatistics(
            self.name, "tossed", (DeviceStatistics("coin0", device.hashes, device.nonces_found),), "tossed"
        )
