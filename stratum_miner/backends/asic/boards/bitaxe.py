"""Bitaxe Gamma, Supra and Ultra through the bitaxe-raw firmware: one chip, its power in our hands (asic.md 5)."""

from stratum_miner.backends.asic.boards.board import Board, Port, Range, TemperatureLimits, UsbPattern

_USB = (UsbPattern(vid=0xC0DE, pid=0xCAFE, manufacturer="OSMU", product=r"^Bitaxe$"),)
_PORTS = (Port("control", 0), Port("data", 1))
_TEMPERATURE = TemperatureLimits(warn=65, throttle=70, cut_off=75, resume=45)  # ESP-Miner trips above 75 (asic.md 5.7)

BITAXE_GAMMA = Board(
    kind="bitaxe-gamma",
    product="Bitaxe Gamma",
    chip="bm1370",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 525, 625),
    voltage=Range(1.0, 1.15, 1.25),
    temperature=_TEMPERATURE,
    hash_rate_per_mhz=2040e6,
)

BITAXE_SUPRA = Board(
    kind="bitaxe-supra",
    product="Bitaxe Supra",
    chip="bm1368",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 490, 575),
    voltage=Range(1.0, 1.166, 1.3),
    temperature=_TEMPERATURE,
    hash_rate_per_mhz=1276e6,
)

BITAXE_ULTRA = Board(
    kind="bitaxe-ultra",
    product="Bitaxe Ultra",
    chip="bm1366",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 485, 575),
    voltage=Range(1.0, 1.2, 1.3),
    temperature=_TEMPERATURE,
    hash_rate_per_mhz=894e6,
)
