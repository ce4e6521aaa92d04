"""Emulated mining devices on pseudo-terminals, for testing any driver. They send the same bytes as real devices, and
compute real hashes.

The emulators are written only from the documentation of the devices, and share no code with the drivers of this
package. A mistake in a driver or an emulator therefore shows when the two are tested together.
"""

from stratum_miner.emulators.emulator import Emulator, EmulatorError, EmulatorStatistics, emulated
from stratum_miner.emulators.faults import FAULTS, Fault, FaultError, parse_fault
from stratum_miner.emulators.kinds import KINDS
from stratum_miner.emulators.terminal import LinkError

__all__ = [
    "FAULTS",
    "KINDS",
    "Emulator",
    "EmulatorError",
    "EmulatorStatistics",
    "Fault",
    "FaultError",
    "LinkError",
    "emulated",
    "parse_fault",
]
