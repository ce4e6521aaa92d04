"""GekkoScience Compac A1: one BM1362 behind a CP2105, whose second port tells temperatures (asic.md 2.7)."""

from stratum_miner.backends.asic.boards.board import Board, Port, Range, TemperatureLimits, UsbPattern

COMPAC_A1 = Board(
    kind="compac-a1",
    product="GekkoScience Compac A1",
    chip="bm1362",
    usb=(UsbPattern(vid=0x10C4, pid=0xEA70, product=r"GekkoScience Compac A1"),),
    ports=(Port("data", 0), Port("telemetry", 1, required=False)),
    frequency=Range(100, 400, 600),
    voltage=Range(0.28, 0.36, 0.5),
    temperature=TemperatureLimits(warn=85, throttle=95, cut_off=105, resume=45),
    hash_rate_per_mhz=512e6,
)
