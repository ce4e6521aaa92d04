"""GekkoScience NewPac and R606: chains of BM1387 chips behind an FT230X USB bridge
(docs/reference/asic.md#newpac-and-r606)."""

from stratum_miner.backends.asic.board import Board, Range, UsbPattern
from stratum_miner.backends.asic.bringup import (
    AssignAddresses,
    CountChips,
    Deactivate,
    OpenCores,
    RampUp,
    Reset,
    SwitchBaud,
    VerifyClock,
    Write,
)

_BAUD = 0x1C
_BRING_UP = (
    Reset(hold=0.03, wait=0.2),
    CountChips(1.0),
    Deactivate(times=3, pause=0.005),
    AssignAddresses(pause=0.005),
    # the chip then sends at exactly 1.5625 MBd. This computer uses a rate that is 4 % lower, which does no harm
    SwitchBaud(_BAUD, 0x00200100, host_baud=1_500_000, back=0x00201A00),
    Write(_BAUD, 0x40208180, pause=0.01),  # other drivers call this value "gate block"
    OpenCores(116),
    RampUp(base=100, step=25),
    VerifyClock(),
)


_CORES = 114

NEWPAC = Board(
    kind="newpac",
    product="GekkoScience NewPac",
    chip="bm1387",
    chips=2,
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="NewPac"),),
    frequency=Range(50, 100, 600),
    bring_up=_BRING_UP,
    hash_rate_per_mhz=2 * _CORES * 1e6,
)

R606 = Board(
    kind="r606",
    product="GekkoScience R606",
    chip="bm1387",
    chips=12,
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="R606"),),
    frequency=Range(50, 550, 800),
    bring_up=_BRING_UP,
    hash_rate_per_mhz=12 * _CORES * 1e6,
)
