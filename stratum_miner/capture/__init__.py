"""Faults by name, a man in the middle, and conversations on record: recorded, and played back to either side.

It knows the protocol and nothing of mining: what needs a hash takes a good share from its caller.
"""

from stratum_miner.capture.record import Capture, CaptureError, Side
from stratum_miner.capture.recorder import RecordedListener, Recorder, record_connections
from stratum_miner.capture.rules import Rule, RuleError, RuleFilter
from stratum_miner.capture.share_faults import SHARE_FAULTS, FaultNotPossible, GoodShare, ShareFault, share_fault
from stratum_miner.capture.tap import Tap
from stratum_miner.capture.wire_faults import WIRE_FAULTS, WireFault, forged_subscribe, wire_fault

__all__ = [
    "SHARE_FAULTS",
    "WIRE_FAULTS",
    "Capture",
    "CaptureError",
    "FaultNotPossible",
    "GoodShare",
    "RecordedListener",
    "Recorder",
    "Rule",
    "RuleError",
    "RuleFilter",
    "ShareFault",
    "Side",
    "Tap",
    "WireFault",
    "forged_subscribe",
    "record_connections",
    "share_fault",
    "wire_fault",
]
