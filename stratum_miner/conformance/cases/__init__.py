"""The checks, one file for each topic.

The topic ``shares`` has three files: ``shares`` (SH: valid shares), ``refusals`` (ERR: faulty shares) and
``duplicates`` (ERR: repeated shares). To add a topic, add a file for it, and add the name of the file to the loop
below.
"""

from importlib import import_module
from typing import Final

from stratum_miner.conformance.case import CASES, Case

for file in ("framing", "handshake", "extensions", "jobs", "shares", "duplicates", "refusals", "difficulty", "load"):
    import_module(f"{__name__}.{file}")

ALL: Final[tuple[Case, ...]] = tuple(CASES.values())
"""All checks. Their order is that of the imported files, and of the functions in each file."""
