"""A man in the middle, and conversations on record: recorded, and played back to either side.

It knows the protocol and nothing of mining.
"""

from stratum_miner.capture.record import Capture, CaptureError, Side
from stratum_miner.capture.recorder import RecordedListener, Recorder, record_connections
from stratum_miner.capture.rules import Rule, RuleError, RuleFilter
from stratum_miner.capture.tap import Tap

__all__ = [
    "Capture",
    "CaptureError",
    "RecordedListener",
    "Recorder",
    "Rule",
    "RuleError",
    "RuleFilter",
    "Side",
    "Tap",
    "record_connections",
]
