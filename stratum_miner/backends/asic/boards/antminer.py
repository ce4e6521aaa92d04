"""Bitmain Antminer U1 and U2. They use the frames of Icarus devices, but their replies have five bytes and their clock
can be set (docs/reference/asic.md#antminer-u1-and-u2)."""

from stratum_miner.backends.asic.board import Board, Range, UsbPattern
from stratum_miner.backends.asic.bringup import CountChips, RampUp

_BRING_UP = (
    CountChips(0.5),
    RampUp(base=2000, step=2000),  # all clocks are below ``base``, so each is set in one step, as in other drivers
    CountChips(0.5),  # check at the new clock that the chip still answers, as cgminer does
)


_USB = (UsbPattern(vid=0x10C4, pid=0xEA60, product="Antminer"),)

ANTMINER_U1 = Board(
    kind="antminer-u1",
    product="Bitmain Antminer U1",
    chip="bm1380",
    usb=_USB,
    frequency=Range(100, 200, 250),
    hash_rate_per_mhz=8e6,  # 1.6 GH/s at 200 MHz
    bring_up=_BRING_UP,
    probe_is_certain=False,
)

ANTMINER_U2 = Board(
    kind="antminer-u2",
    product="Bitmain Antminer U2",
    chip="bm1380",
    usb=(),  # U1 and U2 have the same USB texts, so the user has to name the kind
    frequency=Range(100, 250, 300),
    hash_rate_per_mhz=8e6,
    bring_up=_BRING_UP,
    probe_is_certain=False,
)
