"""Runs one device: opens its ports, brings it up, mines, restarts it after an error, and powers it down.

One *attempt* opens the ports, switches the power on, brings the chips up and mines. Whatever ends an attempt
(cancellation, an error of another device, an error of this device), the attempt makes the chips idle and switches the
power off. Cancellation cannot interrupt this power-down.

What ``run`` does after an attempt depends on the error:

* If the port is gone or cannot be opened, or if the device has other chips than expected, ``run`` raises the error.
  The supervisor of the device (the task of ``AsicBackend`` that calls ``run``) then decides what to do.
* After a safety shutdown, ``run`` waits until the device has cooled down, and mines again.
* After any other error, ``run`` makes another attempt after a pause, which becomes longer each time, until
  ``RestartPolicy`` gives up.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from stratum_miner.backends.asic.board import Board, TemperatureLimits
from stratum_miner.backends.asic.chain import ChainSettings, ChipChain
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.device import DeviceIdentity, DeviceSnapshot, DeviceState
from stratum_miner.backends.asic.errors import (
    DeviceError,
    DeviceGone,
    GivenUp,
    Overheated,
    PortBusy,
    PortForbidden,
    PowerFault,
    WrongChip,
)
from stratum_miner.backends.asic.mining import WATCH_EVERY_S, MiningRun, NoWork, SafetyShutdown, check_sensors
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.power import PowerControl, power_down, switch_off
from stratum_miner.backends.asic.restarts import RestartPolicy
from stratum_miner.backends.asic.safety import FrequencyGovernor, SafetyGuard, fan_percent
from stratum_miner.backends.asic.tally import DeviceTally
from stratum_miner.backends.asic.transport import PortOpener, Transport
from stratum_miner.backends.asic.work_feed import WorkFeed
from stratum_miner.backends.base import WorkSource
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

STOPPED = "mining has stopped"
COOLING_POLL_S = 2.0
"""Seconds between two readings of the sensors while the device cools down."""
STEPS_AFTER_A_SHUTDOWN = 2
"""After a safety shutdown, the frequency is lowered by this many steps of ``FrequencyGovernor``, each of 25 MHz.
ESP-Miner lowers it by 100 MHz instead."""

_FINAL = (DeviceGone, PortBusy, PortForbidden, WrongChip, Overheated, GivenUp)
"""Errors that ``run`` raises, so that its caller, the supervisor task, decides what to do. If several of them occur
together, the one that is first in this tuple is raised, because it is probably the cause of the others."""


@dataclass(frozen=True, slots=True)
class OpenedPorts:
    """The open ports of one attempt, and the power control that uses them."""

    transports: dict[str, Transport]
    power: PowerControl

    async def back_to_first_bauds(self, board: Board) -> None:
        """Set every port back to its first baud rate (``Port.baud``), because chips listen at that rate after a
        reset."""
        for port in board.ports:
            if port.role in self.transports:
                await self.transports[port.role].set_baud(port.baud)

    def close(self) -> None:
        """Close all ports."""
        for transport in self.transports.values():
            transport.close()


async def open_ports(board: Board, ports: PortOpener) -> OpenedPorts:
    """Open all ports of a board. A port that is not required may be missing.

    If a port cannot be opened, close the ports that are open already, and raise the error of the port opener.
    """
    transports: dict[str, Transport] = {}
    try:
        for port in board.ports:
            try:
                transports[port.role] = await ports(port.role, port.baud)
            except DeviceGone as error:
                if port.required:
                    raise
                hint = "without this port, stratum-miner cannot watch the temperature of the device"
                log.warning("port_missing", role=port.role, reason=str(error), hint=hint)
        return OpenedPorts(transports, board.power(transports))
    except BaseException:
        for transport in transports.values():
            transport.close()
        raise


class RunningDevice:
    """Implements ``Device`` for every board."""

    def __init__(
        self,
        board: Board,
        identity: DeviceIdentity,
        ports: PortOpener,
        options: DeviceOptions,
        clock: Callable[[], float],
    ) -> None:
        self._board, self._identity, self._ports, self._options, self._clock = board, identity, ports, options, clock
        self._tally = DeviceTally(clock)
        self._chain: ChipChain | None = None
        self._mining_run: MiningRun | None = None
        self._rolls = (0, 0)
        self._seen_alive = False
        self._frequency = options.frequency or (board.frequency.default if board.frequency else None)
        self._voltage = options.voltage or (board.voltage.default if board.voltage else None)
        self._governor = (
            FrequencyGovernor(self._frequency, board.frequency.low)
            if self._frequency is not None and board.frequency is not None
            else None
        )
        self._guard: SafetyGuard | None = None

    @property
    def identity(self) -> DeviceIdentity:
        """See ``Device.identity``."""
        return self._identity

    def statistics(self) -> DeviceSnapshot:
        """See ``Device.statistics``."""
        mining_run = self._mining_run
        return self._tally.snapshot(
            self._identity,
            self._board,
            self._chain,
            mining_run.health if mining_run is not None else None,
            frequency=self._governor.frequency if self._governor is not None else None,
            voltage=self._voltage,
            safety_shutdowns=self._guard.shutdowns if self._guard is not None else 0,
            is_overheated=self._guard is not None and self._guard.is_overheated,
        )

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """See ``Device.run``."""
        feed, policy = WorkFeed(source), RestartPolicy()
        feed.open()
        if self._guard is not None and self._guard.is_locked:
            self._guard.unlock()
        try:
            while True:
                error = await self._attempt(feed, policy, found)
                if error is None:
                    await self._idle(feed)
                    continue
                self._tally.last_error = str(error)
                pause = policy.failed(self._clock())
                if pause is None:
                    raise GivenUp(f"{self._identity.path}: gave up after {policy.failures} failed attempts: {error}")
                self._tally.restarts += 1
                self._enter(DeviceState.DEAD, f"{error}; next attempt in {pause:g} s")
                await trio.sleep(pause)
        except DeviceGone as error:
            self._end(DeviceState.ABSENT, str(error))
            raise
        except DeviceError as error:
            self._end(DeviceState.OFF, str(error))
            raise
        except BaseException:
            self._end(DeviceState.OFF, STOPPED)
            raise
        finally:
            feed.close()

    # ---- one attempt ------------------------------------------------------------------------------------------

    async def _attempt(
        self, feed: WorkFeed, policy: RestartPolicy, found: trio.MemorySendChannel[NonceFound]
    ) -> DeviceError | None:
        """Open the ports, switch the power on, bring the chips up and mine.

        Return None if the attempt ended because there was no work. Return the error if ``run`` should make another
        attempt. Raise the error if the supervisor (the task that calls ``run``) has to handle it.
        """
        self._enter(DeviceState.STARTING)
        opened = await open_ports(self._board, self._ports)
        try:
            if self._guard is None:
                self._guard = self._make_guard(opened.power)
            if self._guard is not None and self._guard.is_cooling:
                self._enter(DeviceState.OFF, "still cooling down")
                await switch_off(self._identity.name, opened.power)
                await self._wait_until_cold(self._guard, opened.power)
                self._enter(DeviceState.STARTING, "it has cooled down")
            while True:
                ended: list[BaseException] = []
                try:
                    await self._power_up_and_mine(opened, feed, policy, found)
                except* (DeviceError, NoWork) as group:
                    ended = _leaves(group)
                error = _main_error(ended)
                if not isinstance(error, SafetyShutdown):
                    return error
                await self._cool_down(opened.power, error)
                await opened.back_to_first_bauds(self._board)
                self._enter(DeviceState.STARTING, "it has cooled down")
        finally:
            opened.close()
            self._tally.forget_readings()

    async def _power_up_and_mine(
        self,
        opened: OpenedPorts,
        feed: WorkFeed,
        policy: RestartPolicy,
        found: trio.MemorySendChannel[NonceFound],
    ) -> None:
        chain = CHAINS[self._board.chip](opened.transports["data"], self._board, self._chain_settings())
        self._chain, self._rolls = chain, chain.rolls
        try:
            await opened.power.on(self._voltage)
            await self._bring_up(chain, opened.power)
            self._seen_alive, self._tally.chips = True, chain.chips
            policy.started_mining(self._clock())
            mining_run = self._mining_run = MiningRun(
                self._identity.name,
                chain,
                opened.power,
                feed,
                self._tally,
                guard=self._guard,
                governor=self._governor,
                core_voltage=self._voltage,
                idle_off=self._options.idle_off,
                clock=self._clock,
            )
            log.info("device_mining", device=self._identity.name, chips=chain.chips, frequency=chain.frequency)
            await mining_run.run(found)
        finally:
            feed.history = None
            await power_down(self._identity.name, chain.make_idle, opened.power)
            self._tally.absorb(chain, self._mining_run.health if self._mining_run is not None else None)
            self._chain = self._mining_run = None

    async def _bring_up(self, chain: ChipChain, power: PowerControl) -> None:
        """Bring the chips up, and watch the sensors meanwhile: raising the clock takes seconds, in which the chips can
        get too hot."""
        async with trio.open_nursery() as nursery:
            if self._guard is not None:
                nursery.start_soon(self._watch_sensors, self._guard, power)
            await chain.bring_up()
            nursery.cancel_scope.cancel()

    async def _watch_sensors(self, guard: SafetyGuard, power: PowerControl) -> None:
        while True:
            await trio.sleep(WATCH_EVERY_S)
            await check_sensors(power, guard, self._tally, self._voltage)

    async def _cool_down(self, power: PowerControl, shutdown: SafetyShutdown) -> None:
        """Keep the device off until it has cooled down. Raises Overheated or PowerFault if it must stay off."""
        assert self._guard is not None
        name, decision = self._identity.name, shutdown.decision
        if self._guard.is_locked:
            times = self._guard.shutdowns
            message = f"{self._identity.path}: safety shutdown number {times}, it stays off: {decision.reason}"
            raise PowerFault(message) if decision.power_fault else Overheated(message)
        log.error("device_tripped", device=name, reason=decision.reason, power_fault=decision.power_fault)
        self._tally.last_error = decision.reason
        kind = "power fault" if decision.power_fault else "too hot"
        self._enter(DeviceState.OFF, f"{kind}: {decision.reason}", already_logged=True)
        for _ in range(STEPS_AFTER_A_SHUTDOWN):
            if self._governor is not None:
                self._governor.lower(self._clock(), f"the safety check switched it off, {decision.reason}")
        await self._wait_until_cold(self._guard, power)

    async def _wait_until_cold(self, guard: SafetyGuard, power: PowerControl) -> None:
        fan = 100
        while True:
            try:
                await power.set_fan(fan)
            except DeviceGone:
                raise
            except DeviceError as error:
                log.debug("fan_silent", device=self._identity.name, reason=str(error))
            await trio.sleep(COOLING_POLL_S)
            try:
                self._tally.readings = await power.read()
            except DeviceGone:
                raise
            except DeviceError:
                continue  # without a reading the device stays off
            fan = fan_percent(self._tally.readings, guard.limits)
            if guard.may_resume(self._clock(), self._tally.readings):
                return

    async def _idle(self, feed: WorkFeed) -> None:
        self._enter(DeviceState.IDLE, "there is no work")
        await feed.wait_for_work(*self._rolls)

    def _chain_settings(self) -> ChainSettings:
        return ChainSettings(
            chips=self._options.chips or self._board.chips,
            frequency=self._governor.frequency if self._governor is not None else None,
            nonce_difficulty=self._options.nonce_difficulty,
            rate_known=self._options.nonce_difficulty is None or self._options.hash_rate is not None,
            seen_alive=self._seen_alive,
        )

    def _make_guard(self, power: PowerControl) -> SafetyGuard | None:
        limits = self._board.temperature
        if limits is None or not power.has_sensors:
            return None
        if self._options.temperature_limit is not None:
            limits = _lowered(limits, self._options.temperature_limit)
        return SafetyGuard(limits, minimum_input_voltage=power.minimum_input_voltage)

    def _enter(self, state: DeviceState, reason: str = "", *, already_logged: bool = False) -> None:
        """Enter a state, and log it if it is new.

        The log line is a warning if a fault keeps the device from mining, unless the caller has logged the fault
        already.
        """
        if self._tally.enter(state, reason):
            warn = state in (DeviceState.DEAD, DeviceState.OFF, DeviceState.ABSENT) and not already_logged
            (log.warning if warn else log.info)(
                "device_state", device=self._identity.name, state=state.value, reason=reason
            )

    def _end(self, state: DeviceState, reason: str) -> None:
        """Enter the last state of ``run``, and log it as information and not as a warning, because the supervisor (the
        task that calls ``run``) logs the error that ended ``run``."""
        if state is not DeviceState.OFF or reason != STOPPED:
            self._tally.last_error = reason
        self._enter(state, reason, already_logged=True)


def _main_error(ended: list[BaseException]) -> DeviceError | None:
    """Return the error among ``ended`` that probably caused the others; None if the run ended only because there was no
    work.

    If ``ended`` contains an error of a type in ``_FINAL``, raise this error instead of returning one, because the
    supervisor (the task that calls ``run``) has to handle it.
    """
    errors = [leaf for leaf in ended if isinstance(leaf, DeviceError)]
    for kind in _FINAL:
        for error in errors:
            if isinstance(error, kind):
                raise error
    for preferred in (SafetyShutdown, PowerFault, DeviceError):
        for error in errors:
            if isinstance(error, preferred):
                return error
    return None


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _lowered(limits: TemperatureLimits, cut_off: float) -> TemperatureLimits:
    """Return the limits with ``cut_off`` as the cut-off temperature. The resume temperature becomes at most
    ``cut_off`` - 1. The warning and throttle temperatures become at most 60 % and 80 % of the way from the resume
    temperature to ``cut_off``."""
    resume = min(limits.resume, cut_off - 1)
    return TemperatureLimits(
        warn=min(limits.warn, resume + 0.6 * (cut_off - resume)),
        throttle=min(limits.throttle, resume + 0.8 * (cut_off - resume)),
        cut_off=cut_off,
        resume=resume,
    )
