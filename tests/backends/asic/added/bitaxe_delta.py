"""A board that does not exist, in the file that a new board takes. Only its chip distinguishes it from other
Bitaxes."""

from stratum_miner.backends.asic.board import Board, Port, Range, TemperatureLimits, UsbPattern
from stratum_miner.backends.asic.boards.bitaxe import BITAXE_GAMMA
from stratum_miner.backends.asic.boards.bitaxe_power import BitaxePower

BITAXE_DELTA = Board(
    kind="bitaxe-delta",
    product="Bitaxe Delta",
    chip="bm1371",
    usb=(UsbPattern(vid=0xC0DE, pid=0xCAFE, manufacturer="OSMU", product=r"^Bitaxe$"),),
    ports=(Port("control", 0), Port("data", 1)),
    frequency=Range(50, 525, 625),
    voltage=Range(1.0, 1.15, 1.25),
    temperature=TemperatureLimits(warn=65, throttle=70, cut_off=75, resume=45),
    power=lambda transports: BitaxePower(transports["control"]),
    hash_rate_per_mhz=2040e6,
    bring_up=BITAXE_GAMMA.bring_up,
)
