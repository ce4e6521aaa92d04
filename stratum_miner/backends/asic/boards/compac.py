"""GekkoScience Compac and 2Pac: BM1384 behind a CP2102 (asic.md 2.4)."""

from stratum_miner.backends.asic.boards.board import Board, Range, UsbPattern

_CORES = 55

COMPAC = Board(
    kind="compac",
    product="GekkoScience Compac",
    chip="bm1384",
    usb=(UsbPattern(vid=0x10C4, pid=0xEA60, manufacturer="bitshopperde|GekkoScience", product=r"\bCompac BM1384"),),
    frequency=Range(25, 150, 400),
    hash_rate_per_mhz=_CORES * 1e6,
)

TWO_PAC = Board(
    kind="2pac",
    product="GekkoScience 2Pac",
    chip="bm1384",
    chips=2,
    usb=(UsbPattern(vid=0x10C4, pid=0xEA60, manufacturer="bitshopperde|GekkoScience", product=r"\b2Pac BM1384"),),
    frequency=Range(25, 100, 400),
    hash_rate_per_mhz=2 * _CORES * 1e6,
)
