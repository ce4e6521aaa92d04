"""The devices that can be emulated. To add a device, add its ``DeviceKind`` to the table."""

from typing import Final

from stratum_miner.emulators.antminer import ANTMINER_U1
from stratum_miner.emulators.bitaxe import BITAXE_GAMMA, BITAXE_SUPRA, BITAXE_ULTRA
from stratum_miner.emulators.bm1384 import COMPAC, TWO_PAC
from stratum_miner.emulators.compac_a1 import COMPAC_A1
from stratum_miner.emulators.icarus import ERUPTER, ICARUS
from stratum_miner.emulators.kind import DeviceKind
from stratum_miner.emulators.midstate_chips import COMPAC_F, NEWPAC, R606

KINDS: Final[dict[str, DeviceKind]] = {
    kind.name: kind
    for kind in (
        ICARUS,
        ERUPTER,
        ANTMINER_U1,
        COMPAC,
        TWO_PAC,
        NEWPAC,
        R606,
        COMPAC_F,
        COMPAC_A1,
        BITAXE_GAMMA,
        BITAXE_SUPRA,
        BITAXE_ULTRA,
    )
}
"""The products that can be emulated, by name, such as "erupter"."""
