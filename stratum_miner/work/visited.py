"""What has been handed out of each header, so that no point is searched twice.

A *row* is everything that fixes a header but extranonce2, version and nonce. It is known by its content, whichever
session or job brought it: a pool that repeats a job under another id (miningcore does, see ESP-Miner#1587), gives the
next session the same extranonce1, or is returned to, finds its rows as they were left. Theory of operation:

* A unit owns all its nonces, so a row is a table of extranonce2 values, each with the versions that nobody has got yet.
  Neighbours with equal versions are one entry: what was never touched, what is used up under the present mask, and
  a few that are open.
* A caller names the version bits that it can roll. It gets the largest unit there is for it, out of the smallest set
  that has one, so that a value that was begun is finished before the next is begun.
* All rows count from the same place and wrap round. The caller draws it at random, for a pool may give the next process
  the extranonce1 of the last one.

Memory is bounded. A row that was not used for long is forgotten but for 64 bits of its name. If it comes back it begins
where no forgotten row had got to, so points are skipped and none is repeated. Only a row that returns after more than
``MAX_FORGOTTEN`` others were forgotten would begin anew.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.work.versions import ALL_VERSIONS, Versions, lowest_bits

MAX_ROWS = 512
"""Rows remembered exactly; a job without extranonce2 uses one a second."""
MAX_SETS = 512
"""Sets of versions in one row. Devices that roll in three ways need about a hundred; a pool that sends hundreds of
versions for each header can make all rows take 55 MB (measured: 210 bytes a set)."""
MAX_FORGOTTEN = 100_000
"""Names remembered of forgotten rows, at the least; twice as many take 17 MB."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """``count`` values of extranonce2 from ``first`` on, and the versions of each that are left."""

    first: int
    count: int
    left: tuple[Versions, ...]

    @property
    def size(self) -> int:
        return self.count * sum(1 << versions.mask.bit_count() for versions in self.left)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One set of an entry, and what a caller would get of it."""

    entry: int
    index: int
    unit: Versions
    left_out: int
    """How many more bits the set has: the fewer, the less it is split."""

    def is_better_than(self, other: "_Choice | None") -> bool:
        if other is None:
            return True
        ours, theirs = self.unit.mask.bit_count(), other.unit.mask.bit_count()
        return ours > theirs or (ours == theirs and self.left_out < other.left_out)


class _Row:
    """Values of extranonce2 are counted from the common start here, from 0 to ``limit``."""

    def __init__(self, begin: int, limit: int) -> None:
        self.entries = [_Entry(begin, limit - begin, (ALL_VERSIONS,))] if begin < limit else []
        self.touched = min(begin, limit)
        """From here on no value was ever touched."""
        self.known_since: float | None = None

    def take(self, wanted: Versions, rollable: int, at_once: int) -> tuple[int, Versions] | None:
        best: _Choice | None = None
        most = min((wanted.mask & rollable).bit_count(), at_once)
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
                if (left[0] ^ wanted[0]) & ~left[1] & ~wanted[1]:  # as in ``common``, without the call: most end here
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
        self.touched = max(self.touched, entry.first + 1)
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
    """One for all that is searched by a process; not thread-safe by itself.

    ``start``: the extranonce2 at which every row begins, cut to the size in question.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._rows: OrderedDict[bytes, _Row] = OrderedDict()
        self._forgotten: tuple[set[bytes], set[bytes]] = set(), set()
        """The newer names and the older ones."""
        self._begin_again = 0
        """The furthest that any forgotten row had got to."""

    def known_since(self, name: bytes, size: int, now: float) -> float:
        """When this row was first asked for by this method; ``now`` if that is unknown."""
        row = self._row(name, size)
        if row.known_since is None:
            row.known_since = now
        return row.known_since

    def take(
        self, name: bytes, size: int, versions: Versions, rollable: int = 0, at_once: int = 32
    ) -> tuple[bytes, Versions] | None:
        """An extranonce2 of ``size`` bytes and versions that nobody got before; None when the row has none left.

        ``name`` is 32 bytes, a hash of the row's content. ``versions`` are those that the job allows. The result's mask
        has at most ``at_once`` bits, all of them in ``rollable``.
        """
        taken = self._row(name, size).take(versions, rollable, at_once)
        if taken is None:
            return None
        value, unit = taken
        return ((self._start + value) % (1 << 8 * size)).to_bytes(size, "big"), unit

    def _row(self, name: bytes, size: int) -> _Row:
        row = self._rows.get(name)
        if row is not None:
            self._rows.move_to_end(name)
            return row
        is_forgotten = any(name[:8] in names for names in self._forgotten)
        row = self._rows[name] = _Row(self._begin_again if is_forgotten else 0, 1 << 8 * size)
        if len(self._rows) > MAX_ROWS:
            self._forget(*self._rows.popitem(last=False))
        return row

    def _forget(self, name: bytes, row: _Row) -> None:
        if not row.touched:
            return
        self._begin_again = max(self._begin_again, row.touched)
        newer, _ = self._forgotten
        if len(newer) >= MAX_FORGOTTEN:
            self._forgotten = set(), newer
        self._forgotten[0].add(name[:8])


@lru_cache(maxsize=4096)
def _rest(whole: Versions, part: Versions, first: int) -> tuple[Versions, ...]:
    """One value of extranonce2 is taken apart like the next."""
    return tuple(whole.without(part, first))
