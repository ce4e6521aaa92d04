"""Puts the errors of the option parser into one sentence: what was expected, what was given instead, and for which
option."""

from typing import Literal, get_args, get_origin

import cyclopts

from stratum_miner.cli.parser.arguments import purpose_of
from stratum_miner.cli.parser.page import label_of, type_of_value
from stratum_miner.spelling import did_you_mean

KINDS = {int: "an integer", float: "a number", bool: "true or false"}


def sentence_of(error: cyclopts.CycloptsError) -> str:
    """Return the sentence of an error."""
    argument = error.argument
    if isinstance(error, cyclopts.MissingArgumentError) and argument is not None:
        kind = type_of_value(argument.hint)
        listed = f" ({_either(list(map(str, get_args(kind))))})" if get_origin(kind) is Literal else ""
        return f"{label_of(argument)} is needed: {purpose_of(argument)}{listed}"
    if isinstance(error, cyclopts.RepeatArgumentError):
        return f"{error.token.keyword}: expected this option once, got it several times"
    if isinstance(error, cyclopts.CoercionError) and argument is not None and error.token is not None:
        name = error.token.keyword or label_of(argument)
        value = error.token.value
        if error.msg is not None:
            return f"{name}: {error.msg}"
        kind = type_of_value(argument.hint)
        if get_origin(kind) is Literal:
            choices = [str(choice) for choice in get_args(kind)]
            return f"{name}: expected {_either(choices)}, got {value!r}{did_you_mean(value, choices)}"
        return f"{name}: expected {KINDS.get(kind, 'a value of another form')}, got {value!r}"
    if isinstance(error, cyclopts.UnusedCliTokensError):
        return f"expected only options, got {', '.join(map(repr, error.unused_tokens or ()))} as well"
    return str(error)


def _either(choices: list[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last
