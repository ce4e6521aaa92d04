"""Rules that convert one key of another miner's configuration file, without regard to the other keys of the file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from stratum_miner.app.config.problems import InvalidValue
from stratum_miner.app.foreign.notes import Imported, KeyOutcome, Note, assigned, shown_value
from stratum_miner.app.foreign.source import ForeignFile, is_comment
from stratum_miner.foreign_text import sanitize

MAX_POOLS = 64
NO_SETTING = "stratum-miner has no such setting"
ConvertValue: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class To:
    """The key becomes the option ``key``. If ``convert`` returns None, the option keeps its default.

    ``defaults`` are the values with which the other program does the same as without the key. If this version of
    stratum-miner has no option ``key``, a key with one of these values is left out, and nothing is lost.
    """

    key: str
    convert: ConvertValue
    defaults: tuple[Any, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The key cannot be carried over, unless its value is one of ``defaults`` or switches something off."""

    reason: str
    defaults: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Idle:
    """The key has no effect with stratum-miner. ``reason`` says why."""

    reason: str


KeyRule: TypeAlias = To | Lost | Idle


class Conversion:
    """A file that is being converted: its keys, the known options of stratum-miner, and the result so far."""

    def __init__(self, source: ForeignFile, program: str, options: frozenset[str]) -> None:
        self.source = source
        self.options = options
        self.result = Imported(program)
        self.taken: set[str] = set()
        """Keys that were read with ``take``. The code that called ``take`` adds the notes about these keys."""

    # ---- notes ------------------------------------------------------------------------------------------------------

    def carry(self, path: str, value: Any, settings: Mapping[str, Any], remark: str = "") -> None:
        """Set options, and record that the key at ``path`` became these options."""
        self.result.options.update(settings)
        self.note(path, value, KeyOutcome.CARRIED, assigned(settings.items()) + (f" ({remark})" if remark else ""))

    def lose(self, path: str, value: Any, reason: str) -> None:
        """Record that the key at ``path`` is lost."""
        self.note(path, value, KeyOutcome.LOST, reason)

    def leave(self, path: str, value: Any, reason: str) -> None:
        """Record that nothing is to be done for the key at ``path``."""
        self.note(path, value, KeyOutcome.NOTHING_TO_DO, reason)

    def note(self, path: str, value: Any, outcome: KeyOutcome, text: str, *, is_known: bool = True) -> None:
        """Record the outcome of the key at ``path``. The value of a key that is not known is not shown, because it may
        be a secret."""
        path = sanitize(path)
        shown = shown_value(path, value) if is_known or not isinstance(value, str | dict | list) else "..."
        if value is None and (path.endswith("]") or path not in self.source.lines):
            shown = ""
        self.result.notes.append(Note(path, self.line(path), shown, outcome, text))

    def line(self, path: str) -> int:
        """Return the line of the key at ``path``. If this line is not known and ``path`` is inside an array, return the
        line of the array's key. Return 0 if that is not known either."""
        lines = self.source.lines
        return lines.get(path) or lines.get(path.partition("[")[0], 0)

    # ---- keys -------------------------------------------------------------------------------------------------------

    def take(self, key: str) -> Any:
        """Return the value of a key of the file, or None if the file does not have it. The caller must then record what
        became of the key."""
        self.taken.add(key)
        return self.source.table.get(key)

    def flag(self, key: str, convert: ConvertValue) -> bool:
        """Take a key that switches something on or off, and return whether it is on. A value that ``convert`` refuses
        counts as off and is lost."""
        value = self.take(key)
        if value is None:
            return False
        try:
            return bool(convert(value))
        except InvalidValue as error:
            self.lose(key, value, str(error))
            return False

    def apply(self, rules: Mapping[str, KeyRule], families: tuple[tuple[str, KeyRule], ...] = ()) -> None:
        """Apply the rules to all keys of the file that were not taken. ``families`` has rules for all keys with
        a common beginning. They apply only to keys that have no rule in ``rules``."""
        for key, value in self.source.table.items():
            if key not in self.taken:
                rule = rules.get(key) or next((rule for start, rule in families if key.startswith(start)), None)
                self.apply_rule(key, value, rule)

    def apply_rule(self, key: str, value: Any, rule: KeyRule | None) -> None:
        """Apply a rule to one key of the file. Without a rule, the key is unknown."""
        if is_comment(key):
            return
        if rule is None:
            if is_off(value) or value in ([], {}):
                self.note(key, value, KeyOutcome.NOTHING_TO_DO, "this key is not known, and is off or empty")
            else:
                self.note(key, value, KeyOutcome.LOST, "this key is not known", is_known=False)
            return
        if isinstance(rule, Idle):
            self.leave(key, value, rule.reason)
        elif is_off(value) or (
            not (isinstance(rule, To) and rule.key in self.options) and _is_in(value, rule.defaults)
        ):
            self.leave(
                key, value, "this is the default of that program" if not is_off(value) else "this setting is off"
            )
        elif isinstance(rule, Lost):
            self.lose(key, value, rule.reason)
        else:
            self._convert(key, value, rule)

    def _convert(self, key: str, value: Any, rule: To) -> None:
        if rule.key not in self.options:
            self.lose(key, value, NO_SETTING)
            return
        try:
            made = rule.convert(value)
        except InvalidValue as error:
            self.lose(key, value, str(error))
            return
        if made is None:
            self.leave(key, value, "its value is the default")
        else:
            self.carry(key, value, {rule.key: made}, rule.remark)


def is_off(value: Any) -> bool:
    """Return whether a value means that its key is off or not set."""
    return value is None or value is False or (isinstance(value, str) and value.strip().lower() in ("", "false"))


def _is_in(value: Any, defaults: tuple[Any, ...]) -> bool:
    return any(_plain(value) == _plain(default) for default in defaults)


def _plain(value: Any) -> Any:
    """Return a value as a number if it can be converted to one, so that "250.0" and 250 are equal."""
    if isinstance(value, bool):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value
