"""Known deviations: checks that a pool is known to fail, with the reasons, in a TOML file.

[checks."ERR-16"]
reason = "Firmware of our miners sends nonces of 10 digits."
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stratum_miner.conformance.case import CASES, Level
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.selection import hint
from stratum_miner.conformance.verify import Result
from stratum_miner.user_files import UserFileError, parse_toml, read_text

MAX_BYTES = 1 << 20
"""Maximum size of the file."""
MAX_REASON = 1000
"""Maximum number of characters of a reason."""


def read_deviations(path: Path) -> dict[str, str]:
    """Return the reasons for all known deviations of a file, by the ids of the checks.

    Raises OSError if the file cannot be read, and UserFileError if its content is wrong.
    """
    tables = parse_toml(read_text(path, MAX_BYTES))
    for key in tables:
        if key != "checks":
            raise UserFileError(f'expected tables such as [checks."ERR-16"], got the key {key!r}')
    checks = tables.get("checks", {})
    if not isinstance(checks, dict):
        raise UserFileError(f'checks: expected tables such as [checks."ERR-16"], got {_kind(checks)}')
    return {identifier: _reason(identifier, entry) for identifier, entry in checks.items()}


def _reason(identifier: str, entry: object) -> str:
    where = f'checks."{identifier}"'
    case = CASES.get(identifier)
    if case is None:
        raise UserFileError(f"{where}: no check has this id{hint(list(CASES.values()), identifier)}")
    if case.level is Level.INFO:
        raise UserFileError(f"{where}: this check only records what the pool does, so it cannot fail")
    reason = entry.get("reason") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(reason, str) or not reason.strip():
        raise UserFileError(f'{where}: expected reason = "why the pool deviates"')
    if len(reason) > MAX_REASON:
        raise UserFileError(f"{where}: expected a reason of at most {MAX_REASON} characters, got {len(reason)}")
    unknown = sorted(set(entry) - {"reason"})
    if unknown:
        raise UserFileError(f"{where}: expected only the key reason, got {unknown[0]!r}, too")
    return reason


def _kind(value: object) -> str:
    return {str: "a string", list: "an array", bool: "a boolean"}.get(type(value), "a number")


def mark_known(results: Sequence[Result], deviations: Mapping[str, str]) -> list[Result]:
    """Return the results with the reason for each known deviation that the run has shown."""
    return [
        replace(each, known_deviation=deviations.get(each.case.id, "") if each.verdict is Verdict.FAILED else "")
        for each in results
    ]


def gone(results: Sequence[Result], deviations: Mapping[str, str]) -> list[str]:
    """Return the ids of the known deviations that the run has shown to be gone: their checks passed."""
    return [each.case.id for each in results if each.case.id in deviations and each.verdict is Verdict.PASSED]
