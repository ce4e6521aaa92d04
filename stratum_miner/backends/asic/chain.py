"""The chips behind one port. ``ChipChain`` implements what all chip families share, from reset to idle, and declares
what each family must implement.

A chip family is a subclass. It implements how its chips are counted, addressed and clocked, what a job frame contains,
and how the reply with a nonce is decoded. ``Board.bring_up`` lists the steps after a reset, in their order.
``MiningRun`` sends work to the chip chain, verifies the nonces that the chips report, and reacts to errors.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import structlog
import trio

from stratum_miner.backends.asic import bringup
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent, PowerFault, WrongChip
from stratum_miner.backends.asic.frames.replies import ChipReply, NonceReply, RegisterReply, ReplyDecoder
from stratum_miner.backends.asic.transport import Transport
from stratum_miner.backends.asic.wire import Wire
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce, WorkHistory, nonce_bound
from stratum_miner.work.unit import WorkUnit

log = structlog.get_logger(__name__)

FEED_AT = 0.5
"""Fraction of a work unit after which the next unit is sent. It is far below 1, so that the chips never run out of work
even if their clock is inaccurate. Sending work early costs only time on the serial line. cgminer's gekko driver uses
the same fraction."""
MAX_INTERVAL_S = 0.5
"""Longest time in seconds until the next work unit is sent to the chips. Some chips could search one unit for minutes,
but newer work contains newer transactions."""
BUS_MARGIN = 1.5
"""Shortest time until the next work unit is sent to the chips, as a multiple of the time that the frame of a work unit
takes on the serial line. If work were sent faster, it would queue up in the computer."""
QUIET_S = 0.1
"""When the driver has waited for the expected number of replies to a command, it receives further replies until none
has come for this many seconds. Surplus replies show that the device has more chips than expected, so it is another
product."""
COUNT_TRIES = 3
"""Number of attempts to count the chips in bring-up."""
CLOCK_TRIES = 3
"""Number of attempts to make the chips report the clock that was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """Settings of a chip chain. They are fixed before its bring-up."""

    chips: int
    """Number of chips that must answer."""
    frequency: float | None
    """Clock frequency in MHz; None if it is fixed."""
    nonce_difficulty: float | None = None
    """For an emulator, the difficulty of the easiest nonces that it reports; None for real chips."""
    rate_known: bool = True
    """Whether the expected hash rate is known. Only then does the health check judge the measured rate. It is not known
    for an emulator (a device with ``nonce_difficulty``) whose hash rate the user did not give."""
    seen_alive: bool = False
    """Whether the chips answered in an earlier attempt. It shows why chips are silent now. If they answered before, the
    cause is a power fault. If they never answered, the port may be the wrong one."""


class ProbeKind(IntEnum):
    """The kind of command with which a chip family finds out whether its chips are connected. A lower value means that
    the command is less likely to disturb a device of another kind."""

    PREAMBLE = 0
    """A short command with a preamble and a checksum. A device that does not understand this command ignores it."""
    CHECKSUM = 1
    """A short command with a checksum but without a preamble."""
    WORK = 2
    """64 bytes of work for the chips to search. A device of another family may also take these bytes for work, and
    search it."""


class ChipChain(ABC):
    """A chain of equal chips behind one port. The port must be open at the first baud rate of the board. Call
    ``bring_up`` once, before any work is sent."""

    probe_kind: ClassVar[ProbeKind] = ProbeKind.WORK
    """The kind of command that ``count`` sends to the chips."""
    rolls: ClassVar[tuple[int, int]] = (0, 0)
    """The bits of the header version that the chips can change while they search, as a mask, and how many of these bits
    can change in one work unit. Some chip families change the bits by themselves; the others get a midstate for each
    version."""
    job_ids: ClassVar[tuple[int, ...]] = (0,)
    """The ids that the chips' job frames can have, in the order in which they are used."""
    max_ticket_bits: ClassVar[int] = 0
    """Number of bits of the largest ticket mask that is used (see ``set_ticket``). With this mask, the chips report
    some nonces every second. With a larger mask, there would be too few nonces to judge the health of the chips."""
    feed_at: ClassVar[float] = FEED_AT
    max_interval: ClassVar[float] = MAX_INTERVAL_S

    def __init__(self, transport: Transport, board: Board, settings: ChainSettings) -> None:
        self.board = board
        self.settings = settings
        self.history = WorkHistory(nonce_bound(settings.nonce_difficulty), remembered=max(4, len(self.job_ids) + 4))
        self.chips = settings.chips
        self.frequency = settings.frequency
        self.ticket_bits = 0
        self.first_baud = _baud_of(board)
        self.wire = Wire(transport, self._make_decoder(), self.first_baud)
        self._next_job = 0
        self._frame_size = 0

    # ---- what a family implements -----------------------------------------------------------------------------

    @abstractmethod
    def _make_decoder(self) -> ReplyDecoder: ...

    @abstractmethod
    def job_frame(self, work: ChipWork) -> bytes:
        """Return the frame that sends this work to the chips."""

    @abstractmethod
    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply of the chips that reports a nonce. The result has the nonce, the jobs that it may belong to,
        the version bits that the chip rolled, and the chip that found it."""

    @abstractmethod
    async def count(self, seconds: float) -> int:
        """Ask all chips to answer, and return the number of answers. Raises WrongChip if chips of another kind
        answer."""

    async def set_frequency(self, frequency: float) -> None:
        """Write one clock frequency (MHz) to all chips. Raises DeviceRefused if the clock is fixed."""
        raise DeviceRefused(f"{self.path}: the clock of the {self.board.product} cannot be set")

    async def set_ticket(self, bits: int) -> None:
        """Write the ticket mask. The chips then report only nonces whose hash has at least 32 + ``bits`` leading zero
        bits."""
        raise NotImplementedError

    def versions(self, unit: WorkUnit) -> Sequence[int]:
        """Return the header versions with which the chips are to search this unit. A midstate job has a midstate for
        each of them. Any other job has one version, which the chips may roll themselves."""
        return (unit.version,)

    async def perform(self, step: BringupStep) -> None:
        """Perform one step of bring-up. A subclass adds the steps that only its chip family has."""
        match step:
            case bringup.Reset(hold, wait):
                if await self.wire.transport.hold_reset(True):
                    await trio.sleep(hold)
                    await self.wire.transport.hold_reset(False)
                    await trio.sleep(wait)
                    self.wire.discard_input()
            case bringup.CountChips(seconds):
                await self._count_and_check(seconds)
            case bringup.RampUp(base, step_size, pause):
                await self._ramp_up(base, step_size, pause)
            case bringup.VerifyClock():
                await self._verify_clock()
            case _:
                raise AssertionError(f"{type(self).__name__} cannot perform {step}")

    async def _read_clock(self) -> bool | None:
        """Return whether the chips report the clock that was set; None if they report no clock."""
        return None

    async def recover(self) -> None:
        """Try to make silent chips answer, before they are counted again. The default does nothing."""
        await trio.lowlevel.checkpoint()

    async def identify(self) -> str:
        """Show the user which device this is, for example by a flashing lamp. Return what the user should look for.

        This method uses only commands to the chips. If the chips have no command for the purpose, it returns an empty
        text.
        """
        return ""

    async def make_idle(self) -> None:
        """Make the chips draw as little power as possible. This is called before the port is closed."""
        if await self.wire.transport.hold_reset(True):
            return
        if self.board.frequency is not None:
            await self.set_frequency(self.board.frequency.low)

    # ---- what all families share ------------------------------------------------------------------------------

    @property
    def hash_rate(self) -> float:
        """The hash rate in H/s that is expected at the present clock."""
        return self.board.hash_rate(self.frequency) * self.settings.chips / self.board.chips

    @property
    def path(self) -> str:
        """The name of the port in messages."""
        return self.wire.transport.path

    async def bring_up(self) -> None:
        """Perform all steps of bring-up, from the reset of the chips until they are ready for work.

        Raises DeviceSilent, WrongChip, PowerFault, DeviceRefused or DeviceGone.
        """
        self.wire.discard_input()
        for step in self.board.bring_up:
            await self.perform(step)
        self.wire.discard_input()

    def steps_to_count(self) -> list[BringupStep]:
        """Return the steps of bring-up before the first ``CountChips``."""
        steps = list(self.board.bring_up)
        first = next(index for index, step in enumerate(steps) if isinstance(step, bringup.CountChips))
        return steps[:first]

    async def load(self, unit: WorkUnit) -> ChipWork:
        """Send this work unit to the chips. It replaces the work unit that they search now."""
        work = self.history.add(self.job_ids[self._next_job], unit, self.versions(unit))
        self._next_job = (self._next_job + 1) % len(self.job_ids)
        frame = self.job_frame(work)
        self._frame_size = len(frame)
        await self.wire.send(frame)
        return work

    async def prepare(self, unit: WorkUnit) -> None:
        """Prepare the chips for this work unit, before it is sent. If this work unit needs a different ticket mask than
        the previous one, write the mask to the chips. The ticket mask says how hard a nonce must be for a chip to
        report it. Some chip families also write the version mask."""
        bits = self.ticket_bits_for(unit)
        if self.max_ticket_bits and bits != self.ticket_bits:
            await self.set_ticket(bits)
            self.ticket_bits = bits

    def forget_ticket(self) -> None:
        """Make the next call of ``prepare`` write the ticket mask again. Call this method if the chips report easier
        nonces than the mask allows."""
        self.ticket_bits = -1

    def ticket_bits_for(self, unit: WorkUnit) -> int:
        """Return the number of bits of the largest ticket mask with which the chips still report every share of this
        work unit.

        If ``nonce_difficulty`` is set, the result is 0, because tests that set it need every nonce.
        """
        if self.settings.nonce_difficulty is not None:
            return 0
        bits = 0
        while bits < self.max_ticket_bits and unit.target <= self.history.bound >> (bits + 1):
            bits += 1
        return bits

    def interval(self, work: ChipWork) -> float:
        """Return how many seconds the sender should wait between sending ``work`` and sending the next work."""
        versions = max(len(work.versions), 1 << work.unit.version_mask.bit_count())
        wanted = min(self.max_interval, self.feed_at * versions * 2**32 / self.hash_rate)
        return max(wanted, self.wire.seconds_of(self._frame_size) * BUS_MARGIN)

    def busy(self, work: ChipWork) -> float:
        """Return the fraction of the time (0 to 1) in which the chips have work. The calculation assumes that all work
        units are as large as the unit of ``work``, and that a new unit is sent every ``interval(work)`` seconds."""
        versions = max(len(work.versions), 1 << work.unit.version_mask.bit_count())
        return min(1.0, versions * work.unit.nonce_count / self.hash_rate / self.interval(work))

    async def ramp_to(self, frequency: float) -> None:
        """Change the clock to ``frequency`` (MHz) in small steps, while the chips mine. Raises DeviceRefused if the
        clock is fixed."""
        step = next((step for step in self.board.bring_up if isinstance(step, bringup.RampUp)), None)
        if step is None or self.frequency is None:
            raise DeviceRefused(f"{self.path}: the clock of the {self.board.product} cannot be set")
        for value in bringup.ramp(step.base, step.step, frequency, start=self.frequency):
            await self.set_frequency(value)
            self.frequency = value
            await trio.sleep(step.pause)

    async def ask(self, frame: bytes, seconds: float, count: int) -> list[RegisterReply]:
        """Send a command that requests registers of the chips, and return the replies with registers.

        Wait at most ``seconds`` for ``count`` of these replies. Then wait for further replies until none has come for
        ``QUIET_S``.
        """
        await self.wire.send(frame)
        replies = await self.wire.collect(seconds, lambda got: _registers(got) >= count)
        replies += await self.wire.collect_until_quiet(QUIET_S)
        return [reply for reply in replies if isinstance(reply, RegisterReply)]

    async def _count_and_check(self, seconds: float) -> None:
        """Count the chips. If their number or kind is wrong, try again, because the cause may be noise or a late answer
        to an earlier command. Raises DeviceSilent, PowerFault or WrongChip if the last attempt fails."""
        for attempt in range(COUNT_TRIES):
            try:
                self._check_count(await self.count(seconds))
                return
            except (DeviceSilent, PowerFault, WrongChip):
                if attempt == COUNT_TRIES - 1:
                    raise
                await self.recover()
                self.wire.discard_input()

    def _check_count(self, found: int) -> None:
        wanted = self.settings.chips
        if found == 0 and self.settings.seen_alive:
            raise PowerFault(
                f"{self.path}: no chip answered after a reset, expected {wanted}: check power supply, hub and cable"
            )
        if found == 0:
            raise DeviceSilent(
                f"{self.path}: expected {wanted} {self.board.chip} to answer, got none: check kind, power and cable"
            )
        if found < wanted:
            raise PowerFault(
                f"{self.path}: expected {wanted} {self.board.chip}, {found} answered: check the power supply, or "
                f"add chips={found} to mine with the chips that answered"
            )
        if found > wanted:
            raise WrongChip(
                f"{self.path}: expected {wanted} {self.board.chip}, {found} answered: check the kind of the device"
            )

    async def _ramp_up(self, base: float, step: float, pause: float) -> None:
        if self.frequency is None:
            return
        target, values = self.frequency, bringup.ramp(base, step, self.frequency)
        for value in values:
            await self.set_frequency(value)
            self.frequency = value
            await trio.sleep(pause)
        self.frequency = target

    async def _verify_clock(self) -> None:
        for _ in range(CLOCK_TRIES):
            honoured = await self._read_clock()
            if honoured is None:
                log.debug("clock_not_told", device=self.path)
                return
            if honoured:
                return
            assert self.frequency is not None
            await self.set_frequency(self.frequency)
        raise DeviceRefused(
            f"{self.path}: the chips do not keep a clock of {self.frequency:g} MHz: set another frequency"
        )


def _registers(replies: Sequence[ChipReply]) -> int:
    return sum(isinstance(reply, RegisterReply) for reply in replies)


def _baud_of(board: Board) -> int:
    return next(port.baud for port in board.ports if port.role == "data")
