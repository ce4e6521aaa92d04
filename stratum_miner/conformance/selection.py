"""Which checks to run: ids, addresses, topics, levels and globs of them, with the nearest spelling for a typo."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from stratum_miner.conformance.case import Case
from stratum_miner.spelling import nearest


class SelectionError(ValueError):
    """A pattern that names no check; the message has the nearest spelling."""


def select(cases: Sequence[Case], only: Iterable[str] = (), skip: Iterable[str] = ()) -> list[Case]:
    """The checks that a pattern of ``only`` names (all, without any) and none of ``skip``, in their order."""
    wanted = _named(cases, only, "--only")
    unwanted = _named(cases, skip, "--skip") or set()
    return [case for case in cases if (wanted is None or case.id in wanted) and case.id not in unwanted]


def _named(cases: Sequence[Case], patterns: Iterable[str], option: str) -> set[str] | None:
    named: set[str] | None = None
    for pattern in patterns:
        found = {case.id for case in cases if _matches(case, pattern)}
        if not found:
            raise SelectionError(f"{option}: no check is named {pattern!r}{_hint(cases, pattern)}")
        named = (named or set()) | found
    return named


def _matches(case: Case, pattern: str) -> bool:
    names = (case.id, case.address, case.topic, case.level.value)
    return any(fnmatchcase(name.lower(), pattern.strip("/").lower()) for name in names)


def _hint(cases: Sequence[Case], pattern: str) -> str:
    names = [name for case in cases for name in (case.id, case.address)]
    name = nearest(pattern, [*names, *{case.topic: None for case in cases}], 0.5)
    return "; --list shows them all" if name is None else f": did you mean {name}?"
