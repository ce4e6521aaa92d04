"""Options of backends, from the strings of a command line to values; every complaint names option, wish and value."""

import re
from collections.abc import Iterable, Mapping

from stratum_miner.backends.base import BackendOptionError
from stratum_miner.quantities import parse_hash_rate
from stratum_miner.spelling import did_you_mean


def check_known(backend: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """BackendOptionError for the first option that the backend does not have, with the nearest spelling."""
    names = sorted(known)
    for name in options:
        if name not in names:
            hint = did_you_mean(name, names, f"; it has {', '.join(names) or 'none'}")
            raise BackendOptionError(f"backend {backend}: unknown option {name!r}{hint}")


def integer(options: Mapping[str, str], name: str, low: int, high: int | None) -> int | None:
    """A whole number between bounds, ``high`` None for no upper one; None when the option is absent."""
    text = options.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or (high is not None and value > high):
        bounds = f"from {low} on" if high is None else f"from {low} to {high}"
        raise BackendOptionError(f"{name}: expected a whole number {bounds}, got {text!r}")
    return value


def hash_rate(options: Mapping[str, str], name: str) -> float | None:
    """Hashes per second, as 1000000, 1MH, 2.5 GH/s; None when the option is absent."""
    text = options.get(name)
    if text is None:
        return None
    try:
        return parse_hash_rate(text)
    except ValueError as error:
        raise BackendOptionError(f"{name}: {error}") from None


def one_of(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    """One of a few words; None when the option is absent."""
    text = options.get(name)
    if text is not None and text not in choices:
        raise BackendOptionError(f"{name}: expected {' or '.join(choices)}, got {text!r}{did_you_mean(text, choices)}")
    return text


def integers(options: Mapping[str, str], name: str) -> tuple[int, ...] | None:
    """Numbers and ranges, as 0,2,4-7; None when the option is absent."""
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
