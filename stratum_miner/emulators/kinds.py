"""The devices that can be emulated: a name, what it stands for, and what plays it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stratum_miner.emulators.antminer import AntminerU1Device
from stratum_miner.emulators.bitaxe import GammaDevice, SupraDevice, UltraDevice
from stratum_miner.emulators.bm1384 import Bm1384Device, TwoPacDevice
from stratum_miner.emulators.compac_a1 import CompacA1Device
from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.icarus import ErupterDevice, IcarusDevice
from stratum_miner.emulators.midstate_chips import Bm1387Device, Bm1397Device, R606Device
from stratum_miner.emulators.model import Device, Settings
from stratum_miner.emulators.sweep import Searcher


@dataclass(frozen=True, slots=True)
class Kind:
    """A product."""

    name: str
    product: str
    make: Callable[[Settings, Faults, Searcher, float], Device]
    real_hash_rate: float
    """H/s at its usual clock."""
    chips: int = 1
    """Or engines, as it is sold."""
    chip_counts: tuple[int, ...] = (1,)
    """What it may have."""
    ports: tuple[str, ...] = ("",)
    has_checksums: bool = False
    """Whether its reports of nonces carry one."""
    has_sensor: bool = False
    """Whether the host can see how hot it is."""


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("icarus", "Icarus, two FPGAs", IcarusDevice, IcarusDevice.real_hash_rate, 2, (1, 2, 4, 8)),
        Kind("erupter", "ASICMINER Block Erupter USB", ErupterDevice, ErupterDevice.real_hash_rate),
        Kind("antminer-u1", "Antminer U1", AntminerU1Device, AntminerU1Device.real_hash_rate),
        Kind("compac", "GekkoScience Compac, BM1384", Bm1384Device, 55 * 150e6, 1, (1,)),
        Kind("2pac", "GekkoScience 2Pac, two BM1384", TwoPacDevice, 2 * 55 * 100e6, 2, (1, 2)),
        Kind("newpac", "GekkoScience NewPac, two BM1387", Bm1387Device, 2 * 114 * 100e6, 2, (1, 2), has_checksums=True),
        Kind(
            "r606",
            "GekkoScience R606, twelve BM1387",
            R606Device,
            12 * 114 * 550e6,
            12,
            tuple(range(1, 13)),
            has_checksums=True,
        ),
        Kind(
            "compac-f",
            "GekkoScience Compac F, BM1397",
            Bm1397Device,
            672 * 200e6,
            1,
            tuple(range(1, 7)),
            has_checksums=True,
        ),
        Kind(
            "compac-a1",
            "GekkoScience Compac A1, BM1362",
            CompacA1Device,
            CompacA1Device.units * 300e6,
            ports=CompacA1Device.ports,
            has_checksums=True,
            has_sensor=True,
        ),
        Kind(
            "bitaxe-gamma",
            "Bitaxe Gamma, BM1370",
            GammaDevice,
            GammaDevice.units * 525e6,
            ports=GammaDevice.ports,
            has_checksums=True,
            has_sensor=True,
        ),
        Kind(
            "bitaxe-supra",
            "Bitaxe Supra, BM1368",
            SupraDevice,
            SupraDevice.units * 490e6,
            ports=SupraDevice.ports,
            has_checksums=True,
            has_sensor=True,
        ),
        Kind(
            "bitaxe-ultra",
            "Bitaxe Ultra, BM1366",
            UltraDevice,
            UltraDevice.units * 485e6,
            ports=UltraDevice.ports,
            has_checksums=True,
            has_sensor=True,
        ),
    )
}
