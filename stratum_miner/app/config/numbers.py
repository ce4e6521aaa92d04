"""Declares that an option which takes a number reads it as people write it: ``0,5`` is 0.5.

The type of such an option is ``float``. ``stratum_miner.written_numbers`` decides what a text means.
"""

from collections.abc import Sequence
from typing import Any

from cyclopts import Token

from stratum_miner.written_numbers import to_float


def convert(hint: Any, tokens: Sequence[Token]) -> float:
    """Convert what the command line gives for an option that takes one number. It is the ``converter`` of the
    option."""
    del hint
    return to_float(tokens[-1].value)
