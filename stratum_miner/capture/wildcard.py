"""Search patterns in which ``*`` stands for any bytes. Searching is fast even in a line that an attacker wrote.

Patterns are not regular expressions, because one hostile line can keep Python's regular expressions busy for minutes.
Engines without that problem, such as RE2, still need quadratic time to replace every match. Here, a pattern is divided
into parts, at each ``*``. To find a part in a line, the search begins where the previous part ended, never further
back. The time is therefore proportional to the length of the line, whatever the line contains.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_TEXT = 1000
"""Maximum characters of a pattern."""
MAX_REPLACED = 200
"""Maximum number of matches that are replaced in one line, because each replacement takes time. Later matches are not
replaced."""
_GROUP = re.compile(rb"\\([1-9])")
_REGEX_SIGNS = re.compile(r"[\\^$|()+?]|\.\*|\[\^|\[\w-\w")
"""Matches characters that occur in most regular expressions and hardly ever in Stratum lines. A user who writes one of
them in a pattern probably expects regular expressions to work."""


class TooLongError(Exception):
    """The replacements make the line longer than the limit."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A pattern to search for in a line.

    A ``*`` at the beginning of the pattern matches everything from the beginning of the line, and a ``*`` at the end of
    the pattern matches everything to the end of the line. Any other ``*`` matches as few bytes as possible. Raises
    ValueError if the text consists only of ``*``, is empty, is longer than MAX_TEXT characters, or looks like a regular
    expression.
    """

    text: str
    _parts: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > MAX_TEXT:
            raise ValueError(f"expected at most {MAX_TEXT} characters, got {len(self.text)}")
        if found := _REGEX_SIGNS.search(self.text):
            raise ValueError(
                f"expected text in which only * has a special meaning, got {self.text!r}: {found[0]!r} looks like a "
                "regular expression, which is not supported. To match this character itself, write * in its place"
            )
        first, *rest = self.text.encode().split(b"*")
        object.__setattr__(self, "_parts", (first, *(part for part in rest[:-1] if part), *rest[-1:]))
        if not any(self._parts):
            raise ValueError(f"expected text to search for besides *, got {self.text!r}")

    @property
    def stars(self) -> int:
        """Return the number of ``*`` in the pattern. Several ``*`` in a row count as one."""
        return len(self._parts) - 1

    def found_in(self, data: bytes) -> bool:
        """Return whether the pattern matches anywhere in these bytes."""
        return self._next(data, 0) is not None

    def replaced(self, data: bytes, template: bytes, limit: int) -> bytes:
        r"""Return the bytes with each match replaced by ``template``.

        In the template, ``\1`` stands for what the first ``*`` matched, and so on. Only the first MAX_REPLACED matches
        are replaced. Raises TooLongError if the result is longer than ``limit`` bytes.
        """
        words = _GROUP.split(template)
        literal = sum(map(len, words[::2]))
        pieces: list[bytes] = []
        size = len(data)
        end = 0
        for start, stop, taken in self._matches(data):
            groups = [taken[int(word) - 1] for word in words[1::2]]
            size += literal + sum(last - first for first, last in groups) - (stop - start)
            if size > limit:
                raise TooLongError(f"expected a line of at most {limit} bytes, got {size} or more")
            pieces += [data[end:start], words[0]]
            for (first, last), word in zip(groups, words[2::2], strict=True):
                pieces += [data[first:last], word]
            end = stop
        return b"".join((*pieces, data[end:]))

    def check_template(self, template: str) -> None:
        r"""Raise ValueError if the template refers to a ``*`` that the pattern does not have, such as ``\2``."""
        for number in map(int, _GROUP.findall(template.encode())):
            if number > self.stars:
                raise ValueError(f"\\{number}: expected {number} or more * in match={self.text}, got {self.stars}")

    def _matches(self, data: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
        start = 0
        for _ in range(MAX_REPLACED if self._parts[0] else 1):
            match = self._next(data, start)
            if match is None:
                return
            yield match
            start = match[1]

    def _next(self, data: bytes, start: int) -> tuple[int, int, list[tuple[int, int]]] | None:
        """Find the first match at or after ``start``. Return where the match begins and ends and, for each ``*``, where
        the bytes that the ``*`` matched begin and end. Return None if there is no match."""
        begin = data.find(self._parts[0], start)
        if begin < 0:
            return None
        position = begin + len(self._parts[0])
        taken: list[tuple[int, int]] = []
        for part in self._parts[1:]:
            at = data.find(part, position) if part else len(data)
            if at < 0:
                return None
            taken.append((position, at))
            position = at + len(part)
        return begin, position, taken
