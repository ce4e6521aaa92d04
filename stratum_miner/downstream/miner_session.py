"""What the sessions of a pool and those of a proxy have in common."""

import re

from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.fields import difficulty as difficulty_field

RATE_WINDOW = 300.0
"""Seconds over which a session's hash rate is estimated."""


RATE_RESOLUTION = 10.0
"""Seconds between the samples kept for that: some 30, 4 kB a session."""


_PASSWORD_DIFFICULTY = re.compile(r"(?:^|[,;\s])(?:d|diff)=([0-9.eE+-]{1,40})(?=$|[,;\s])")


def password_difficulty(password: str) -> float | None:
    """The difficulty a password asks for, as in ``x,d=64`` or ``diff=0.5``; None when it names none that is sane."""
    match = _PASSWORD_DIFFICULTY.search(password)
    if match is None:
        return None
    try:
        return difficulty_field(match[1], "password difficulty")
    except FieldError:
        return None
