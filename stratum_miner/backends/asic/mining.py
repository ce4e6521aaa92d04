"""One mining run. It begins after a chip chain was brought up. The run sends work to the chip chain, reads the nonces
of the chips and watches the health of the device. It ends when it is cancelled or an error occurs.

Four tasks run in one nursery:

* The *feeder* sends work at the pace of the device, and at once when work changes.
* The *reader* verifies and counts every nonce.
* The *forwarder* sends the hits (nonces that reach the target of their unit) to the miner. While the channel to the
  miner is full, the forwarder waits, and the reader can continue. The reader never waits for its turn between two
  nonces that have arrived together. On a busy computer it could otherwise fall behind its device, further and further,
  and would no longer know the work to which a late nonce belongs.
* The *watch* checks health and sensors. If something is wrong, it lowers the frequency, or ends the run with an error
  that names the cause.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from stratum_miner.backends.asic.chain import ChipChain
from stratum_miner.backends.asic.device import DeviceState
from stratum_miner.backends.asic.errors import DeviceDegraded, DeviceError, DeviceGone, DeviceSilent, PowerFault
from stratum_miner.backends.asic.frames.replies import NonceReply
from stratum_miner.backends.asic.health import HealthMonitor, HealthProblem
from stratum_miner.backends.asic.power import PowerControl
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.safety import FrequencyGovernor, SafetyDecision, SafetyGuard, SafetyLevel, fan_percent
from stratum_miner.backends.asic.tally import DeviceTally
from stratum_miner.backends.asic.work_feed import WorkFeed
from stratum_miner.backends.asic.work_history import ChipWork, VerifiedNonce, hashes_per_nonce
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

HITS_WAITING = 1024
"""Largest number of hits that wait for the forwarder. While this many wait, the reader waits before it adds another
one. Chips find at most some hundreds a second."""
WATCH_EVERY_S = 1.0
"""Seconds between two checks of health and sensors."""
BUSY_ENOUGH = 0.9
"""If the chips have work for less than this fraction of the time, a warning is logged."""
WEAK_NONCES = 16
"""The ticket mask of a chip says how hard a nonce must be for the chip to report it. If this many consecutive nonces
were easier than the mask permits, the chip has probably restarted and lost the mask, so the mask is written again."""


class SafetyShutdown(DeviceError):  # noqa: N818  a condition of hardware
    """The safety check requires that the device is switched off. The device stays off until ``SafetyGuard.may_resume``
    returns True."""

    def __init__(self, decision: SafetyDecision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class _Hit:
    """A nonce for the miner, and the work to which it belongs. If the work becomes void, the nonce is worthless."""

    work: ChipWork
    found: NonceFound


class NoWork(Exception):  # noqa: N818  a condition, not an error
    """The device has been without work so long that it should be powered down."""


class MiningRun:
    """One mining run of a chip chain that has been brought up. Call ``run`` only once."""

    def __init__(
        self,
        name: str,
        chain: ChipChain,
        power: PowerControl,
        feed: WorkFeed,
        tally: DeviceTally,
        *,
        guard: SafetyGuard | None,
        governor: FrequencyGovernor | None,
        core_voltage: float | None,
        idle_off: float,
        clock: Callable[[], float],
    ) -> None:
        self._name, self._chain, self._power, self._feed, self._tally = name, chain, power, feed, tally
        self._guard, self._governor, self._core_voltage, self._clock = guard, governor, core_voltage, clock
        self._idle_off = idle_off
        self.health = HealthMonitor(clock(), chain.chips)
        self._heat = SafetyLevel.NORMAL
        self._hot = ""
        self._sick = ""
        self._weak = 0
        self._underfed = False
        self._is_blocked = False

    async def run(self, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Mine until cancelled. Raises an exception group that contains DeviceError, SafetyShutdown or NoWork."""
        self._expect()
        self._show()
        self._feed.history = self._chain.history
        send, receive = trio.open_memory_channel[_Hit](HITS_WAITING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, send)
            nursery.start_soon(self._forward, receive, found)
            nursery.start_soon(self._feed_chips)
            nursery.start_soon(self._watch)

    # ---- work in ----------------------------------------------------------------------------------------------

    async def _feed_chips(self) -> None:
        chain, feed = self._chain, self._feed
        while True:
            woken = feed.woken
            unit = feed.next_unit(*chain.rolls)
            if unit is None:
                self.health.searching(self._clock(), False)
                with trio.move_on_after(self._idle_off) as patience:
                    await feed.wait_for_work(*chain.rolls)
                if patience.cancelled_caught:
                    raise NoWork
                continue
            await chain.prepare(unit)
            if woken.is_set():
                continue  # the work changed meanwhile: load newer work instead of this unit, which may be void
            self._expect()
            work = await chain.load(unit)
            self._tally.work_sent += 1
            self._warn_if_underfed(chain.busy(work), unit.version_mask.bit_count())
            self.health.searching(self._clock(), True)
            with trio.move_on_after(chain.interval(work)):
                await woken.wait()

    def _warn_if_underfed(self, busy: float, version_bits: int) -> None:
        """Log a warning if the chips have to wait for work, so that the user does not think that the chips are slow.
        ``busy`` is the fraction of the time for which the chips have work. The warning is logged again only if the
        chips have had enough work in between."""
        if busy >= BUSY_ENOUGH:
            self._underfed = False
        elif not self._underfed:
            self._underfed = True
            reason = (
                f"with {version_bits} version bits from the pool, its serial line carries work for only "
                f"{100 * busy:.0f} % of the time"
            )
            log.warning("device_underfed", device=self._name, reason=reason)

    # ---- nonces out -------------------------------------------------------------------------------------------

    async def _read(self, hits: trio.MemorySendChannel[_Hit]) -> None:
        while True:
            for reply in await self._chain.wire.replies():
                verified = self._count(reply) if isinstance(reply, NonceReply) else None
                found = verified.nonce_found(self._name) if verified is not None else None
                if verified is None or found is None:
                    continue
                try:
                    hits.send_nowait(_Hit(verified.work, found))
                except trio.WouldBlock:
                    self._is_blocked = True  # no nonces are read during ``send``: silence proves nothing
                    await hits.send(_Hit(verified.work, found))
                    self._is_blocked = False

    def _count(self, reply: NonceReply) -> VerifiedNonce | None:
        """Verify and count a nonce. Return it if it is valid, new and not stale."""
        chain, tally, now = self._chain, self._tally, self._clock()
        reported = chain.reported_nonce(reply)
        verified = chain.history.verify(reported)
        if verified is None:
            tally.hardware_errors += 1
            self.health.hardware_error(now)
            log.debug("wrong_nonce", device=self._name, nonce=reply.nonce.hex(), tag=reply.tag.hex())
            return None
        if verified.is_duplicate:
            tally.duplicate_nonces += 1
            self.health.duplicate(now)
            return None
        tally.nonce(reported.chip, self._hashes(verified))
        self.health.nonce(now, reported.chip)
        if chain.board.stops_at_nonce:
            self._feed.wake()
        if verified.is_stale:
            tally.stale_nonces += 1
            return None
        return verified

    def _hashes(self, verified: VerifiedNonce) -> float:
        """Return the number of hashes that this nonce stands for.

        It is 0 for a nonce that the ticket mask should have suppressed, because the nonce is too easy. Several such
        nonces in a row mean that the chip has lost the mask.
        """
        bits, bound = max(0, self._chain.ticket_bits), self._chain.history.bound
        if verified.hash_value <= bound >> bits:
            self._weak = 0
            return hashes_per_nonce(bound, bits)
        self._weak += 1
        if self._weak >= WEAK_NONCES:
            self._weak = 0
            self._chain.forget_ticket()
        return 0.0

    async def _forward(self, hits: trio.MemoryReceiveChannel[_Hit], found: trio.MemorySendChannel[NonceFound]) -> None:
        async for hit in hits:
            if not hit.work.void:
                await found.send(hit.found)

    # ---- health and safety ------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await trio.sleep(WATCH_EVERY_S)
            await self._check_health()
            if self._guard is not None:
                await self._check_sensors(self._guard)
            self._show()

    async def _check_health(self) -> None:
        if self._is_blocked:
            self.health.restart_windows(self._clock())
        health = self.health.assess(self._clock())
        text = f"{health.problem.value}: {health.detail}"
        match health.problem:
            case HealthProblem.NONE:
                self._sick = "" if health.judged else self._sick
            case HealthProblem.TOO_MANY_ERRORS:
                await self._slow_down(text)
            case HealthProblem.SLOW if not self._sick:
                self._sick = text
                log.warning("device_sick", device=self._name, reason=text)
            case HealthProblem.SILENT:
                raise DeviceSilent(f"{self._chain.path}: {text}")
            case _:
                if health.problem is HealthProblem.SLOW and self._governor is not None:
                    self._governor.lower(self._clock(), text)  # as cgminer does: use a lower clock after the restart
                raise DeviceDegraded(f"{self._chain.path}: {text}")

    async def _check_sensors(self, guard: SafetyGuard) -> None:
        decision = await check_sensors(self._power, guard, self._tally, self._core_voltage, fan_full=bool(self._hot))
        if _HEAT.index(decision.level) > _HEAT.index(self._heat):
            log.warning("device_hot", device=self._name, level=decision.level.value, reason=decision.reason)
        self._heat = decision.level
        self._hot = decision.reason if decision.level is SafetyLevel.THROTTLE else ""
        if self._governor is not None and self._governor.heat(self._clock(), decision):
            await self._follow_governor()

    async def _slow_down(self, reason: str) -> None:
        if self._governor is not None and self._governor.lower(self._clock(), reason):
            log.warning("device_slowed", device=self._name, reason=reason, frequency=self._governor.frequency)
            await self._follow_governor()

    async def _follow_governor(self) -> None:
        assert self._governor is not None
        await self._chain.ramp_to(self._governor.frequency)
        self._expect()

    def _expect(self) -> None:
        chain = self._chain
        per_nonce = hashes_per_nonce(chain.history.bound, max(0, chain.ticket_bits))
        self.health.expect(self._clock(), chain.hash_rate if chain.settings.rate_known else 0.0, per_nonce)

    def _show(self) -> None:
        """Enter the state that describes the device now.

        If a device was sick (it mined far below the expected hash rate) and works normally again, this is logged here.
        The health check has already logged that the device became sick.
        """
        slowed = self._governor.reason if self._governor is not None else ""
        was_sick = self._tally.state is DeviceState.SICK
        if self._sick:
            self._tally.enter(DeviceState.SICK, self._sick)
        elif slowed or self._hot:
            self._tally.enter(DeviceState.THROTTLED, slowed or self._hot)
        else:
            self._tally.enter(DeviceState.MINING)
        if was_sick and not self._sick:
            log.info("device_state", device=self._name, state=self._tally.state.value, reason="it works normally again")


_HEAT = (SafetyLevel.NORMAL, SafetyLevel.WARN, SafetyLevel.THROTTLE)
"""The levels at which a device stays on, the coolest one first. A change to a hotter level is logged."""


async def check_sensors(
    power: PowerControl, guard: SafetyGuard, tally: DeviceTally, core_voltage: float | None, *, fan_full: bool = False
) -> SafetyDecision:
    """Read the sensors, set the fan by the temperature (or to 100 % if ``fan_full``), and let the guard decide.

    If reading the sensors or setting the fan fails, the guard gets empty readings. It tolerates this twice in a row,
    but not three times. Raises SafetyShutdown if the guard requires that the device is switched off. Raises DeviceGone
    or PowerFault at once if the device or its power fails.
    """
    try:
        readings = await power.read()
        await power.set_fan(100 if fan_full else fan_percent(readings, guard.limits))
    except (DeviceGone, PowerFault):
        raise
    except DeviceError as error:
        tally.sensor_errors += 1
        log.warning("sensors_silent", reason=str(error))
        readings = Readings()
    tally.readings = readings
    decision = guard.update(tally.clock(), readings, core_voltage)
    tally.hot = decision.reason
    if decision.level in (SafetyLevel.CUT_OFF, SafetyLevel.LOCKED):
        raise SafetyShutdown(decision)
    return decision
