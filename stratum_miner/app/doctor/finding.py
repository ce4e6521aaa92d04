"""The result of a check of the doctor. A check is an async function without arguments, listed in ``cli.doctor``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Severity(Enum):
    """How serious a finding is."""

    GOOD = "good"
    NOTE = "note"
    """The finding is useful to know but needs no action, or the check could not get a result."""
    PROBLEM = "problem"
    """The computer cannot mine, or cannot do what the user has configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a check."""

    topic: str
    """The topic in one word, such as "usb"."""
    subject: str
    """What the finding is about, such as a port; empty for the whole computer."""
    verdict: Severity
    text: str
    fix: str = ""
    """A command line to enter, or an instruction; empty if nothing is to be done."""


Check: TypeAlias = Callable[[], Awaitable[Sequence[Finding]]]
"""A function that examines one topic and changes nothing. A problem is part of its findings, never an exception."""
