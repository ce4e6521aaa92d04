"""Watches one miner: takes a snapshot of it at regular times, keeps its shares, blocks and history, and builds views
from them.

The monitor uses two clocks. ``clock`` returns seconds since an arbitrary moment. This clock is never adjusted, so the
monitor measures intervals with it. It must be the clock from which the miner's ``Job.received_at`` comes. The other
clock, ``wall_clock``, returns Unix times.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
import trio

from stratum_miner.backends.statistics import DeviceKey, device_key
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.miner.events import JobStarted, MinerEvent
from stratum_miner.miner.snapshot import MinerSnapshot, keyed_devices
from stratum_miner.monitoring import devices
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.health import Health, HealthVerdict
from stratum_miner.monitoring.history import History
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.pools import pool_view
from stratum_miner.monitoring.share_outcomes import ShareOutcomes
from stratum_miner.monitoring.summary import summary
from stratum_miner.monitoring.tips import Tips
from stratum_miner.monitoring.view import BlockView, Point, ProblemView, ShareView, Summary, View, as_report
from stratum_miner.work.share_result import ShareOutcome, ShareResult

log = structlog.get_logger(__name__)

SAMPLE_S = 0.5
LAST_POWER_S = 60.0
"""At the end of a run, the devices are already off. The power that was measured last is then used as the power of the
run. If that measurement is older than this number of seconds, the power is not known."""
SHOWN_BLOCKS = 100
SHOWN_EVENTS = 100


class Monitor:
    """Watches one miner. Call ``note`` with each event, keep ``run`` running, and call ``view`` at any time.

    All methods must be called from the trio thread.
    """

    def __init__(
        self,
        snapshot: Callable[[], MinerSnapshot],
        events: EventLog,
        *,
        numbers: Numbers | None = None,
        power_w: Callable[[], float | None] = lambda: None,
        economics: Callable[[Summary], dict[str, Any] | None] = lambda summary: None,
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
        self._problems = problems
        self._pauses = pauses
        self._hide = hide
        self._clock = clock
        self._wall_clock = wall_clock
        self._started_at = wall_clock()
        self._sampled_at = clock()
        self._history = History()
        self.numbers = Numbers() if numbers is None else numbers
        self._devices = devices.DeviceMeters(self.numbers)
        self._health = Health(self.numbers)
        self._has_mined = False
        """Whether a device was mining in at least one snapshot of the miner since the program started."""
        self._dead: set[DeviceKey] = set()
        """Search threads that this class has logged as dead. This class does not log dead hardware devices, because
        their drivers do that."""
        self._shares = ShareOutcomes()
        self._tips = Tips()
        self._last_accepted: float | None = None
        self._hashes_at_point = (clock(), 0)
        self._has_ended = False
        self._last_power: tuple[float, tuple[float | None, bool]] | None = None
        """When the devices last measured their power (on ``clock``), and the result of ``measured_power`` at that
        time."""

    # ---- what comes in --------------------------------------------------------------------------------------------

    def note(self, event: MinerEvent) -> None:
        """Process one event of the miner, such as the result of a share."""
        if isinstance(event, ShareResult):
            self._note_share(event)
        elif isinstance(event, JobStarted):
            job = event.job
            self._tips.note(job.previous_hash, job.received_at, self._wall_clock() - self._clock() + job.received_at)

    async def run(self) -> None:
        """Take a sample every ``SAMPLE_S`` seconds until cancelled. The cancellation counts as the end of the miner's
        run."""
        try:
            while True:
                self.sample()
                await trio.sleep(SAMPLE_S)
        finally:
            self._has_ended = True

    def sample(self) -> None:
        """Take one sample of the miner."""
        snapshot, now, date = self._snapshot(), self._clock(), self._wall_clock()
        self._sampled_at = now
        verdict = self._verdict(snapshot, now)
        self._has_mined = self._has_mined or verdict.devices_mining > 0
        power = devices.measured_power(snapshot.backends)
        if power[0] is not None:
            self._last_power = now, power
        self._log_thread_states(snapshot, verdict)
        self._devices.sample(now, date, snapshot.backends, verdict.devices, ran=now - snapshot.left_out)
        if self._history.is_due(date):
            self._history.add(self._point(snapshot, now - snapshot.left_out, date))

    def _log_thread_states(self, snapshot: MinerSnapshot, verdict: HealthVerdict) -> None:
        for key, _, device in keyed_devices(snapshot.backends):
            condition = verdict.devices[key]
            if condition.state == "dead" and condition.is_thread and key not in self._dead:
                self._dead.add(key)
                log.warning("device_state", device=device.name, state=condition.state, reason=condition.reason)
            elif condition.mines and key in self._dead:
                self._dead.remove(key)
                log.info("device_state", device=device.name, state=condition.state, reason="it computes hashes again")

    def _note_share(self, result: ShareResult) -> None:
        share = result.share
        pool, device = share.job.origin.pool, device_key(share.backend, share.device)
        if not (self.numbers.pools.has(pool) and self.numbers.devices.has(device)):
            self.numbers.see(self._snapshot())  # a pool or device that was added after the last sample has no id yet
        accepted = result.outcome is ShareOutcome.ACCEPTED
        shown = ShareView(
            at=self._wall_clock(),
            backend=share.backend,
            device=share.device,
            device_id=self.numbers.devices.of(device),
            pool=sanitize(self.numbers.pool_names.get(pool, "")),
            pool_id=self.numbers.pools.of(pool),
            job_id=self._job_id(share.job.job_id),
            difficulty=share.difficulty,
            share_difficulty=share.job.share_difficulty,
            fate=result.outcome.value,
            reason=sanitize(result.reason, SENTENCE_CHARACTERS),
            latency_ms=None if result.latency is None else result.latency * 1000,
            block=display_hash(share.digest) if share.is_block else None,
        )
        is_new_block = self._shares.add(result, shown)
        self._devices.resolved(result, is_block=is_new_block, at=shown.at, pool_id=shown.pool_id)
        if result.latency is not None and result.outcome is not ShareOutcome.LOST:
            self._health.pools.answered(pool, "" if accepted else result.cause or "none given")
        if accepted:
            self._last_accepted = self._clock()

    # ---- what can be read -----------------------------------------------------------------------------------------

    def view(self) -> View:
        """Return the view of the miner at this moment."""
        snapshot, now = self._snapshot(), self._clock()
        verdict = self._verdict(snapshot, now)
        return View(
            at=self._wall_clock(),
            summary=self._summary(snapshot, verdict, now),
            pools=tuple(
                pool_view(self.numbers.pools.of(status.key), priority, status)
                for priority, status in enumerate(snapshot.pools)
            ),
            devices=self._devices.views(now, snapshot.backends, verdict.devices),
            shares=tuple(self._shares.newest),
            blocks=self.blocks()[-SHOWN_BLOCKS:],
            events=self.events.newest(SHOWN_EVENTS),
            history=self._history.fine(),
        )

    def best_share_since(self, at: float, pool_id: int | None = None) -> float:
        """Return the highest difficulty among shares resolved at or after the Unix time ``at``; 0 if there is none.

        Without ``pool_id``, the shares of all pools count.
        """
        return self._shares.best_since(at, pool_id)

    def blocks(self) -> tuple[BlockView, ...]:
        """Return the newest 1,000 blocks, the newest last."""
        return tuple(self._shares.blocks)

    def report(self) -> dict[str, Any]:
        """Return what ``--json`` prints: the view, with all blocks that are kept."""
        return as_report(replace(self.view(), blocks=self.blocks()))

    @property
    def has_mined(self) -> bool:
        """Whether any device has mined since the program started, even if the device never reported a nonce."""
        return self._has_mined or any(backend.hashes for backend in self._snapshot().backends)

    def history(self) -> tuple[Point, ...]:
        """Return the points of the history, for charts of the last day, the oldest first."""
        return self._history.points()

    def _verdict(self, snapshot: MinerSnapshot, now: float) -> HealthVerdict:
        others = list(self._problems())
        if snapshot.journal_problem:
            others.append(
                ProblemView(
                    severity="warning",
                    kind="journal",
                    text=f"{snapshot.journal_problem[:1].upper()}{snapshot.journal_problem[1:]}.",
                    advice="Free space on its disk. Mining continues, and records wait in memory until they can be "
                    "written. If too many wait, only their totals are kept.",
                )
            )
        return self._health.look(now, snapshot, pauses=self._pauses(), others=others)

    def _summary(self, snapshot: MinerSnapshot, verdict: HealthVerdict, now: float) -> Summary:
        made = summary(
            snapshot,
            verdict,
            self._tips,
            started_at=self._started_at,
            sample_age_s=now - self._sampled_at,
            last_share_age_s=None if self._last_accepted is None else now - self._last_accepted,
            difficulties=self._shares.difficulties.by_outcome(),
            power=self._power(snapshot),
            shown_job_id=self._job_id,
        )
        return replace(made, economics=self._economics(made))

    def _power(self, snapshot: MinerSnapshot) -> tuple[float | None, bool]:
        """Return two values: the power of the miner in watts (None if it is not known), and whether the real power is
        higher because some devices use power but do not measure it.

        A configured power is returned as it is. Otherwise, the power is the sum of what the devices measure. At the end
        of a run, the devices are already off. The last measurement is then used for up to ``LAST_POWER_S`` seconds."""
        configured = self._power_w()
        if configured is not None:
            return configured, False
        power = devices.measured_power(snapshot.backends)
        if power[0] is None and self._has_ended and self._last_power is not None:
            measured_at, last = self._last_power
            return last if self._clock() - measured_at <= LAST_POWER_S else power
        return power

    def _point(self, snapshot: MinerSnapshot, now: float, date: float) -> Point:
        """Return the next point of the history.

        ``now`` is the monotonic time in seconds, minus the seconds in which the process was suspended. ``date`` is the
        Unix time.
        """
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

    def _job_id(self, job_id: str) -> str:
        return sanitize(self._hide(job_id))
