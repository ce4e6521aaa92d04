"""What a check of the doctor returns. A check is an async function without arguments, listed in ``cli.doctor``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Severity(Enum):
    """How bad it is."""

    GOOD = "good"
    NOTE = "note"
    """Could not be found out, or worth knowing."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found out."""

    topic: str
    """The topic in one word, such as "usb"."""
    subject: str
    """What it is about, such as a port; empty for the machine."""
    verdict: Severity
    text: str
    fix: str = ""
    """A command line, or what to do, word for word."""


Check: TypeAlias = Callable[[], Awaitable[Sequence[Finding]]]
"""Finds out about one topic; changes nothing. Raises nothing that has to do with what it looks at."""
