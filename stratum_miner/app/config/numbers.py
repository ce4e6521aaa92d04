"""Converts numbers on the command line as people write them: ``0,5`` is 0.5.

``stratum_miner.written_numbers`` decides what a text means. A text with two meanings, such as ``1,000``, is refused.
"""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

import cyclopts
from cyclopts import Token

from stratum_miner.written_numbers import to_float, to_int


def convert(hint: Any, tokens: Sequence[Token]) -> Any:
    """Convert what the command line gives for one option. It is the converter of every option that has no other.

    ``hint`` is the type of the option. Anything that is not a number or a list of numbers is left to cyclopts.
    """
    kind = get_args(hint)[0] if get_origin(hint) is list else hint
    read = {int: to_int, float: to_float}.get(kind)
    if read is None:
        return cyclopts.convert(hint, tokens)
    values = [read(token.value) for token in tokens]
    return values if kind is not hint else values[-1]
