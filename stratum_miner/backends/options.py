"""Converts backend options from strings to values. Every error names the option, what was expected and what was
given."""

import re
from collections.abc import Iterable, Mapping

from stratum_miner.backends.base import BackendOptionError
from stratum_miner.quantities import parse_hash_rate
from stratum_miner.spelling import did_you_mean


def check_known(backend: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise BackendOptionError for the first option that the backend does not have. The error suggests the most similar
    name."""
    names = sorted(known)
    for name in options:
        if name not in names:
            hint = did_you_mean(name, names, f"; it has {', '.join(names) or 'none'}")
            raise BackendOptionError(f"backend {backend}: unknown option {name!r}{hint}")


def integer(options: Mapping[str, str], name: str, low: int, high: int | None) -> int | None:
    """Return an integer from ``low`` to ``high`` (None for no upper limit); None if the option is absent.

    Raises BackendOptionError for any other text.
    """
    text = options.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise BackendOptionError(f"{name}: expected an integer {bounds}, got {text!r}")
    return value


def hash_rate(options: Mapping[str, str], name: str) -> float | None:
    """Return a hash rate in H/s from a text such as 1000000, 1MH or 2.5 GH/s; None if the option is absent.

    Raises BackendOptionError for any other text.
    """
    text = options.get(name)
    if text is None:
        return None
    try:
        return parse_hash_rate(text)
    except ValueError as error:
        raise BackendOptionError(f"{name}: {error}") from None


def one_of(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    """Return one of the words in ``choices``; None if the option is absent. Raises BackendOptionError for a word that
    is not in ``choices``."""
    text = options.get(name)
    if text is not None and text not in choices:
        raise BackendOptionError(f"{name}: expected {' or '.join(choices)}, got {text!r}{did_you_mean(text, choices)}")
    return text


def integers(options: Mapping[str, str], name: str) -> tuple[int, ...] | None:
    """Return the numbers of a text such as 0,2,4-7, in the order of the text and without duplicates; None if the option
    is absent.

    Raises BackendOptionError for any other text.
    """
    text = options.get(name)
    if text is None:
        return None
    values: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part)
        if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
            raise BackendOptionError(f"{name}: expected numbers such as 0,2 or 4-7, got {text!r}")
        values.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(dict.fromkeys(values))
