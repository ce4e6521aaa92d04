"""Finds the folders of a user's configuration, state and cache by the XDG Base Directory Specification.

The environment variables of the specification, such as XDG_STATE_HOME, are used only if they contain an absolute path.
"""

import os
from pathlib import Path

_NAME = "stratum-miner"


def configuration() -> Path:
    """Return the folder for files that the user writes."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state() -> Path:
    """Return the folder for data that must survive a restart."""
    return _folder("XDG_STATE_HOME", ".local/state")


def cache() -> Path:
    """Return the folder for data that the program can compute again."""
    return _folder("XDG_CACHE_HOME", ".cache")


def _folder(variable: str, below_home: str) -> Path:
    given = Path(os.environ.get(variable, ""))
    return (given if given.is_absolute() else Path(os.path.expanduser("~"), below_home)) / _NAME
