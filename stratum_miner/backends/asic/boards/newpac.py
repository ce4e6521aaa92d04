"""GekkoScience NewPac and R606: chains of BM1387 behind an FT230X (asic.md 2.5)."""

from stratum_miner.backends.asic.boards.board import Board, Range, UsbPattern

_CORES = 114

NEWPAC = Board(
    kind="newpac",
    product="GekkoScience NewPac",
    chip="bm1387",
    chips=2,
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="NewPac"),),
    frequency=Range(50, 100, 600),
    hash_rate_per_mhz=2 * _CORES * 1e6,
)

R606 = Board(
    kind="r606",
    product="GekkoScience R606",
    chip="bm1387",
    chips=12,
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="R606"),),
    frequency=Range(50, 550, 800),
    hash_rate_per_mhz=12 * _CORES * 1e6,
)
