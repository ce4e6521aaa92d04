"""Emulated mining devices on pseudo-terminals, byte for byte, hashing for real: fixtures for anybody's drivers.

Written from the devices' documentation alone; shares nothing with our drivers, so that each is a witness of the other.
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
