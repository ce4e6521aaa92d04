"""Where a user's configuration, state and cache are kept, by the XDG Base Directory Specification.

Its variables count when they hold an absolute path; the specification says to ignore any other.
"""

import os
from pathlib import Path

_NAME = "stratum-miner"


def configuration() -> Path:
    """What the user writes."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state() -> Path:
    """What must outlive a restart."""
    return _folder("XDG_STATE_HOME", ".local/state")


def cache() -> Path:
    """What can be found out again."""
    return _folder("XDG_CACHE_HOME", ".cache")


def _folder(variable: str, below_home: str) -> Path:
    given = Path(os.environ.get(variable, ""))
    return (given if given.is_absolute() else Path(os.path.expanduser("~"), below_home)) / _NAME
