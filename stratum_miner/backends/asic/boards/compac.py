"""GekkoScience Compac and 2Pac: BM1384 chips behind a CP2102 USB bridge (docs/reference/asic.md#compac-and-2pac)."""

from stratum_miner.backends.asic.board import Board, Range, UsbPattern
from stratum_miner.backends.asic.bringup import AssignAddresses, CountChips, Deactivate, OpenCores, RampUp, VerifyClock

_BRING_UP = (
    CountChips(1.0),
    Deactivate(pause=0.01),
    AssignAddresses(pause=0.01),
    RampUp(base=150, step=25),  # a clock of at most 150 MHz is set in one step, as in the maker's driver
    VerifyClock(),
    OpenCores(57),
)


_CORES = 55

COMPAC = Board(
    kind="compac",
    product="GekkoScience Compac",
    chip="bm1384",
    usb=(UsbPattern(vid=0x10C4, pid=0xEA60, manufacturer="bitshopperde|GekkoScience", product=r"\bCompac BM1384"),),
    frequency=Range(25, 150, 400),
    bring_up=_BRING_UP,
    hash_rate_per_mhz=_CORES * 1e6,
)

TWO_PAC = Board(
    kind="2pac",
    product="GekkoScience 2Pac",
    chip="bm1384",
    chips=2,
    usb=(UsbPattern(vid=0x10C4, pid=0xEA60, manufacturer="bitshopperde|GekkoScience", product=r"\b2Pac BM1384"),),
    frequency=Range(25, 100, 400),
    bring_up=_BRING_UP,
    hash_rate_per_mhz=2 * _CORES * 1e6,
)
