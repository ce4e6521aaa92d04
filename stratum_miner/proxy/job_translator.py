"""What there is to work on: the pool's jobs, remade for miners. Sans-IO.

The shares of an upstream session are judged by a validator of its own; they are remembered with what the pool sent for
a job, its id apart, so none goes up twice. A job belongs to the upstream session it came in, for ever.

Many miners count their extranonce2 from the beginning at a clean job, some at every notify (ESP-Miner). So whatever is
announced anew must be new work, also where a pool repeats a job, where another pool's turn is over, and where a miner
returns to its prefix. Each announcement of the same work has bytes of its own in the part of the pool's extranonce2
that no miner needs, its *padding*. Where there is none, and once all have been used, it has an ntime of its own.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias
from weakref import WeakValueDictionary

from stratum_miner.bitcoin.target import difficulty_to_announce
from stratum_miner.downstream.extranonces import ExtranonceRegistry
from stratum_miner.downstream.jobs import AnnouncedJob, JobContent, notify_lines
from stratum_miner.downstream.share_memory import MAX_SHARES, SeenShares
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.proxy.extranonce_sizes import ExtranonceSplit, split_extranonce2
from stratum_miner.work.job import CoinbaseBody, Job
from stratum_miner.work.space import MAX_NTIME_ROLL

MAX_SESSIONS = 16
"""Remembered: with several pools in turns each comes back to its own."""
MAX_BEGINNINGS = 1024
"""Jobs of which it is remembered how they were announced: eight hours of one every half minute."""


class JobChange(Enum):
    """What a job of the pool means for the miners."""

    JOB = auto()
    """Another job, for all miners."""
    MASK = auto()
    """The current job again, under another version mask, which is in force at once."""
    SPLIT = auto()
    """What miners were told of extranonces is no longer true."""


@dataclass(slots=True, eq=False)
class UpstreamSession:
    """One session of a pool under one extranonce1."""

    number: int
    extranonce1: bytes
    extranonce2_size: int
    """What the pool gave."""
    split: ExtranonceSplit
    validator: ShareValidator
    mask: int = 0
    """All version bits that were ever granted in this session: what a submitted version is cut to."""

    @property
    def padding_size(self) -> int:
        """How many bytes of the pool's extranonce2 no miner needs."""
        return self.extranonce2_size - self.split.size

    def as_granted(self, job: Job) -> Job:
        """A job of this session with every version bit that was granted since it came."""
        if job.version_mask == self.mask:
            return job
        return replace(job, version_mask=self.mask, version_rolling=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProxyJob(AnnouncedJob):
    """A pool's job as miners get it; its id is ours, for two pools may use the same."""

    job: Job
    session: UpstreamSession
    padding: bytes
    difficulty: float
    """What miners may be told at the least, so that their shares meet the pool's target."""


_SessionKey: TypeAlias = tuple[int, bytes, int]


@dataclass(slots=True)
class _Beginnings:
    """Where miners began on the same work: no two announcements of it have both padding and ntime in common.

    But for a flood of them: a miner that connects again and again must not drive the time of all to where the pool
    refuses it, so the time goes no further than ``MAX_NTIME_ROLL`` ahead, and the rest of the flood repeats itself.
    """

    first_ntime: int
    first_at: float
    ntime: int
    padding_size: int
    padding: int = 0

    def another(self, ntime: int, padding_size: int, now: float) -> None:
        """Go on to the next; its ntime is not ahead of the time that passed, unless they follow within a second."""
        passed = self.first_ntime + min(int(now - self.first_at), MAX_NTIME_ROLL)
        least = max(ntime, passed)
        self.padding += 1
        if padding_size != self.padding_size or self.padding >> 8 * padding_size:
            self.padding, self.padding_size = 0, padding_size
            self.ntime = min(self.ntime + 1, least + MAX_NTIME_ROLL)
        self.ntime = max(least, self.ntime)


class JobTranslator:
    """The current job, the split of its extranonce2, and the registry that says who has which prefix. ``first_id``,
    ``first_prefix`` and ``first_padding`` are where counting starts: a random start keeps a restarted proxy from
    repeating what it said.
    """

    def __init__(
        self,
        miners: int,
        *,
        ntime_ahead: int,
        resume_seconds: float,
        token: Callable[[], str],
        first_id: int = 1,
        first_prefix: int = 0,
        first_padding: int = 0,
        memory: FairBound | None = None,
    ) -> None:
        self.split: ExtranonceSplit | None = None
        """The sizes of prefixes; None before the first job."""
        self.current: ProxyJob | None = None
        """The current job; None while no pool gives work."""
        self.latest: ProxyJob | None = None
        """The last job there was."""
        self._miners = miners
        self._ntime_ahead = ntime_ahead
        self._resume_seconds = resume_seconds
        self._token = token
        self._next_id = first_id
        self._first_prefix = first_prefix
        self._first_padding = first_padding
        self._beginnings: OrderedDict[bytes, _Beginnings] = OrderedDict()
        """By the content of jobs, the latest last."""
        self._holders: set[bytes] = set()
        """The prefixes under which the current job was given out."""
        self._memory = memory or FairBound(MAX_SHARES)
        self._seen: WeakValueDictionary[bytes, SeenShares] = WeakValueDictionary()
        """By the content of the jobs that are still known."""
        self._sessions: OrderedDict[_SessionKey, UpstreamSession] = OrderedDict()
        """The current one is the last."""
        self.extranonces = self._registry(0, 0)

    def take(self, job: Job, now: float = 0.0) -> JobChange:
        """Make a pool's job the current one. ``now``: seconds of any clock that does not go back.

        Raises ValueError for a job whose coinbase the pool does not show.
        """
        current = self.current
        session = self._sessions.get(_session_key(job))
        if current is not None and current.session is session and _differ_in_mask_only(current.job, job):
            self._widen(job)
            self.current = self.latest = replace(current, job=job, rollable_mask=job.rollable_mask)
            return JobChange.MASK
        resplit = self.split is None or self.split.size > job.extranonce2_size
        if resplit:
            self._split_anew(job)
            session = None
        entered = session is None or next(reversed(self._sessions.values())) is not session
        session = self._enter(job) if entered or session is None else session
        self._widen(job)
        session.validator.set_tip(job.previous_hash)
        self._announce(job, session, now, clean=job.clean_jobs or entered)
        return JobChange.SPLIT if resplit else JobChange.JOB

    def job_for(self, extranonce1: bytes, now: float) -> ProxyJob | None:
        """The current job for a miner that begins under this prefix; made anew if the prefix had it before.

        A miner that comes back may count from the beginning again, and so does another one that gets its prefix.
        """
        if self.current is not None and extranonce1 in self._holders:
            self._announce(self.current.job, self.current.session, now, clean=False)
        return self.current

    def note_holder(self, extranonce1: bytes) -> None:
        """The current job was given out under this prefix."""
        self._holders.add(extranonce1)

    def lose(self) -> None:
        """No pool gives work any more; what miners have may still be worth something if the session is resumed."""
        self.current = None

    def _widen(self, job: Job) -> None:
        """A mask counts for all jobs of its session, under whatever extranonce1 they came."""
        for session in self._sessions.values():
            if session.number == job.origin.session:
                session.mask |= job.version_mask

    def _announce(self, job: Job, session: UpstreamSession, now: float, *, clean: bool) -> None:
        body, (padding, ntime) = _body(job), self._begin(job, session, now)
        content = JobContent(
            job_id=f"{self._next_id & 0xFFFFFFFF:x}",
            previous_hash=job.previous_hash,
            coinbase_prefix=body.prefix + body.extranonce1 + padding,
            coinbase_suffix=body.suffix,
            merkle_branch=body.branch,
            version=job.version,
            nbits=job.nbits,
            ntime=ntime,
            clean=clean,
        )
        self._next_id += 1
        self._holders.clear()
        line, clean_line = notify_lines(content)
        self.current = self.latest = ProxyJob(
            content=content,
            network_target=job.network_target,
            rollable_mask=job.rollable_mask,
            origin=job.origin.session,
            line=line,
            clean_line=clean_line,
            seen=self._seen.setdefault(job.content_hash(), SeenShares()),
            job=job,
            session=session,
            padding=padding,
            difficulty=difficulty_to_announce(job.share_target),
        )

    def _begin(self, job: Job, session: UpstreamSession, now: float) -> tuple[bytes, int]:
        """Padding and ntime of an announcement of this job that makes it new work."""
        key, size = job.content_hash(), session.padding_size
        begun = self._beginnings.get(key)
        if begun is None:
            begun = self._beginnings[key] = _Beginnings(job.ntime, now, job.ntime, size)
            if len(self._beginnings) > MAX_BEGINNINGS:
                self._beginnings.popitem(last=False)
        else:
            self._beginnings.move_to_end(key)
            begun.another(job.ntime, size, now)
        return ((self._first_padding + begun.padding) % (1 << 8 * size)).to_bytes(size, "big"), begun.ntime

    def _enter(self, job: Job) -> UpstreamSession:
        key = _session_key(job)
        session = self._sessions.pop(key, None) or self._new_session(job)
        self._sessions[key] = session
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def _new_session(self, job: Job) -> UpstreamSession:
        assert self.split is not None, "a job was taken"
        validator = ShareValidator(
            extranonce2_size=self.split.extranonce2_size, ntime_ahead=self._ntime_ahead, memory=self._memory
        )
        return UpstreamSession(*_session_key(job), self.split, validator)

    def _split_anew(self, job: Job) -> None:
        self.split = split_extranonce2(job.extranonce2_size, self._miners)
        self.extranonces = self._registry(self.split.prefix_size, self.split.extranonce2_size)
        self._sessions.clear()

    def _registry(self, size: int, extranonce2_size: int) -> ExtranonceRegistry[ProxyJob]:
        return ExtranonceRegistry(
            first=self._first_prefix,
            resume_seconds=self._resume_seconds,
            token=self._token,
            size=size,
            extranonce2_size=extranonce2_size,
        )


def _session_key(job: Job) -> _SessionKey:
    return job.origin.session, _body(job).extranonce1, job.extranonce2_size


def _body(job: Job) -> CoinbaseBody:
    match job.body:
        case CoinbaseBody() as body:
            return body
    raise ValueError("job: expected a coinbase to divide among miners, got a bare merkle root")


def _content(job: Job) -> object:
    return (
        job.job_id,
        job.previous_hash,
        job.body,
        job.version,
        job.nbits,
        job.ntime,
        job.share_target,
    )


def _differ_in_mask_only(before: Job, after: Job) -> bool:
    return (
        _content(before) == _content(after)
        and not after.clean_jobs
        and (before.version_mask, before.version_rolling) != (after.version_mask, after.version_rolling)
    )
