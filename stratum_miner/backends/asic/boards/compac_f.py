"""GekkoScience Compac F: one BM1397 behind an FT230X (asic.md 2.6)."""

from stratum_miner.backends.asic.boards.board import Board, Range, UsbPattern

COMPAC_F = Board(
    kind="compac-f",
    product="GekkoScience Compac F",
    chip="bm1397",
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="CompacF"),),
    frequency=Range(100, 200, 600),
    hash_rate_per_mhz=672e6,
)
