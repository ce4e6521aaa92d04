"""Rules for a tap: which lines they match, and what becomes of those.

A rule is ``ACTION[=VALUE] [from=miner|pool] [method=NAME] [nth=N[-M]|every=N] [match=TEXT] [chance=P]``, or the same
names as a table of a TOML file. In TEXT a ``*`` stands for anything. Conditions look at a line as it came; the actions
of those that mean it are applied in order, each to what the one before left. The method of a reply is that of its
request. Chance is drawn from a seed, so a run can be repeated.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from stratum_miner import user_files
from stratum_miner.capture.filter import Close, FilterAction, FilterNote, LimitReached, Send, delayed
from stratum_miner.capture.methods import Methods
from stratum_miner.capture.record import Side
from stratum_miner.capture.wildcard import TooLongError, Wildcard
from stratum_miner.foreign_text import sanitize
from stratum_miner.spelling import named
from stratum_miner.user_files import UserFileError

ACTIONS: Mapping[str, str] = {
    "drop": "never send it",
    "delay": "send it after so many seconds; what follows waits too",
    "duplicate": "send it so many times more, once by default",
    "reorder": "send it after the next line the same way",
    "replace": "replace what match= found by this text, \\1 for what its first * took; the whole line without match=",
    "split": "send it in pieces of so many bytes, one by default; in 4096 of them at most",
    "close": "send it, then close both connections",
}
MAX_RULES = 1000
MAX_FILE = 1 << 18
"""Bytes of a file of rules: 250 for each of them."""
MAX_GROWN = 2 << 20
"""Bytes to which a line may grow by ``replace``, or that ``reorder`` may hold back; more ends its connection."""
_NEEDS_VALUE = ("delay", "replace")
_NUMBERS = {"delay": (float, 0.0, 86400.0), "duplicate": (int, 1, 100_000), "split": (int, 1, 1 << 20)}
_KEYS = ("from", "method", "nth", "every", "match", "chance")


class RuleError(ValueError):
    """The user's rule cannot be understood; the text says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; None means any. ``first`` to ``last`` count the lines that meet the other conditions, from 1."""

    action: str
    value: str = ""
    speaker: Side | None = None
    method: str | None = None
    first: int = 1
    last: int | None = None
    every: int = 1
    match: Wildcard | None = None
    chance: float = 1.0

    def __str__(self) -> str:
        parts = [f"{self.action}={self.value}" if self.value else self.action]
        parts += [f"from={self.speaker.value}"] if self.speaker else []
        parts += [f"method={self.method}"] if self.method else []
        if self.last is not None or self.first != 1:
            parts.append(f"nth={self.first}" + ("" if self.last == self.first else f"-{self.last or ''}"))
        parts += [f"every={self.every}"] if self.every != 1 else []
        parts += [f"match={self.match.text}"] if self.match else []
        parts += [f"chance={self.chance:g}"] if self.chance != 1 else []
        return " ".join(shlex.quote(part) for part in parts)


def parse(text: str) -> Rule:
    """A rule from a command line. RuleError in one line."""
    try:
        words = _words(text)
    except ValueError as error:
        raise RuleError(f"rule {text!r}: {error}") from None
    if not words:
        raise RuleError("rule: expected ACTION and conditions, as in 'drop method=mining.notify', got nothing")
    action, _, value = words[0].partition("=")
    table: dict[str, Any] = {"action": action, **({"value": value} if value else {})}
    for word in words[1:]:
        key, equals, item = word.partition("=")
        if not equals:
            raise RuleError(f"rule {text!r}: expected KEY=VALUE, got {word!r}")
        if key in table:
            raise RuleError(f"rule {text!r}: expected {sanitize(key)} once")
        table[key] = item
    return from_table(table, f"rule {text!r}")


def _words(text: str) -> list[str]:
    """Split at blanks, quotes kept together; a backslash is one."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    return list(lexer)


def read(path: Path) -> list[Rule]:
    """The ``[[rule]]`` tables of a TOML file. RuleError in one line."""
    try:
        tables = user_files.parse_toml(user_files.read_text(path, MAX_FILE))
    except OSError as error:
        raise RuleError(f"rules {str(path)!r}: {error.strerror}") from None
    except UserFileError as error:
        line = f"line {error.line}: " if error.line else ""
        raise RuleError(f"rules {str(path)!r}: {line}{error}") from None
    rules = tables.get("rule")
    if list(tables) != ["rule"] or not isinstance(rules, list) or len(rules) > MAX_RULES:
        raise RuleError(f"rules {str(path)!r}: expected tables named [[rule]], got {', '.join(tables) or 'none'}")
    return [from_table(table, f"rules {str(path)!r}: rule {number}") for number, table in enumerate(rules, 1)]


def from_table(table: Mapping[str, Any], where: str) -> Rule:
    """A rule from its names and values, all of them text or numbers. RuleError in one line."""
    try:
        texts = {key: str(value) for key, value in table.items()}
        for text in texts.values():
            text.encode()
        return _from_table(texts)
    except UnicodeEncodeError:
        raise RuleError(f"{where}: expected text in UTF-8") from None
    except ValueError as error:
        raise RuleError(f"{where}: {error}") from None


def _from_table(table: dict[str, str]) -> Rule:
    for key in table:
        if key not in ("action", "value"):
            named(dict.fromkeys(("action", "value", *_KEYS), ""), key, "key")
    action = table.get("action", "")
    named(ACTIONS, action, "action")
    value = table.get("value", "")
    if action in _NEEDS_VALUE and not value and action != "replace":
        raise ValueError(f"{action}: expected a value, as in {action}=2")
    if value and action in _NUMBERS:
        kind, low, high = _NUMBERS[action]
        _number(action, value, kind, low, high)
    elif value and action != "replace":
        raise ValueError(f"{action}: expected no value, got {value!r}")
    if "nth" in table and "every" in table:
        raise ValueError("expected nth or every, got both")
    first, last = _range(table.get("nth"))
    match = _pattern(table.get("match"))
    if action == "replace" and match is not None:
        _check_template(match, value)
    return Rule(
        action=action,
        value=value,
        speaker=_speaker(table.get("from")),
        method=table.get("method"),
        first=first,
        last=last,
        every=int(_number("every", table.get("every", "1"), int, 1, 10**9)),
        match=match,
        chance=_number("chance", table.get("chance", "1"), float, 0.0, 1.0),
    )


def _number(name: str, text: str, kind: type, low: float, high: float) -> float:
    try:
        value = float(kind(text))
    except (ValueError, OverflowError):  # the second: of an integer of hundreds of digits
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {text!r}")
    return value


def _range(text: str | None) -> tuple[int, int | None]:
    if text is None:
        return 1, None
    match = re.fullmatch(r"(\d{1,9})(?:(-)(\d{1,9})?)?", text)
    first, last = (0, None) if match is None else (int(match[1]), int(match[3]) if match[3] else None)
    if match is None or first < 1 or (last is not None and last < first):
        raise ValueError(f"nth: expected N, N-M or N- counted from 1, got {text!r}")
    return first, last if match[2] else first


def _speaker(text: str | None) -> Side | None:
    if text is None:
        return None
    if text not in ("miner", "pool"):
        raise ValueError(f"from: expected miner or pool, got {text!r}")
    return Side(text)


def _pattern(text: str | None) -> Wildcard | None:
    if text is None:
        return None
    try:
        return Wildcard(text)
    except ValueError as error:
        raise ValueError(f"match: {error}") from None


def _check_template(match: Wildcard, template: str) -> None:
    try:
        match.check_template(template)
    except ValueError as error:
        raise ValueError(f"replace: {error}") from None


class RuleFilter:
    """The rules at work on one connection (a ``relay.Filter``)."""

    def __init__(self, rules: Sequence[Rule], rng: Random) -> None:
        self._rules = rules
        self._rng = rng
        self._methods = Methods({rule.method for rule in rules if rule.method is not None})
        self._counts = [0] * len(rules)
        self._held: dict[tuple[int, Side], bytes] = {}
        """Lines that wait for the next one, by rule and direction."""
        self._notes: list[FilterNote] = []

    def opened(self) -> Sequence[FilterAction]:
        """Nothing: rules are about lines."""
        return ()

    def line(self, speaker: Side, line: bytes) -> Sequence[FilterAction]:
        """Through all rules in order."""
        method = self._methods.of(speaker, line)
        steps: list[FilterAction] = [Send(speaker.other, line)]
        for index, rule in enumerate(self._rules):
            applies = self._applies(index, rule, speaker, method, line)
            if applies:
                self._notes.append(FilterNote(str(rule), line))
            steps = self._apply(index, rule, speaker, steps, applies=applies)
        return steps

    def ended(self, speaker: Side) -> Sequence[FilterAction]:
        """Lines that waited for a next one."""
        held = [self._held.pop(key) for key in sorted(self._held, key=lambda key: key[0]) if key[1] is speaker]
        return [Send(speaker.other, line) for line in held]

    @property
    def held(self) -> int:
        """Bytes of lines that wait for the next one, and of requests without a reply."""
        return sum(map(len, self._held.values())) + self._methods.held

    def notes(self) -> Sequence[FilterNote]:
        """Which rule met which line."""
        notes, self._notes = self._notes, []
        return notes

    def _applies(self, index: int, rule: Rule, speaker: Side, method: str | None, line: bytes) -> bool:
        if rule.speaker not in (None, speaker) or rule.method not in (None, method):
            return False
        if rule.match is not None and not rule.match.found_in(line.rstrip(b"\r\n")):
            return False
        self._counts[index] += 1
        count = self._counts[index]
        if count < rule.first or (rule.last is not None and count > rule.last) or count % rule.every:
            return False
        return rule.chance >= 1 or self._rng.random() < rule.chance

    def _apply(
        self, index: int, rule: Rule, speaker: Side, steps: list[FilterAction], *, applies: bool
    ) -> list[FilterAction]:
        to = speaker.other
        if rule.action == "reorder":
            return self._reorder(index, speaker, steps, applies=applies)
        if not applies:
            return steps
        match rule.action:
            case "drop":
                return []
            case "delay":
                return delayed(steps, float(rule.value))
            case "duplicate":
                return [_repeated(step, 1 + int(rule.value or 1)) for step in steps]
            case "replace":
                return [_replaced(step, rule) for step in steps]
            case "split":
                return [_in_pieces(step, int(rule.value or 1)) for step in steps]
            case _:
                return [*steps, Close(to)]

    def _reorder(self, index: int, speaker: Side, steps: list[FilterAction], *, applies: bool) -> list[FilterAction]:
        key = (index, speaker)
        held = self._held.pop(key, None)
        if held is not None:
            return [*steps, Send(speaker.other, held)]
        if not applies or not all(isinstance(step, Send) for step in steps):
            return steps
        said = [step for step in steps if isinstance(step, Send)]
        if sum(len(step.data) * step.times for step in said) > MAX_GROWN:
            raise LimitReached(f"rule {str(self._rules[index])!r}: expected at most {MAX_GROWN} bytes to hold back")
        self._held[key] = b"".join(step.data * step.times for step in said)
        return []


def _replaced(step: FilterAction, rule: Rule) -> FilterAction:
    if not isinstance(step, Send):
        return step
    body = step.data.rstrip(b"\r\n")
    new = rule.value.encode()
    if rule.match is not None:
        try:
            new = rule.match.replaced(body, new, MAX_GROWN)
        except TooLongError as error:
            raise LimitReached(f"rule {str(rule)!r}: {error}") from None
    return replace(step, data=new + step.data[len(body) :])


def _repeated(step: FilterAction, times: int) -> FilterAction:
    return replace(step, times=step.times * times) if isinstance(step, Send) else step


def _in_pieces(step: FilterAction, size: int) -> FilterAction:
    return replace(step, piece=size) if isinstance(step, Send) else step
