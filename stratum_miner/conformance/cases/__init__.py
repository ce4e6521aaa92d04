"""The checks, one file for each topic.

The topic ``shares`` has three files: ``shares`` (SH: valid shares), ``refusals`` (ERR: faulty shares) and
``duplicates`` (ERR: repeated shares). To add a topic, add its file and the name of the file below.
"""

from importlib import import_module
from typing import Final

from stratum_miner.conformance.case import CASES, Case

for file in ("framing", "handshake", "extensions", "jobs", "shares", "duplicates", "refusals", "difficulty", "load"):
    import_module(f"{__name__}.{file}")

ALL: Final[tuple[Case, ...]] = tuple(CASES.values())
"""All checks, in the order of the files above and of the functions in them."""
