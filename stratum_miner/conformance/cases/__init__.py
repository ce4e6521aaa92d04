"""The checks, one file per topic.

The topic of shares has three files: ``shares`` (SH: shares that the pool must accept), ``refusals`` (ERR: shares that
it must refuse) and ``duplicates`` (ERR: shares that come again). To add a topic, add its file and its name here.
"""

from importlib import import_module
from typing import Final

from stratum_miner.conformance.case import CASES, Case

for file in ("framing", "handshake", "extensions", "jobs", "shares", "duplicates", "refusals", "difficulty", "load"):
    import_module(f"{__name__}.{file}")

ALL: Final[tuple[Case, ...]] = tuple(CASES.values())
"""Every check, in the order of the list: of the files, and in them of their functions."""
