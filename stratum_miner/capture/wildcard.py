"""Text in which ``*`` stands for anything, found in lines that strangers wrote.

Why no regular expressions: Python's can be kept busy for minutes by one line, and those that cannot, like RE2's, still
take quadratic time to replace all that they find. Here each part of the text is searched from where the one before
ended, never from further back, so a line costs time in proportion to its length, whatever is in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_TEXT = 1000
"""Characters of such a text."""
MAX_REPLACED = 200
"""Places of one line that are replaced, the first ones: each is a step in Python, and a line shall ask few of them."""
_GROUP = re.compile(rb"\\([1-9])")
_OF_REGEXES = re.compile(r"[\\^$|()+?]|\.\*|\[\^|\[\w-\w")
"""What lines of Stratum hardly ever have and regular expressions nearly always: who writes it means one."""


class TooLongError(Exception):
    """What was put in makes the line longer than the limit."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A text to look for. A ``*`` at its beginning or end reaches to that of the line; others take as little as fits.

    ValueError for a text that is empty, too long, or meant as a regular expression.
    """

    text: str
    _parts: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > MAX_TEXT:
            raise ValueError(f"expected at most {MAX_TEXT} characters, got {len(self.text)}")
        if found := _OF_REGEXES.search(self.text):
            raise ValueError(
                f"expected text in which * alone stands for anything, got {self.text!r}: {found[0]!r} is of a regular "
                "expression, which is not taken here; let * stand for it where it is meant as it is"
            )
        first, *rest = self.text.encode().split(b"*")
        object.__setattr__(self, "_parts", (first, *(part for part in rest[:-1] if part), *rest[-1:]))
        if not any(self._parts):
            raise ValueError(f"expected text, with * for anything in between, got {self.text!r}")

    @property
    def stars(self) -> int:
        """How many gaps it has; two ``*`` side by side are one."""
        return len(self._parts) - 1

    def found_in(self, data: bytes) -> bool:
        """Whether it is anywhere in these bytes."""
        return self._next(data, 0) is not None

    def replaced(self, data: bytes, template: bytes, limit: int) -> bytes:
        r"""The bytes with ``template`` in each place where the text was, ``\1`` in it being what the first star took.

        TooLongError when that is more than ``limit`` bytes.
        """
        words = _GROUP.split(template)
        literal = sum(map(len, words[::2]))
        pieces: list[bytes] = []
        size = len(data)
        end = 0
        for start, stop, taken in self._places(data):
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
        """ValueError when it asks for a star that the text does not have."""
        for number in map(int, _GROUP.findall(template.encode())):
            if number > self.stars:
                raise ValueError(f"expected \\1 to \\{self.stars} for the stars of {self.text!r}, got {template!r}")

    def _places(self, data: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
        start = 0
        for _ in range(MAX_REPLACED if self._parts[0] else 1):
            place = self._next(data, start)
            if place is None:
                return
            yield place
            start = place[1]

    def _next(self, data: bytes, start: int) -> tuple[int, int, list[tuple[int, int]]] | None:
        """Beginning and end of the first place at or after ``start``, and of what each star took."""
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
