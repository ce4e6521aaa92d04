"""Faults by name, a man in the middle, and conversations on record: recorded, and played back to either side.

It knows the protocol and nothing of mining: what needs a hash takes a good share from its caller.
"""

from stratum_miner.capture.share_faults import SHARE_FAULTS, FaultNotPossible, GoodShare, ShareFault, share_fault
from stratum_miner.capture.wire_faults import WIRE_FAULTS, WireFault, forged_subscribe, wire_fault

__all__ = [
    "SHARE_FAULTS",
    "WIRE_FAULTS",
    "FaultNotPossible",
    "GoodShare",
    "ShareFault",
    "WireFault",
    "forged_subscribe",
    "share_fault",
    "wire_fault",
]
