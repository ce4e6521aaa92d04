"""The search space of a session: extranonce2 × version bits × ntime × nonce, handed out unit by unit.

A unit owns all its nonces, so the space only has to count the other three. Theory of operation:

* A *row* is everything that fixes a header but extranonce2, version and nonce: coinbase parts, branch, previous
  hash, nbits, extranonce1 and one ntime. Each row has one counter of extranonce2, which never goes back while the
  session lives: a job that a pool repeats, even under another id, continues where it stopped (miningcore sends
  such, ESP-Miner#1587).
* Version bits are spent inside one extranonce2. Whenever version or mask change, the open extranonce2 is dropped
  and a fresh one taken, so two masks never meet on one coinbase.
* ntime is rolled last, only when a row is used up, and never ahead of the time that passed (2.7).

Memory is bounded: a hostile pool that floods jobs makes old rows of one tip share a floor (the highest counter
among them), which skips points but repeats none.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.work.job import Job
from stratum_miner.work.unit import WorkUnit

MAX_NTIME_ROLL = 600
"""Seconds ntime may run ahead of the job's own, however long ago it came (stratum.md 2.7)."""
MAX_ROWS = 2048
"""Rows remembered for one previous hash; a job without extranonce2 alone uses one per second for ten minutes."""
MAX_TIPS = 64
"""Previous hashes remembered: ten hours of blocks; a chain does not return to an older one."""

_RowKey = tuple[bytes, int]


@dataclass(slots=True)
class _Tip:
    rows: OrderedDict[_RowKey, int] = field(default_factory=OrderedDict)
    floor: int = 0

    def next_extranonce2(self, key: _RowKey, limit: int) -> int | None:
        value = self.rows.pop(key, self.floor)
        self.rows[key] = min(value + 1, limit)
        if len(self.rows) > MAX_ROWS:
            self.floor = max(self.floor, self.rows.popitem(last=False)[1])
        return value if value < limit else None


@dataclass(slots=True)
class _Cursor:
    """One extranonce2 whose version combinations are being handed out."""

    extranonce2: bytes
    ntime: int
    header: bytes
    next_index: int = 0


class SearchSpace:
    """Hands out units of the current job; one per session, and not thread-safe by itself."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._row_key = b""
        self._tips: OrderedDict[bytes, _Tip] = OrderedDict()
        self._cursors: dict[int, _Cursor] = {}
        self._ntime_offset = 0

    def set_job(self, job: Job) -> None:
        """Search this job from now on."""
        self._job = job
        self._row_key = _row_key(job)
        self._cursors.clear()
        self._ntime_offset = 0
        self._tips.setdefault(job.previous_hash, _Tip())
        self._tips.move_to_end(job.previous_hash)
        if len(self._tips) > MAX_TIPS:
            self._tips.popitem(last=False)

    def next_unit(self, now: float, version_bits: int = 0) -> WorkUnit | None:
        """A unit never handed out before; None without a job, or while the space is used up at this time.

        ``version_bits``: how many of the rollable bits the caller rolls itself. ``now`` is on the clock of
        ``Job.received_at``.
        """
        job = self._job
        if job is None:
            return None
        positions = _bit_positions(job.rollable_mask)
        inner = positions[: max(0, version_bits)]
        outer = positions[len(inner) :]
        cursor = self._cursors.get(len(inner))
        if cursor is None or cursor.next_index >> len(outer):
            cursor = self._open_cursor(job, now)
            if cursor is None:
                return None
            self._cursors[len(inner)] = cursor
        version = job.version | _deposit(cursor.next_index, outer)
        cursor.next_index += 1
        return WorkUnit(
            job=job,
            extranonce2=cursor.extranonce2,
            ntime=cursor.ntime,
            version=version,
            header=version.to_bytes(4, "little") + cursor.header[4:],
            target=job.search_target,
            version_mask=_mask(inner),
        )

    def _open_cursor(self, job: Job, now: float) -> _Cursor | None:
        limit = 1 << (8 * job.extranonce2_size)
        tip = self._tips[job.previous_hash]
        last_offset = min(max(0, int(now - job.received_at)), MAX_NTIME_ROLL)
        while self._ntime_offset <= last_offset:
            ntime = job.ntime + self._ntime_offset
            if ntime >> 32:
                return None
            value = tip.next_extranonce2((self._row_key, ntime), limit)
            if value is not None:
                extranonce2 = value.to_bytes(job.extranonce2_size, "big")
                return _Cursor(extranonce2, ntime, job.header(extranonce2, ntime, 0, job.version).to_bytes())
            self._ntime_offset += 1
        return None


def _row_key(job: Job) -> bytes:
    parts = (
        job.coinbase_prefix,
        job.extranonce1,
        bytes([job.extranonce2_size]),
        job.coinbase_suffix,
        job.nbits.to_bytes(4, "little"),
        *job.merkle_branch,
    )
    return sha256d(b"".join(len(part).to_bytes(4, "little") + part for part in parts))


def _bit_positions(mask: int) -> list[int]:
    return [position for position in range(32) if mask >> position & 1]


def _deposit(index: int, positions: list[int]) -> int:
    """Spread the low bits of ``index`` over ``positions``."""
    return sum((index >> order & 1) << position for order, position in enumerate(positions))


def _mask(positions: list[int]) -> int:
    return sum(1 << position for position in positions)
