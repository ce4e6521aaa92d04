"""Declares options and keys that take a time, such as ``--time-limit 1h30m``.

The value of such an option is a ``float``, in seconds. On the command line, in a variable and as a string in a file, it
is read by ``quantities.parse_duration``. In a file it may also be a number of seconds.
"""

from collections.abc import Sequence
from typing import Any, get_origin

from cyclopts import Parameter, Token

from stratum_miner.quantities import duration_spelling, parse_duration

WORDS = "a time such as 90s or 1h30m, or a number of seconds"
"""What a key that takes a time expects, for errors and the documentation."""


def convert(hint: Any, tokens: Sequence[Token]) -> float | list[float]:
    """Convert what the command line gives for an option that takes one time, or a list of times."""
    values = [parse_duration(token.value) for token in tokens]
    return values if get_origin(hint) is list else values[-1]


def duration_option(name: str, help_text: str, group: str | None = None) -> Parameter:
    """Return the declaration of an option that takes a time. The type of the option is ``float``, in seconds, or a list
    of these."""
    declared = Parameter(
        name=name, help=help_text, negative=(), metavar="TIME", converter=convert, show_default=_default
    )
    # A group of None would take the option out of the help.
    return declared if group is None else Parameter.combine(declared, Parameter(group=group))


def _default(seconds: float | None) -> Any:
    """Return the text that the help shows as the default. If ``seconds`` is None, return None: the help then shows no
    default."""
    return None if seconds is None else duration_spelling(seconds)
