"""Emulated mining devices on pseudo-terminals, byte for byte and with real hashing, for testing any driver.

They are written from the documentation of the devices alone and share no code with the drivers of this package, so that
a mistake in one of the two shows when they are tested against each other.
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
