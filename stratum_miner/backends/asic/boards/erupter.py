"""ASICMINER Block Erupter USB and other devices with the Icarus protocol
(docs/reference/asic.md#icarus-and-block-erupter)."""

from stratum_miner.backends.asic.board import Board, UsbPattern
from stratum_miner.backends.asic.bringup import CountChips, CountEngines

ERUPTER = Board(
    kind="erupter",
    product="ASICMINER Block Erupter USB",
    chip="icarus",
    marking="BE100",
    usb=(UsbPattern(vid=0x10C4, pid=0xEA60, product="Block.*Erupter"),),
    bring_up=(CountChips(0.5),),
    fixed_hash_rate=336e6,  # from 2.9761 ns per hash, as in cgminer and bfgminer; the product is sold as 333 MH/s
    probe_is_certain=False,
)

ICARUS = Board(
    kind="icarus",
    product="Icarus and compatible FPGA boards",
    chip="icarus",
    marking="",
    chips=2,
    bare_bridges=("0403:6001", "0403:6014", "0403:8350", "067b:2303"),
    stops_at_nonce=True,
    bring_up=(CountChips(0.5), CountEngines()),
    fixed_hash_rate=380e6,
    probe_is_certain=False,
)
