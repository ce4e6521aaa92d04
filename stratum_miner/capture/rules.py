"""Rules for a tap: which lines they match, and what the tap does with those lines.

A rule consists of an action and of conditions: ``ACTION[=VALUE] [from=miner|pool] [method=NAME] [nth=N[-M]|every=N]
[match=TEXT] [chance=P]``. In a TOML file, a rule is a table with the same names as keys. ``nth`` selects the lines with
the numbers N to M, ``every`` each N-th line, and ``chance`` lines at random with the probability P. In TEXT, a ``*``
stands for any characters. ``method`` of a reply is the method of its request.

The conditions of every rule are checked on the line as it was received. The actions of all rules that match are applied
in the order of the rules, each to the result of the previous action. A random number generator with a given seed
decides which lines ``chance`` selects, so a run can be repeated.
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
from stratum_miner.quantities import parse_duration
from stratum_miner.spelling import named
from stratum_miner.user_files import UserFileError

ACTIONS: Mapping[str, str] = {
    "drop": "do not send the line",
    "delay": "send the line after this time, such as 500ms, or a number of seconds; later lines to the same side wait "
    "as well",
    "duplicate": "send the line this many more times [default: 1]",
    "reorder": "send the line after the next line in the same direction",
    "replace": "replace each match of match= by this text, in which \\1 stands for what its first * matched; without "
    "match=, replace the whole line",
    "split": "send the line in pieces of this many bytes [default: 1], but in at most 4,096 pieces",
    "close": "send the line, then close both connections",
}
MAX_RULES = 1000
MAX_FILE = 1 << 18
"""Maximum bytes of a file of rules, about 250 bytes for each of MAX_RULES rules."""
MAX_GROWN = 2 << 20
"""Maximum bytes of a line after ``replace`` has changed it, and maximum bytes that a rule with ``reorder`` holds back
for one sender. If an action would exceed this limit, the connection ends."""
_NEEDS_VALUE = ("delay", "replace")
MAX_DELAY = 86400.0
"""Longest time in seconds of the action ``delay``."""
_NUMBERS = {"duplicate": (int, 1, 100_000), "split": (int, 1, 1 << 20)}
_KEYS = ("from", "method", "nth", "every", "match", "chance")


class RuleError(ValueError):
    """A rule that the user wrote is invalid. The text says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. A condition (``sender``, ``method``, ``match``) that is None matches every line."""

    action: str
    """Name of the action, which is one of the keys of ``ACTIONS``."""
    value: str = ""
    """The value of the action, as the user wrote it. If it is empty, the action uses its default value."""
    sender: Side | None = None
    method: str | None = None
    first: int = 1
    """Number of the first line to which the action is applied.

    Lines are counted from 1 for each rule and each connection. Only lines that meet the conditions ``sender``,
    ``method`` and ``match`` are counted.
    """
    last: int | None = None
    """Number of the last line to which the action is applied. None means that there is no last line. The lines are
    counted as described for ``first``."""
    every: int = 1
    """The action is applied only to lines whose number is a multiple of this value. The lines are counted as described
    for ``first``."""
    match: Wildcard | None = None
    chance: float = 1.0
    """Probability (0 to 1) that the action is applied to a line that meets all other conditions."""

    def __str__(self) -> str:
        parts = [f"{self.action}={self.value}" if self.value else self.action]
        parts += [f"from={self.sender.value}"] if self.sender else []
        parts += [f"method={self.method}"] if self.method else []
        if self.last is not None or self.first != 1:
            parts.append(f"nth={self.first}" + ("" if self.last == self.first else f"-{self.last or ''}"))
        parts += [f"every={self.every}"] if self.every != 1 else []
        parts += [f"match={self.match.text}"] if self.match else []
        parts += [f"chance={self.chance:g}"] if self.chance != 1 else []
        return " ".join(shlex.quote(part) for part in parts)


def parse(text: str) -> Rule:
    """Return the rule in a text from the command line. Raises RuleError if the rule is invalid. The message of the
    error is one line."""
    try:
        words = _words(text)
    except ValueError as error:
        raise RuleError(f"rule {text!r}: {error}") from None
    if not words:
        raise RuleError("rule: expected ACTION and conditions, as in 'drop method=mining.notify', got an empty text")
    action, _, value = words[0].partition("=")
    table: dict[str, Any] = {"action": action, **({"value": value} if value else {})}
    for word in words[1:]:
        key, equals, item = word.partition("=")
        if not equals:
            raise RuleError(f"rule {text!r}: expected KEY=VALUE, got {word!r}")
        if key in table:
            raise RuleError(f"rule {text!r}: expected {sanitize(key)} once, got it twice")
        table[key] = item
    return from_table(table, f"rule {text!r}")


def _words(text: str) -> list[str]:
    """Split the text at spaces; quotes keep words together. A backslash has no special meaning."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    return list(lexer)


def read(path: Path) -> list[Rule]:
    """Return the rules in the ``[[rule]]`` tables of a TOML file.

    Raises RuleError, whose text is one line, if the file cannot be read or a rule is invalid.
    """
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
    """Return the rule in a table of names and values; the values are strings or numbers.

    ``where`` is the origin of the rule, for the text of an error. Raises RuleError, whose text is one line, if the rule
    is invalid.
    """
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
    elif action == "delay":
        _delay(value)
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
        sender=_sender(table.get("from")),
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
    except (ValueError, OverflowError):  # float() raises OverflowError for an integer of hundreds of digits
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {text!r}")
    return value


def _delay(text: str) -> float:
    try:
        return parse_duration(text, 0, MAX_DELAY)
    except ValueError as error:
        raise ValueError(f"delay: {error}") from None


def _range(text: str | None) -> tuple[int, int | None]:
    if text is None:
        return 1, None
    match = re.fullmatch(r"(\d{1,9})(?:(-)(\d{1,9})?)?", text)
    first, last = (0, None) if match is None else (int(match[1]), int(match[3]) if match[3] else None)
    if match is None or first < 1 or (last is not None and last < first):
        raise ValueError(f"nth: expected N, N-M or N- counted from 1, got {text!r}")
    return first, last if match[2] else first


def _sender(text: str | None) -> Side | None:
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
    """A filter (``capture.filter.Filter``) that applies rules to the lines of one connection."""

    def __init__(self, rules: Sequence[Rule], rng: Random) -> None:
        self._rules = rules
        self._rng = rng
        self._methods = Methods({rule.method for rule in rules if rule.method is not None})
        self._counts = [0] * len(rules)
        self._held: dict[tuple[int, Side], bytes] = {}
        """The lines that ``reorder`` holds back until the sender's next line. The key is the index of the rule, and the
        sender."""
        self._notes: list[FilterNote] = []

    def opened(self) -> Sequence[FilterAction]:
        """Return no actions: rules apply to lines only."""
        return ()

    def line(self, sender: Side, line: bytes) -> Sequence[FilterAction]:
        """Return the actions for a line, after all rules were applied in their order."""
        method = self._methods.of(sender, line)
        actions: list[FilterAction] = [Send(sender.other, line)]
        for index, rule in enumerate(self._rules):
            applies = self._applies(index, rule, sender, method, line)
            if applies:
                self._notes.append(FilterNote(str(rule), line))
            actions = self._apply(index, rule, sender, actions, applies=applies)
        return actions

    def ended(self, sender: Side) -> Sequence[FilterAction]:
        """Return the lines of ``sender`` that ``reorder`` still holds back."""
        held = [self._held.pop(key) for key in sorted(self._held, key=lambda key: key[0]) if key[1] is sender]
        return [Send(sender.other, line) for line in held]

    @property
    def held(self) -> int:
        """Return how many bytes of memory the filter uses for the lines that ``reorder`` holds back and for the methods
        of requests that it remembers."""
        return sum(map(len, self._held.values())) + self._methods.held

    def notes(self) -> Sequence[FilterNote]:
        """Return one note for each time that a rule was applied to a line since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def _applies(self, index: int, rule: Rule, sender: Side, method: str | None, line: bytes) -> bool:
        if rule.sender not in (None, sender) or rule.method not in (None, method):
            return False
        if rule.match is not None and not rule.match.found_in(line.rstrip(b"\r\n")):
            return False
        self._counts[index] += 1
        count = self._counts[index]
        if count < rule.first or (rule.last is not None and count > rule.last) or count % rule.every:
            return False
        return rule.chance >= 1 or self._rng.random() < rule.chance

    def _apply(
        self, index: int, rule: Rule, sender: Side, actions: list[FilterAction], *, applies: bool
    ) -> list[FilterAction]:
        to = sender.other
        if rule.action == "reorder":
            return self._reorder(index, sender, actions, applies=applies)
        if not applies:
            return actions
        match rule.action:
            case "drop":
                return []
            case "delay":
                return delayed(actions, _delay(rule.value))
            case "duplicate":
                return [_repeated(action, 1 + int(rule.value or 1)) for action in actions]
            case "replace":
                return [_replaced(action, rule) for action in actions]
            case "split":
                return [_in_pieces(action, int(rule.value or 1)) for action in actions]
            case _:
                return [*actions, Close(to)]

    def _reorder(self, index: int, sender: Side, actions: list[FilterAction], *, applies: bool) -> list[FilterAction]:
        key = (index, sender)
        held = self._held.pop(key, None)
        if held is not None:
            return [*actions, Send(sender.other, held)]
        if not applies or not all(isinstance(action, Send) for action in actions):
            return actions
        sends = [action for action in actions if isinstance(action, Send)]
        size = sum(len(action.data) * action.times for action in sends)
        if size > MAX_GROWN:
            limit = f"expected at most {MAX_GROWN:,} bytes to hold back, got {size:,}"
            raise LimitReached(f"rule {str(self._rules[index])!r}: {limit}")
        self._held[key] = b"".join(action.data * action.times for action in sends)
        return []


def _replaced(action: FilterAction, rule: Rule) -> FilterAction:
    if not isinstance(action, Send):
        return action
    body = action.data.rstrip(b"\r\n")
    new = rule.value.encode()
    if rule.match is not None:
        try:
            new = rule.match.replaced(body, new, MAX_GROWN)
        except TooLongError as error:
            raise LimitReached(f"rule {str(rule)!r}: {error}") from None
    return replace(action, data=new + action.data[len(body) :])


def _repeated(action: FilterAction, times: int) -> FilterAction:
    return replace(action, times=action.times * times) if isinstance(action, Send) else action


def _in_pieces(action: FilterAction, size: int) -> FilterAction:
    return replace(action, piece=size) if isinstance(action, Send) else action
