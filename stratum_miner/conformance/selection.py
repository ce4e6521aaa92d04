"""Selects checks by id, address, topic or level. Patterns may contain wildcards, and errors suggest the most similar
name."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from stratum_miner.conformance.case import Case
from stratum_miner.spelling import nearest


class SelectionError(ValueError):
    """A pattern matches no check. The message suggests the most similar name, if there is one."""


def select(cases: Sequence[Case], only: Iterable[str] = (), skip: Iterable[str] = ()) -> list[Case]:
    """Return the checks that match a pattern of ``only`` and no pattern of ``skip``, in the order of ``cases``.

    A pattern is an id (``ERR-07``), an address (``shares/ERR-07``), a topic (``framing``), a level (``MUST``), or one
    of these with wildcards (``VD-*``). Upper and lower case make no difference. If ``only`` is empty, all checks are
    selected except those that ``skip`` matches.

    Raises SelectionError if a pattern matches no check.
    """
    wanted = _named(cases, only, "--only")
    unwanted = _named(cases, skip, "--skip") or set()
    return [case for case in cases if (wanted is None or case.id in wanted) and case.id not in unwanted]


def _named(cases: Sequence[Case], patterns: Iterable[str], option: str) -> set[str] | None:
    named: set[str] | None = None
    for pattern in patterns:
        found = {case.id for case in cases if _matches(case, pattern)}
        if not found:
            raise SelectionError(f"{option}: no check is named {pattern!r}{hint(cases, pattern)}")
        named = (named or set()) | found
    return named


def _matches(case: Case, pattern: str) -> bool:
    names = (case.id, case.address, case.topic, case.level.value)
    return any(fnmatchcase(name.lower(), pattern.strip("/").lower()) for name in names)


def hint(cases: Sequence[Case], pattern: str) -> str:
    """Return a clause that suggests the check or topic with the most similar name, for the end of an error message."""
    names = [name for case in cases for name in (case.id, case.address)]
    name = nearest(pattern, [*names, *{case.topic: None for case in cases}], 0.5)
    return ". --list shows all checks" if name is None else f": did you mean {name}?"
