"""Parses settings of the form ``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE``, and fractions such as ``5%``."""

import math
import re
from collections.abc import Iterable, Mapping

from stratum_miner.spelling import did_you_mean
from stratum_miner.written_numbers import AmbiguousNumberError, to_float

MOST_LISTED = 12
"""An error about an unknown name lists the known names if there are at most this many. If there are more, the error
suggests the known name that is most similar to the unknown name. It then lists all of them only if none is similar
enough."""


class SpecError(ValueError):
    """A setting is misspelled or out of range. The message says what was expected. If a name is unknown, it suggests
    the most similar name."""


def parse(text: str, what: str, known: Mapping[str, Mapping[str, float]]) -> tuple[str, dict[str, float]]:
    """Parse ``text`` and return its name and its settings.

    ``known`` contains the valid names, each with its settings and their default values. Defaults are returned for the
    settings that ``text`` does not give. ``what`` says in errors what the text configures. Raises SpecError if a name,
    a key or a number is not valid.
    """
    name, colon, rest = text.strip().partition(":")
    defaults = known[check_known(name, known, what)]
    values = dict(defaults)
    for part in rest.split(",") if colon else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise SpecError(f"{what}: expected {name}:KEY=VALUE with {_listed(defaults)}, got {text!r}")
        known_key = check_known(key.strip(), defaults, f"{what} {name}")
        values[known_key] = number(value, f"{what} {name} {known_key}")
    return name, values


def check_known(word: str, known: Iterable[str], what: str) -> str:
    """Return ``word`` if it is known. Raises SpecError with the most similar known word if it is not."""
    names = list(known)
    if word in names:
        return word
    hint = did_you_mean(word, names)
    wanted = "a known name" if hint and len(names) > MOST_LISTED else _listed(names)
    raise SpecError(f"{what}: expected {wanted}, got {word!r}{hint}")


def number(text: str, what: str) -> float:
    """Parse a finite number that is not negative. Raises SpecError if ``text`` is not such a number."""
    try:
        value = to_float(text)
    except AmbiguousNumberError as error:
        raise SpecError(f"{what}: {error}") from None
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise SpecError(f"{what}: expected a number from 0, got {text.strip()!r}")
    return value


def fraction(text: str, what: str) -> float:
    """Parse a fraction from 0 to 1, written as ``5%`` or ``0.05``. Raises SpecError if ``text`` is not such a
    fraction."""
    match = re.fullmatch(r"\s*([0-9.,]+)\s*(%?)\s*", text)
    value = number(match[1], what) / (100 if match[2] else 1) if match else math.nan
    if not 0 <= value <= 1:
        raise SpecError(f"{what}: expected a fraction from 0 to 1, as in 0.05 or 5%, got {text.strip()!r}")
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no settings"
