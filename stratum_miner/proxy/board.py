"""What there is to work on: the pool's jobs, remade for miners. Sans-IO.

A *space* is one session of a pool under one extranonce1. Its shares are judged by a validator of its own; they are
remembered with what the pool sent for a job, its id apart, so none goes up twice. A job belongs to the space it came
in, for ever.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias
from weakref import WeakValueDictionary

from stratum_miner.bitcoin.target import difficulty_to_announce
from stratum_miner.pool.extranonces import ExtranonceRegistry
from stratum_miner.pool.jobs import AnnouncedJob
from stratum_miner.pool.share_memory import SeenShares, ShareMemory
from stratum_miner.pool.validator import ShareValidator
from stratum_miner.proxy.layout import Layout, lay_out
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum.server_connection import encode_announcement
from stratum_miner.work.job import Job

MAX_SPACES = 16
"""Remembered: with several pools in turns each comes back to its own."""


class Change(Enum):
    """What a job of the pool means for the miners."""

    JOB = auto()
    """One more job."""
    MASK = auto()
    """The current job again, under another version mask, which is in force at once."""
    LAYOUT = auto()
    """What miners were told of extranonces is no longer true."""


@dataclass(slots=True, eq=False)
class Space:
    """One session of a pool under one extranonce1."""

    session: int
    extranonce1: bytes
    extranonce2_size: int
    """What the pool gave."""
    layout: Layout
    validator: ShareValidator
    mask: int = 0
    """All version bits that were ever granted: what a submitted version is cut to."""
    entries: int = 0
    """How often it became the current one."""

    @property
    def padding(self) -> bytes:
        """The bytes of the pool's extranonce2 that no miner needs; others after each return from another space, for
        miners that begin to count again must not repeat themselves.
        """
        size = self.extranonce2_size - self.layout.size
        return (self.entries % (1 << 8 * size)).to_bytes(size, "big")

    def as_granted(self, job: Job) -> Job:
        """A job of this space with every version bit that was granted since it came."""
        if job.version_mask == self.mask:
            return job
        return replace(job, version_mask=self.mask, version_rolling=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProxyJob(AnnouncedJob):
    """A pool's job as miners get it; its id is ours, for two pools may use the same."""

    job: Job
    space: Space
    padding: bytes
    difficulty: float
    """What miners may be told at the least, so that their shares meet the pool's target."""


_SpaceKey: TypeAlias = tuple[int, bytes, int]


class Board:
    """The current job, the layout, and who has which prefix. ``first_id`` and ``first_prefix`` are where counting
    starts: a random start keeps a restarted proxy from repeating what it said before.
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
        memory: ShareMemory | None = None,
    ) -> None:
        self.layout: Layout | None = None
        """None before the first job."""
        self.current: ProxyJob | None = None
        """None while no pool gives work."""
        self.latest: Job | None = None
        """The last job there was."""
        self._miners = miners
        self._ntime_ahead = ntime_ahead
        self._resume_seconds = resume_seconds
        self._token = token
        self._next_id = first_id
        self._first_prefix = first_prefix
        self._memory = memory or ShareMemory()
        self._seen: WeakValueDictionary[object, SeenShares] = WeakValueDictionary()
        """By the coinbase and the branch of the jobs that are still known."""
        self._spaces: OrderedDict[_SpaceKey, Space] = OrderedDict()
        """The current one is the last."""
        self.extranonces = self._registry(0)

    def take(self, job: Job) -> Change:
        """Make a pool's job the current one."""
        current, self.latest = self.current, job
        space = self._spaces.get(_space_key(job))
        if current is not None and current.space is space and _differ_in_mask_only(current.job, job):
            space.mask |= job.version_mask
            self.current = replace(current, job=job)
            return Change.MASK
        relaid = self.layout is None or self.layout.size > job.extranonce2_size
        if relaid:
            self._relay(job)
            space = None
        entered = space is None or next(reversed(self._spaces.values())) is not space
        space = self._enter(job) if entered or space is None else space
        space.mask |= job.version_mask
        space.validator.set_tip(job.previous_hash)
        repeated = current is not None and current.space is space and _content(current.job) == _content(job)
        self.current = self._remake(job, space, clean=job.clean_jobs or entered, repeated=repeated)
        return Change.LAYOUT if relaid else Change.JOB

    def lose(self) -> None:
        """No pool gives work any more; what miners have may still be worth something if the session is resumed."""
        self.current = None

    def _remake(self, job: Job, space: Space, *, clean: bool, repeated: bool) -> ProxyJob:
        if repeated and self.current is not None:
            job_id = self.current.notify.job_id
        else:
            job_id = f"{self._next_id & 0xFFFFFFFF:x}"
            self._next_id += 1
        notify = Notify(
            job_id=job_id,
            previous_hash=job.previous_hash,
            coinbase_prefix=job.coinbase_prefix + job.extranonce1 + space.padding,
            coinbase_suffix=job.coinbase_suffix,
            merkle_branch=job.merkle_branch,
            version=job.version,
            nbits=job.nbits,
            ntime=job.ntime,
            clean_jobs=clean,
        )
        line = encode_announcement(notify)
        return ProxyJob(
            notify=notify,
            network_target=job.network_target,
            line=line,
            clean_line=line if clean else encode_announcement(replace(notify, clean_jobs=True)),
            seen=self._seen.setdefault(_work(job), SeenShares()),
            job=job,
            space=space,
            padding=space.padding,
            difficulty=difficulty_to_announce(job.share_target),
        )

    def _enter(self, job: Job) -> Space:
        key = _space_key(job)
        space = self._spaces.pop(key, None) or self._new_space(job)
        space.entries += 1
        self._spaces[key] = space
        if len(self._spaces) > MAX_SPACES:
            self._spaces.popitem(last=False)
        return space

    def _new_space(self, job: Job) -> Space:
        assert self.layout is not None, "a job was taken"
        validator = ShareValidator(
            extranonce2_size=self.layout.extranonce2_size, ntime_ahead=self._ntime_ahead, memory=self._memory
        )
        return Space(job.session, job.extranonce1, job.extranonce2_size, self.layout, validator, entries=-1)

    def _relay(self, job: Job) -> None:
        self.layout = lay_out(job.extranonce2_size, self._miners)
        self.extranonces = self._registry(self.layout.prefix_size)
        self._spaces.clear()

    def _registry(self, size: int) -> ExtranonceRegistry:
        return ExtranonceRegistry(
            first=self._first_prefix, resume_seconds=self._resume_seconds, token=self._token, size=size
        )


def _space_key(job: Job) -> _SpaceKey:
    return job.session, job.extranonce1, job.extranonce2_size


def _work(job: Job) -> object:
    """What two jobs have in common that can be solved by the same header."""
    return job.previous_hash, job.coinbase_prefix, job.extranonce1, job.coinbase_suffix, job.merkle_branch


def _content(job: Job) -> object:
    return (
        job.job_id,
        job.previous_hash,
        job.coinbase_prefix,
        job.coinbase_suffix,
        job.merkle_branch,
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
