"""Remembers which headers were given to backends, so that no header is searched twice.

A *header template* consists of everything that determines a header, except extranonce2, version and nonce. Its name is
a hash of this content (32 bytes). The name does not depend on the session or the job. So the template is recognised
again if a pool repeats a job under another id (miningcore does, see ESP-Miner#1587), gives the next session the same
extranonce1, or becomes the active pool again.

How it works:

* A work unit contains all nonces. So it is enough that each template has a table of the versions that are still unused
  for each extranonce2 value. Consecutive values with the same unused versions share one entry. The table is short,
  because only a few values are partly used: most were never used, or are used up for the versions that the present
  version mask permits.
* A caller names the version bits that it can roll, and gets the largest possible unit. If there are several units of
  this size, the caller gets one from the smallest set of unused versions. So one extranonce2 value is used up before
  the next.
* In all templates, extranonce2 counts from the same start value and continues with 0 after its highest value. The
  caller draws the start value at random, because the pool may assign the same extranonce1 again after the program was
  restarted.

To save memory, a template that was not used for a long time is forgotten: its table is dropped, and only the first 64
bits of its name are kept. If a template with such a name is used again, its extranonce2 begins after the highest value
that any forgotten template had reached. So some headers are skipped, but none is repeated. After more than
``MAX_FORGOTTEN`` other templates were forgotten, the name may be dropped, too. Only then does the template begin again
at the start value.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.work.versions import ALL_VERSIONS, VERSION_BITS, Versions, lowest_bits

MAX_TEMPLATES = 512
"""Maximum number of header templates (see the module) whose tables are kept in memory. A job without extranonce2 uses a
new template each second, because its ntime is rolled."""
MAX_SETS = 512
"""Maximum number of sets of versions in the table of one header template (see the module). If there are more, the
entries with the fewest unused headers are dropped, and those headers are never searched. Devices that roll three
different sets of version bits need about 100 sets. If a pool sends hundreds of versions for each template, all
templates together take up to 55 MB (measured: 210 bytes for each set)."""
MAX_FORGOTTEN = 100_000
"""At least this many names of forgotten header templates (see the module) are kept. They are the names of the templates
that were forgotten last. Up to twice as many names may be kept, which take 17 MB."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """``count`` values of extranonce2, beginning with ``first``, and the versions that are unused for each of them."""

    first: int
    count: int
    left: tuple[Versions, ...]

    @property
    def size(self) -> int:
        return self.count * sum(1 << versions.mask.bit_count() for versions in self.left)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One set of versions of an ``_Entry``, and the work unit that a caller would get from it."""

    entry: int
    index: int
    unit: Versions
    left_out: int
    """Number of version bits that have only one value in the work unit, although the set of versions and the job permit
    both values. When the versions of the work unit are taken out of the set, the other versions of the set are split
    into parts. The smaller this number is, the fewer parts there are."""

    def is_better_than(self, other: "_Choice | None") -> bool:
        if other is None:
            return True
        own_bits, other_bits = self.unit.mask.bit_count(), other.unit.mask.bit_count()
        return own_bits > other_bits or (own_bits == other_bits and self.left_out < other.left_out)


class _Template:
    """The table of one header template. Its extranonce2 values are numbered from 0 to ``limit`` - 1, where 0 is the
    start value that all templates have in common."""

    def __init__(self, begin: int, limit: int) -> None:
        self.entries = [_Entry(begin, limit - begin, (ALL_VERSIONS,))] if begin < limit else []
        self.unused_from = begin
        """The lowest number of an extranonce2 value such that neither this value nor a higher one was used so far."""
        self.known_since: float | None = None

    def take(self, wanted: Versions, rollable: int, at_once: int) -> tuple[int, Versions] | None:
        best: _Choice | None = None
        most = lowest_bits(wanted.mask & rollable, at_once).bit_count()
        for choice in self._choices(wanted, rollable, at_once):
            if choice.is_better_than(best):
                best = choice
                if not best.left_out and best.unit.mask.bit_count() == most:
                    break
        if best is None:
            return None
        value = self.entries[best.entry].first
        self._remove(best, wanted.mask)
        return value, best.unit

    def _choices(self, wanted: Versions, rollable: int, at_once: int) -> Iterator[_Choice]:
        for position, entry in enumerate(self.entries):
            for index, left in enumerate(entry.left):
                if (left[0] ^ wanted[0]) & ~left[1] & ~wanted[1]:  # as in Versions.common, but without a call
                    continue
                common = left.common(wanted)
                assert common is not None
                inner = lowest_bits(common.mask & rollable, at_once)
                unit = Versions(common.bits, inner)
                yield _Choice(position, index, unit, (common.mask & ~inner).bit_count())

    def _remove(self, choice: _Choice, first: int) -> None:
        entry, position = self.entries[choice.entry], choice.entry
        rest = _rest(entry.left[choice.index], choice.unit, first)
        left = entry.left[: choice.index] + rest + entry.left[choice.index + 1 :]
        opened = [_Entry(entry.first, 1, left)] if left else []
        others = [_Entry(entry.first + 1, entry.count - 1, entry.left)] if entry.count > 1 else []
        self.entries[position : position + 1] = [*opened, *others]
        self.unused_from = max(self.unused_from, entry.first + 1)
        self._merge()

    def _merge(self) -> None:
        merged: list[_Entry] = []
        for entry in self.entries:
            last = merged[-1] if merged else None
            if last is not None and last.left == entry.left and last.first + last.count == entry.first:
                merged[-1] = _Entry(last.first, last.count + entry.count, last.left)
            else:
                merged.append(entry)
        while sum(len(entry.left) for entry in merged) > MAX_SETS:
            merged.remove(min(merged, key=lambda entry: entry.size))
        self.entries = merged


class Visited:
    """The memory of all headers that one process has searched. Not thread-safe.

    ``start`` is the first extranonce2 of every template. It is taken modulo the number of values that an extranonce2 of
    the template's size can have.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._templates: OrderedDict[bytes, _Template] = OrderedDict()
        self._forgotten: tuple[set[bytes], set[bytes]] = set(), set()
        """The first 8 bytes of the names of forgotten header templates. The first set has the newer names. When the
        first set is full, it replaces the second set, and a new first set begins."""
        self._begin_again = 0
        """The highest ``unused_from`` of all forgotten header templates. If a forgotten header template is used again,
        its extranonce2 begins with this value."""

    def known_since(self, name: bytes, size: int, now: float) -> float:
        """Return the time of the first call of this method with the header template ``name``: the argument ``now`` of
        that call. ``SearchSpace`` uses it as the time at which the header template arrived."""
        template = self._template(name, size)
        if template.known_since is None:
            template.known_since = now
        return template.known_since

    def take(
        self, name: bytes, size: int, versions: Versions, rollable: int = 0, at_once: int = VERSION_BITS
    ) -> tuple[bytes, Versions] | None:
        """Return an extranonce2 of ``size`` bytes and a set of its unused versions, or None if the header template has
        no unused version left that the job permits. ``name`` is the 32-byte name of the header template. ``versions``
        are those that the job permits. The mask of the result has at most ``at_once`` bits, all of them in
        ``rollable``.
        """
        taken = self._template(name, size).take(versions, rollable, at_once)
        if taken is None:
            return None
        value, unit = taken
        return ((self._start + value) % (1 << 8 * size)).to_bytes(size, "big"), unit

    def _template(self, name: bytes, size: int) -> _Template:
        template = self._templates.get(name)
        if template is not None:
            self._templates.move_to_end(name)
            return template
        is_forgotten = any(name[:8] in names for names in self._forgotten)
        template = self._templates[name] = _Template(self._begin_again if is_forgotten else 0, 1 << 8 * size)
        if len(self._templates) > MAX_TEMPLATES:
            self._forget(*self._templates.popitem(last=False))
        return template

    def _forget(self, name: bytes, template: _Template) -> None:
        if not template.unused_from:
            return
        self._begin_again = max(self._begin_again, template.unused_from)
        newer, _ = self._forgotten
        if len(newer) >= MAX_FORGOTTEN:
            self._forgotten = set(), newer
        self._forgotten[0].add(name[:8])


@lru_cache(maxsize=4096)
def _rest(whole: Versions, part: Versions, first: int) -> tuple[Versions, ...]:
    """Return the versions of ``whole`` that are not in ``part``; for ``first`` see ``Versions.without``. The result is
    cached, because many extranonce2 values, one after another, need the same result."""
    return tuple(whole.without(part, first))
