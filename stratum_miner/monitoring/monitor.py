"""Watches one miner: samples its snapshots, remembers its shares, blocks and history, and makes views of it all.

Time is two clocks: ``clock`` for durations, the one of the snapshots; ``wall_clock`` for dates.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
import trio

from stratum_miner import __version__
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.economics.odds import Luck, count_interval, hash_rate_from_shares, seconds_per_share
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.miner.events import JobStarted, MinerEvent
from stratum_miner.miner.snapshot import JobSnapshot, MinerSnapshot, ShareSource
from stratum_miner.monitoring import devices
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.health import Health, Key, Verdict
from stratum_miner.monitoring.history import History
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.monitoring.view import (
    BlockView,
    Estimate,
    JobView,
    LuckView,
    Point,
    ProblemView,
    SharesView,
    ShareView,
    Summary,
    View,
    as_report,
)
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import Fate, ShareResult

log = structlog.get_logger(__name__)

SAMPLE_S = 0.5
SHARES_KEPT = 200
BLOCKS_KEPT = 1000
SHOWN_BLOCKS = 100
SHOWN_EVENTS = 100
INTERVALS_AGE_S = 10.0
"""Exact intervals of large counts take tens of milliseconds, so they may be this old."""


class Monitor:
    """``note`` each event of the miner, ``run`` beside it, ask for a ``view`` at any time; all from the trio thread."""

    def __init__(
        self,
        snapshot: Callable[[], MinerSnapshot],
        events: EventLog,
        *,
        power_w: Callable[[], float | None] = lambda: None,
        economics: Callable[[Summary], dict[str, Any] | None] = lambda summary: None,
        source: Callable[[Share], ShareSource] = lambda share: ShareSource(pool_id=None, pool="", device_id=-1),
        problems: Callable[[], Sequence[ProblemView]] = tuple,
        pauses: Callable[[], Mapping[str, str]] = dict,
        hide: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.events = events
        self._snapshot = snapshot
        self._power_w = power_w
        self._economics = economics
        self._source = source
        self._problems = problems
        self._pauses = pauses
        self._hide = hide
        self._clock = clock
        self._wall_clock = wall_clock
        self._started_at = wall_clock()
        self._sampled_at = clock()
        self._history = History()
        self._devices = devices.DeviceMeters()
        self._health = Health()
        self._has_mined = False
        """Whether any device mined at any sample of this run."""
        self._dead: set[Key] = set()
        """Search threads that make no hashes; a device of its own is told by its driver."""
        self._shares: deque[ShareView] = deque(maxlen=SHARES_KEPT)
        self._blocks: deque[BlockView] = deque(maxlen=BLOCKS_KEPT)
        self._difficulties = Difficulties()
        self._best = _Bests()
        self._best_of_pools: defaultdict[int | None, _Bests] = defaultdict(_Bests)
        self._tips: deque[bytes] = deque(maxlen=BLOCKS_KEPT)
        """Blocks that jobs were built upon, the newest last."""
        self._tips_seen = 0
        self._tip_at: float | None = None
        self._job_at: float | None = None
        self._solved: deque[bytes] = deque(maxlen=BLOCKS_KEPT)
        """Previous hashes on which a block was accepted: a second one there is a sibling."""
        self._last_accepted: float | None = None
        self._hashes_at_point = (clock(), 0)
        self._intervals: tuple[float, Estimate | None, LuckView] | None = None

    # ---- what it is told ------------------------------------------------------------------------------------------

    def note(self, event: MinerEvent) -> None:
        """Take one event of the miner."""
        if isinstance(event, ShareResult):
            self._note_share(event)
        elif isinstance(event, JobStarted):
            self._job_at = self._wall_clock()
            if event.job.previous_hash not in self._tips:
                self._tips.append(event.job.previous_hash)
                self._tips_seen += 1
                self._tip_at = self._job_at

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.sample()
            await trio.sleep(SAMPLE_S)

    def sample(self) -> None:
        """Look at the miner once."""
        snapshot, now, date = self._snapshot(), self._clock(), self._wall_clock()
        self._sampled_at = now
        verdict = self._verdict(snapshot, now)
        self._has_mined = self._has_mined or verdict.devices_mining > 0
        self._tell_of_threads(verdict)
        self._devices.sample(now, date, snapshot.backends, verdict.devices, ran=now - snapshot.left_out)
        if self._history.wants(date):
            self._history.add(self._point(snapshot, now - snapshot.left_out, date))

    def _tell_of_threads(self, verdict: Verdict) -> None:
        for key, condition in verdict.devices.items():
            if condition.state == "dead" and condition.is_thread and key not in self._dead:
                self._dead.add(key)
                log.warning("device_state", device=key[1], state=condition.state, reason=condition.reason)
            elif condition.mines and key in self._dead:
                self._dead.remove(key)
                log.info("device_state", device=key[1], state=condition.state, reason="it makes hashes again")

    def _note_share(self, outcome: ShareResult) -> None:
        share, now = outcome.share, self._wall_clock()
        accepted = outcome.fate is Fate.ACCEPTED
        source = self._source(share)
        block = display_hash(share.digest) if share.is_block else None
        self._shares.append(
            ShareView(
                at=now,
                backend=share.backend,
                device=share.device,
                device_id=source.device_id,
                pool=source.pool,
                pool_id=source.pool_id,
                job_id=self._job_id(share.job.job_id),
                difficulty=share.difficulty,
                share_difficulty=share.job.share_difficulty,
                fate=outcome.fate.value,
                reason=sanitize(outcome.reason, SENTENCE_CHARACTERS),
                latency_ms=None if outcome.latency is None else outcome.latency * 1000,
                block=block,
            )
        )
        is_new_block = accepted and block is not None and share.job.previous_hash not in self._solved
        self._devices.settled(outcome, is_block=is_new_block, at=now, pool_id=source.pool_id)
        if outcome.latency is not None and outcome.fate is not Fate.LOST:
            self._health.answered(source.pool_id, "" if accepted else outcome.cause or "none given")
        self._difficulties.add(outcome)
        self._best_of_pools[source.pool_id].add(now, share.difficulty)
        self._best.add(now, share.difficulty)
        if accepted:
            self._last_accepted = self._clock()
        if is_new_block and block is not None:
            self._solved.append(share.job.previous_hash)
            self._blocks.append(
                BlockView(
                    at=now,
                    height=share.job.height,
                    hash=block,
                    pool=source.pool,
                    pool_id=source.pool_id,
                    difficulty=share.difficulty,
                )
            )

    # ---- what it tells --------------------------------------------------------------------------------------------

    def view(self) -> View:
        """Everything at this moment."""
        snapshot, now = self._snapshot(), self._clock()
        verdict = self._verdict(snapshot, now)
        return View(
            at=self._wall_clock(),
            summary=self._summary(snapshot, verdict, now),
            pools=tuple(pool_view(priority, status) for priority, status in enumerate(snapshot.pools)),
            devices=self._devices.views(now, snapshot.backends, verdict.devices),
            shares=tuple(self._shares),
            blocks=self.blocks()[-SHOWN_BLOCKS:],
            events=self.events.newest(SHOWN_EVENTS),
            history=self._history.fine(),
        )

    def best_share_since(self, at: float, pool_id: int | None = None) -> float:
        """Difficulty of the best share that was settled from that Unix time on: of the pool of that id, or of all."""
        return (self._best if pool_id is None else self._best_of_pools[pool_id]).since(at)

    def blocks(self) -> tuple[BlockView, ...]:
        """The newest thousand, the newest last."""
        return tuple(self._blocks)

    def report(self) -> dict[str, Any]:
        """What ``--json`` prints, with all blocks that are remembered."""
        return as_report(replace(self.view(), blocks=self.blocks()))

    @property
    def has_mined(self) -> bool:
        """Whether any device mined in this run, even if it had no time to report a nonce that shows its hashes."""
        return self._has_mined or any(backend.hashes for backend in self._snapshot().backends)

    def history(self) -> tuple[Point, ...]:
        """Of the last day."""
        return self._history.points()

    def _verdict(self, snapshot: MinerSnapshot, now: float) -> Verdict:
        others = list(self._problems())
        if snapshot.journal_problem:
            others.append(
                ProblemView(
                    severity="warning",
                    kind="journal",
                    text=f"{snapshot.journal_problem[:1].upper()}{snapshot.journal_problem[1:]}.",
                    advice="Make room on its disk. Mining goes on, and the records are kept until they can be written.",
                )
            )
        return self._health.look(now, snapshot, pauses=self._pauses(), others=others)

    def _summary(self, snapshot: MinerSnapshot, verdict: Verdict, now: float) -> Summary:
        implied, luck = self._estimates(snapshot, now)
        rate = snapshot.hash_rate_1m
        difficulty = snapshot.client.difficulty
        power, partial = self._power(snapshot)
        minutes = snapshot.elapsed / 60
        summary = Summary(
            version=__version__,
            state=verdict.state,
            detail=verdict.detail,
            devices_mining=verdict.devices_mining,
            devices_total=verdict.devices_total,
            problems=verdict.problems,
            started_at=self._started_at,
            elapsed_s=snapshot.elapsed,
            frozen_s=snapshot.frozen,
            sample_age_s=now - self._sampled_at,
            hash_rate=snapshot.hash_rate,
            hash_rate_5s=snapshot.hash_rate_5s,
            hash_rate_1m=rate,
            hash_rate_5m=snapshot.hash_rate_5m,
            hash_rate_15m=snapshot.hash_rate_15m,
            implied_hash_rate=implied,
            shares=_shares(snapshot),
            reasons={sanitize(reason): count for reason, count in snapshot.reasons},
            all_runs=_all_runs(snapshot),
            blocks_accepted=snapshot.blocks_accepted,
            best_share=snapshot.best_share,
            difficulties=self._difficulties.by_fate(),
            last_share_age_s=None if self._last_accepted is None else now - self._last_accepted,
            share_every_s=seconds_per_share(difficulty, rate) if difficulty is not None and rate > 0 else None,
            work_utility=snapshot.accepted_difficulty / minutes if minutes > 0 else 0.0,
            luck=luck,
            hardware_errors=snapshot.hardware_errors,
            below_target=snapshot.below_target,
            withheld=snapshot.withheld,
            height=snapshot.height,
            work_units=snapshot.work_units,
            blocks_seen=self._tips_seen,
            block_at=self._tip_at,
            last_job_at=self._job_at,
            network_difficulty=snapshot.network_difficulty,
            job=None if snapshot.job is None else self._job(snapshot.job),
            pool=str(snapshot.client.url),
            worker_name=sanitize(snapshot.client.worker_name),
            power_w=power,
            power_is_partial=partial,
            joules_per_terahash=None if partial else _efficiency(power, snapshot.hash_rate_5m),
            economics=None,
        )
        return replace(summary, economics=self._economics(summary))

    def _power(self, snapshot: MinerSnapshot) -> tuple[float | None, bool]:
        """Watts, and whether devices that use some are left out."""
        configured = self._power_w()
        return devices.measured_power(snapshot.backends) if configured is None else (configured, False)

    def _point(self, snapshot: MinerSnapshot, now: float, date: float) -> Point:
        """``now`` on the clock without the time that the process did not run."""
        hashes = sum(backend.hashes for backend in snapshot.backends)
        since, before = self._hashes_at_point
        self._hashes_at_point = (now, hashes)
        latencies = [pool.latency_p50 for pool in snapshot.pools if pool.active and pool.latency_p50 is not None]
        return Point(
            at=date,
            hash_rate=(hashes - before) / (now - since) if now > since else 0.0,
            accepted=snapshot.shares.accepted,
            rejected=snapshot.shares.rejected,
            stale=snapshot.shares.stale,
            lost=snapshot.shares.lost,
            latency_ms=latencies[0] * 1000 if latencies else None,
            temperature_c=devices.hottest(snapshot.backends),
            power_w=self._power(snapshot)[0],
        )

    def _job(self, job: JobSnapshot) -> JobView:
        return JobView(
            job_id=self._job_id(job.job_id),
            age_s=job.age,
            previous_hash=display_hash(job.previous_hash),
            share_difficulty=job.share_difficulty,
            network_difficulty=job.network_difficulty,
            version_mask=f"{job.version_mask:08x}",
            version=job.version,
        )

    def _job_id(self, job_id: str) -> str:
        return sanitize(self._hide(job_id))

    def _estimates(self, snapshot: MinerSnapshot, now: float) -> tuple[Estimate | None, LuckView]:
        if self._intervals is None or now - self._intervals[0] >= INTERVALS_AGE_S or snapshot.lucky < 1000:
            self._intervals = (now, _implied(snapshot), _luck(snapshot))
        return self._intervals[1:]


def _shares(snapshot: MinerSnapshot) -> SharesView:
    counts = snapshot.shares
    return SharesView(
        found=snapshot.found,
        accepted=counts.accepted,
        rejected=counts.rejected,
        stale=counts.stale,
        lost=counts.lost,
        open=snapshot.found - counts.total,
    )


def _all_runs(snapshot: MinerSnapshot) -> dict[str, int] | None:
    counts = snapshot.journalled
    if counts is None:
        return None
    return {"accepted": counts.accepted, "rejected": counts.rejected, "stale": counts.stale, "lost": counts.lost}


def _implied(snapshot: MinerSnapshot) -> Estimate | None:
    """By the exact interval of the count; the mean difficulty of the shares is taken as known."""
    count = snapshot.shares.accepted
    if not count or snapshot.elapsed <= 0:
        return None
    bounds = count_interval(count)
    rate = hash_rate_from_shares(snapshot.accepted_difficulty, snapshot.elapsed)
    return Estimate(value=rate, low=rate * bounds.low / count, high=rate * bounds.high / count)


def _luck(snapshot: MinerSnapshot) -> LuckView:
    luck = Luck(snapshot.lucky, snapshot.expected)
    interval = luck.interval()
    return LuckView(
        found=luck.found,
        expected=luck.expected,
        ratio=luck.ratio,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _efficiency(power_w: float | None, hash_rate: float) -> float | None:
    return power_w / hash_rate * 1e12 if power_w is not None and hash_rate > 0 else None


class _Bests:
    """The best share from any time on: each share that no later one surpassed, the best first; a handful of them."""

    def __init__(self) -> None:
        self._unsurpassed: list[tuple[float, float]] = []

    def add(self, at: float, difficulty: float) -> None:
        while self._unsurpassed and self._unsurpassed[-1][1] <= difficulty:
            self._unsurpassed.pop()
        self._unsurpassed.append((at, difficulty))

    def since(self, at: float) -> float:
        return next((difficulty for settled, difficulty in self._unsurpassed if settled >= at), 0.0)
