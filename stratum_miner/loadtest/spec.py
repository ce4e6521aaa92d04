"""``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE`` as people write it: one choice among several, with numbers to it."""

import math
import re
from collections.abc import Iterable, Mapping

from stratum_miner.spelling import did_you_mean

MOST_LISTED = 12
"""Names that are all listed although there is a guess."""


class SpecError(ValueError):
    """The user's mistake: what was expected, what came, and the nearest spelling."""


def parse(text: str, what: str, known: Mapping[str, Mapping[str, float]]) -> tuple[str, dict[str, float]]:
    """The name and all its numbers, the defaults of ``known`` filled in. SpecError names what is wrong."""
    name, colon, rest = text.strip().partition(":")
    defaults = known[check_known(name, known, what)]
    values = dict(defaults)
    for part in rest.split(",") if colon else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise SpecError(f"{what}: expected {name}:KEY=VALUE with {_listed(defaults)}, got {text!r}")
        known_key = check_known(key.strip(), defaults, f"{what} {name}")  # before it is repeated in a complaint
        values[known_key] = number(value, f"{what} {name} {known_key}")
    return name, values


def check_known(word: str, known: Iterable[str], what: str) -> str:
    """The word, when it is known. SpecError with the nearest one otherwise."""
    names = list(known)
    if word in names:
        return word
    hint = did_you_mean(word, names)
    wanted = "a known name" if hint and len(names) > MOST_LISTED else _listed(names)
    raise SpecError(f"{what}: expected {wanted}, got {word!r}{hint}")


def number(text: str, what: str) -> float:
    """A finite number from zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise SpecError(f"{what}: expected a number from 0, got {text.strip()!r}")
    return value


def share(text: str, what: str) -> float:
    """``5%`` or ``0.05``: a part of a whole."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*(%?)\s*", text)
    value = number(match[1], what) / (100 if match[2] else 1) if match else math.nan
    if not 0 <= value <= 1:
        raise SpecError(f"{what}: expected a share from 0 to 1, as in 0.05 or 5%, got {text.strip()!r}")
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no settings"
