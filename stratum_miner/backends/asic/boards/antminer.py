"""Bitmain Antminer U1 and U2, which use Icarus frames and five-byte replies. Their clock can be set
(docs/reference/asic.md#antminer-u1-and-u2)."""

from stratum_miner.backends.asic.board import Board, Range, UsbPattern
from stratum_miner.backends.asic.bringup import CountChips, RampUp

_BRING_UP = (
    CountChips(0.5),
    RampUp(base=2000, step=2000),  # all clocks are below 2000 MHz, so each is set in one step, as other drivers do
    CountChips(0.5),  # count the chip again at the new clock, as cgminer does
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
    usb=(),  # a U2 has the same USB texts as a U1, so the user has to name the kind
    frequency=Range(100, 250, 300),
    hash_rate_per_mhz=8e6,
    bring_up=_BRING_UP,
    probe_is_certain=False,
)
