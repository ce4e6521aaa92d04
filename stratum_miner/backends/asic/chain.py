"""The chips behind one port, from reset to rest: what every family has in common, and what each must say itself.

A family subclasses ``ChipChain``: how to count, address and clock chips, what a job looks like, how to read a nonce.
The table of ``Board.bring_up`` says in which order. The device above feeds it, judges what comes back, and decides.
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
"""Share of a unit's search space after which the next one is sent: the clock may be off, and early work costs nothing
but bus time (cgminer's gekko driver waits for the same share)."""
MAX_INTERVAL_S = 0.5
"""Longest time between jobs for chips that search a unit for minutes: it brings fresh transactions (ESP-Miner)."""
BUS_MARGIN = 1.5
"""Times the length of a work frame on the line: work sent faster than it leaves the host would queue up there."""
QUIET_S = 0.1
"""After the answers that were expected: more would be another product's."""
COUNT_TRIES = 3
CLOCK_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """What the device decided before bring-up."""

    chips: int
    """How many must answer."""
    frequency: float | None
    nonce_difficulty: float | None = None
    rate_known: bool = True
    """Whether its hash rate may be judged. With a nonce difficulty of its own it is an emulator, at any rate."""
    seen_alive: bool = False
    """Whether chips answered before: silence is then about power, not about the wrong port."""


class ProbeKind(IntEnum):
    """What a family takes as a question whether it is there. The lower it is, the less harm it does to others."""

    PREAMBLE = 0
    """A short command behind a preamble, with a checksum: what does not understand it ignores it."""
    CHECKSUM = 1
    """A short command with a checksum alone."""
    WORK = 2
    """Sixty-four bytes that look like work to many."""


class ChipChain(ABC):
    """One chain of equal chips. Made with an open port at the board's own rate; brought up once."""

    probe_kind: ClassVar[ProbeKind] = ProbeKind.WORK
    """What ``count`` asks."""
    rolls: ClassVar[tuple[int, int]] = (0, 0)
    """The version bits that it can roll, by midstates or by itself, and how many of them in one unit."""
    job_ids: ClassVar[tuple[int, ...]] = (0,)
    """In the order they are used."""
    max_ticket_bits: ClassVar[int] = 0
    """The coarsest filter worth having: still some nonces a second, to judge the chips by."""
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

    # ---- what a family says -----------------------------------------------------------------------------------

    @abstractmethod
    def _make_decoder(self) -> ReplyDecoder: ...

    @abstractmethod
    def job_frame(self, work: ChipWork) -> bytes:
        """The work as the chips want it."""

    @abstractmethod
    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Say what a nonce reply claims: nonce, likely jobs, rolled version bits, chip."""

    @abstractmethod
    async def count(self, seconds: float) -> int:
        """Ask all chips to answer; how many did. WrongChip when others than ours answer."""

    async def set_frequency(self, frequency: float) -> None:
        """Write one clock setting to all chips."""
        raise DeviceRefused(f"{self.path}: the clock of the {self.board.product} cannot be set")

    async def set_ticket(self, bits: int) -> None:
        """Report only nonces with so many leading zero bits beyond the bound."""
        raise NotImplementedError

    def versions(self, unit: WorkUnit) -> Sequence[int]:
        """Header versions to search this unit under, one for each midstate."""
        return (unit.version,)

    async def perform(self, step: BringupStep) -> None:
        """One step of bring-up; a family adds those that only it knows."""
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
        """Whether the clock is as set; None when the chips do not say."""
        return None

    async def recover(self) -> None:
        """Whatever may make chips answer that did not, before they are counted again."""
        await trio.lowlevel.checkpoint()

    async def identify(self) -> str:
        """Show the device to its owner with the chips alone; returns what to look for, or nothing when it cannot."""
        return ""

    async def make_idle(self) -> None:
        """Make the chips draw as little as they can be told to, before the port closes."""
        if await self.wire.transport.hold_reset(True):
            return
        if self.board.frequency is not None:
            await self.set_frequency(self.board.frequency.low)

    # ---- what all do ------------------------------------------------------------------------------------------

    @property
    def hash_rate(self) -> float:
        """Expected hash rate now, in H/s."""
        return self.board.hash_rate(self.frequency) * self.settings.chips / self.board.chips

    @property
    def path(self) -> str:
        """The port's name, for messages."""
        return self.wire.transport.path

    async def bring_up(self) -> None:
        """From reset to ready for work. Raises DeviceSilent, WrongChip, PowerFault, DeviceRefused, DeviceGone."""
        self.wire.discard_input()
        for step in self.board.bring_up:
            await self.perform(step)
        self.wire.discard_input()

    def steps_to_count(self) -> list[BringupStep]:
        """The steps of bring-up that come before chips can be counted."""
        steps = list(self.board.bring_up)
        first = next(index for index, step in enumerate(steps) if isinstance(step, bringup.CountChips))
        return steps[:first]

    async def load(self, unit: WorkUnit) -> ChipWork:
        """Replace whatever the chips search by this unit."""
        work = self.history.add(self.job_ids[self._next_job], unit, self.versions(unit))
        self._next_job = (self._next_job + 1) % len(self.job_ids)
        frame = self.job_frame(work)
        self._frame_size = len(frame)
        await self.wire.send(frame)
        return work

    async def prepare(self, unit: WorkUnit) -> None:
        """Whatever must change in the chips before this unit: the ticket, the version mask."""
        bits = self.ticket_bits_for(unit)
        if self.max_ticket_bits and bits != self.ticket_bits:
            await self.set_ticket(bits)
            self.ticket_bits = bits

    def forget_ticket(self) -> None:
        """Write it again before the next work: the chips do not keep to it."""
        self.ticket_bits = -1

    def ticket_bits_for(self, unit: WorkUnit) -> int:
        """The coarsest filter that loses no share of this unit.

        With a nonce difficulty of its own the filter stays off: that is asked for by tests which want every nonce.
        """
        if self.settings.nonce_difficulty is not None:
            return 0
        bits = 0
        while bits < self.max_ticket_bits and unit.target <= self.history.bound >> (bits + 1):
            bits += 1
        return bits

    def interval(self, work: ChipWork) -> float:
        """Seconds until the next work should be there."""
        versions = max(len(work.versions), 1 << work.unit.version_mask.bit_count())
        wanted = min(self.max_interval, self.feed_at * versions * 2**32 / self.hash_rate)
        return max(wanted, self.wire.seconds_of(self._frame_size) * BUS_MARGIN)

    def busy(self, work: ChipWork) -> float:
        """Share of the time, at most 1, for which such work can keep the chips busy over this line."""
        versions = max(len(work.versions), 1 << work.unit.version_mask.bit_count())
        return min(1.0, versions * work.unit.nonce_count / self.hash_rate / self.interval(work))

    async def ramp_to(self, frequency: float) -> None:
        """Change the clock of mining chips in small steps."""
        step = next((step for step in self.board.bring_up if isinstance(step, bringup.RampUp)), None)
        if step is None or self.frequency is None:
            raise DeviceRefused(f"{self.path}: the clock of the {self.board.product} cannot be set")
        for value in bringup.ramp(step.base, step.step, frequency, start=self.frequency):
            await self.set_frequency(value)
            self.frequency = value
            await trio.sleep(step.pause)

    async def ask(self, frame: bytes, seconds: float, count: int) -> list[RegisterReply]:
        """Send a question and collect register replies: until there are ``count`` and then a short silence."""
        await self.wire.send(frame)
        replies = await self.wire.collect(seconds, lambda got: _registers(got) >= count)
        replies += await self.wire.collect_until_quiet(QUIET_S)
        return [reply for reply in replies if isinstance(reply, RegisterReply)]

    async def _count_and_check(self, seconds: float) -> None:
        """Believe what does not fit only when it is said again: noise, and answers to older questions, pass."""
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
                f"{self.path}: no chip answered after a reset, expected {wanted}: look at supply, hub and cable"
            )
        if found == 0:
            raise DeviceSilent(f"{self.path}: expected {wanted} {self.board.chip} to answer, got none")
        if found < wanted:
            raise PowerFault(
                f"{self.path}: expected {wanted} {self.board.chip}, {found} answered: look at the supply; "
                f"chips={found} runs it as it is"
            )
        if found > wanted:
            raise WrongChip(f"{self.path}: expected {wanted} {self.board.chip}, {found} answered: another product?")

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
        raise DeviceRefused(f"{self.path}: the chips do not keep a clock of {self.frequency:g} MHz")


def _registers(replies: Sequence[ChipReply]) -> int:
    return sum(isinstance(reply, RegisterReply) for reply in replies)


def _baud_of(board: Board) -> int:
    return next(port.baud for port in board.ports if port.role == "data")
