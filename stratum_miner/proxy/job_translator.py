"""Translates the pool's jobs into jobs for miners. Sans-IO.

An upstream session is the part of a pool session in which the pool's extranonce1 stays the same. Each job belongs to
the upstream session in which it arrived, and each upstream session validates the shares of its jobs. To find
duplicates, shares are remembered by the content of the pool's job, not by its id. So no share is forwarded twice, even
if the pool sends the same job under another id.

Many miners start their extranonce2 counter again at a clean job, and some at each mining.notify (ESP-Miner). Such a
miner would repeat its work if it got the same job twice. This could happen if a pool repeats a job, if the proxy
switches back to a pool, or if a miner resumes its session. The proxy therefore never announces a job twice in the same
form. The bytes of the pool's extranonce2 that no miner needs are called the *padding*. They become part of the coinb1
that miners get, and each announcement of a job has a padding with a different value. If there are no such bytes, or if
all values of the padding have been used, the announcements differ in their ntime.
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
"""Maximum number of upstream sessions that are remembered. More than one is needed because the proxy can use several
pools in turn, and continues the session of a pool when it returns to this pool."""
MAX_ANNOUNCED = 1024
"""Maximum number of jobs for which the proxy remembers how it has announced them: the jobs of 8 hours, if a job comes
every 30 s."""


class JobChange(Enum):
    """What a new job of the pool changes for the miners."""

    JOB = auto()
    """All miners must get the new job."""
    MASK = auto()
    """Miners need no new job: the new job differs from the current one only in its version mask, which applies at
    once."""
    SPLIT = auto()
    """Miners need new extranonces: either this is the first job, or the pool's extranonce2 has become too short for the
    extranonces that the miners have."""


@dataclass(slots=True, eq=False)
class UpstreamSession:
    """The part of a pool session in which the pool's extranonce1 stays the same."""

    number: int
    """Number of the pool session, as in ``Job.origin.session``."""
    extranonce1: bytes
    extranonce2_size: int
    """Bytes of the pool's extranonce2."""
    split: ExtranonceSplit
    validator: ShareValidator
    mask: int = 0
    """All version bits that the pool has granted in this session. The version of a share can differ from that of the
    job in these bits."""

    @property
    def padding_size(self) -> int:
        """Size of the padding: the number of bytes of the pool's extranonce2 that no miner needs."""
        return self.extranonce2_size - self.split.size

    def as_granted(self, job: Job) -> Job:
        """Return ``job``, a job of this session, with all version bits that the pool has granted up to now. When the
        job arrived, the pool may have granted fewer bits."""
        if job.version_mask == self.mask:
            return job
        return replace(job, version_mask=self.mask, version_rolling=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProxyJob(AnnouncedJob):
    """A pool's job as miners get it. The proxy gives it an id of its own, because two pools may use the same ids."""

    job: Job
    """The job of the pool."""
    session: UpstreamSession
    padding: bytes
    """The first bytes of the pool's extranonce2. No miner needs these bytes, so the proxy chooses their values, and
    appends them to the coinb1 that it sends to its miners."""
    difficulty: float
    """The difficulty of the pool's share target, as a float. It is rounded up, so that every hash that meets this
    difficulty also meets the share target."""


_SessionKey: TypeAlias = tuple[int, bytes, int]
"""Session number, extranonce1 and extranonce2 size of an upstream session."""


@dataclass(slots=True)
class _Announced:
    """How one job has been announced to the miners with mining.notify.

    Each announcement differs from the earlier ones in its padding (the bytes of the pool's extranonce2 that no miner
    needs) or its ntime, so that miners get new work. When all values of the padding have been used, ntime is increased
    by a second, for all miners.

    A miner that connects again and again could increase ntime until the pool rejects all shares. So ntime is never more
    than ``MAX_NTIME_ROLL`` seconds ahead of the clock. At this limit, announcements can repeat earlier ones.
    """

    first_ntime: int
    first_at: float
    ntime: int
    padding_size: int
    padding: int = 0

    def advance(self, ntime: int, padding_size: int, now: float) -> None:
        """Choose the padding (the bytes of the pool's extranonce2 that no miner needs) and the ntime of the
        mining.notify with which the job is announced next. ``ntime`` is the lowest ntime allowed.

        The chosen ntime advances faster than the clock only if all values of the padding were used within a second.
        """
        passed = self.first_ntime + min(int(now - self.first_at), MAX_NTIME_ROLL)
        least = max(ntime, passed)
        self.padding += 1
        if padding_size != self.padding_size or self.padding >> 8 * padding_size:
            self.padding, self.padding_size = 0, padding_size
            self.ntime = min(self.ntime + 1, least + MAX_NTIME_ROLL)
        self.ntime = max(least, self.ntime)


class JobTranslator:
    """Makes jobs for miners from the jobs of the pool. It also has the registry of the miners' extranonce prefixes.

    ``miners`` is the maximum number of miners. Each of them needs a prefix of its own. ``token`` makes session ids that
    nobody can guess. ``first_id``, ``first_prefix`` and ``first_padding`` are the first values of the job id, the
    prefix and the padding (the bytes of the pool's extranonce2 that no miner needs). If they are random, a restarted
    proxy does not repeat the values of its last run. ``memory`` limits the number of remembered shares.
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
        """How the pool's extranonce2 is divided; None before the first job."""
        self.current: ProxyJob | None = None
        """The current job; None while no pool gives work."""
        self.latest: ProxyJob | None = None
        """The newest job, which may be outdated; None before the first."""
        self._miners = miners
        self._ntime_ahead = ntime_ahead
        self._resume_seconds = resume_seconds
        self._token = token
        self._next_id = first_id
        self._first_prefix = first_prefix
        self._first_padding = first_padding
        self._announced: OrderedDict[bytes, _Announced] = OrderedDict()
        """For each of the latest jobs, by the hash of its content: how the job has been announced to the miners. The
        newest job is the last item."""
        self._holders: set[bytes] = set()
        """The extranonce prefixes (parts of the pool's extranonce2, one for each miner) of the miners that got the
        current job."""
        self._memory = memory or FairBound(MAX_SHARES)
        self._seen: WeakValueDictionary[bytes, SeenShares] = WeakValueDictionary()
        """For each job that is still in use, by the hash of its content: the valid shares of the job."""
        self._sessions: OrderedDict[_SessionKey, UpstreamSession] = OrderedDict()
        """The latest upstream sessions; the current one is the last."""
        self.extranonces = self._registry(0, 0)

    def take(self, job: Job, now: float) -> JobChange:
        """Make a pool's job the current job. Return what this job changes for the miners. ``now`` is the time in
        seconds on any clock that does not go back.

        Raises ValueError for a job without a coinbase, because its work cannot be divided among miners.
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
        """Return the current job for a miner that starts to mine with this extranonce prefix, or None if there is no
        job.

        If an earlier miner with this prefix already got the current job, the method first replaces the current job by a
        copy with another ntime, or with other values in the bytes of the pool's extranonce2 that no miner needs. With
        the same job, both miners would do the same work, because the extranonce2 counter of each starts at the same
        value.
        """
        if self.current is not None and extranonce1 in self._holders:
            self._announce(self.current.job, self.current.session, now, clean=False)
        return self.current

    def note_holder(self, extranonce1: bytes) -> None:
        """Remember that a miner with this extranonce prefix got the current job."""
        self._holders.add(extranonce1)

    def lose(self) -> None:
        """Remember that no pool gives work now: there is no current job. The jobs that the miners have stay valid,
        because the pool session may be resumed."""
        self.current = None

    def _widen(self, job: Job) -> None:
        """Allow the version bits of ``job`` in the shares of all jobs of the same pool session, even of jobs with
        another extranonce1."""
        for session in self._sessions.values():
            if session.number == job.origin.session:
                session.mask |= job.version_mask

    def _announce(self, job: Job, session: UpstreamSession, now: float, *, clean: bool) -> None:
        body, (padding, ntime) = _body(job), self._new_work(job, session, now)
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

    def _new_work(self, job: Job, session: UpstreamSession, now: float) -> tuple[bytes, int]:
        """Return two values for the mining.notify with which the proxy announces the job next: the padding (the bytes
        of the pool's extranonce2 that no miner needs) and the ntime. Together, they differ from those of each earlier
        announcement of the job, so that the miners get new work. Announcements can repeat only at the limit of ntime
        (see ``_Announced``)."""
        key, size = job.content_hash(), session.padding_size
        announced = self._announced.get(key)
        if announced is None:
            announced = self._announced[key] = _Announced(job.ntime, now, job.ntime, size)
            if len(self._announced) > MAX_ANNOUNCED:
                self._announced.popitem(last=False)
        else:
            self._announced.move_to_end(key)
            announced.advance(job.ntime, size, now)
        return ((self._first_padding + announced.padding) % (1 << 8 * size)).to_bytes(size, "big"), announced.ntime

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
    raise ValueError("job: expected a coinbase, whose extranonce2 can be divided among miners, got a merkle root")


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
