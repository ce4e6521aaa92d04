"""Board to driver: which chain and which power control a product has, and what can be asked of it at rest."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import trio

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards.bitaxe_power import BitaxePower
from stratum_miner.backends.asic.boards.compac_a1_power import CompacA1Power
from stratum_miner.backends.asic.chain import Chain, ChainSettings
from stratum_miner.backends.asic.chips.bm1362 import Bm1362Chain
from stratum_miner.backends.asic.chips.bm1366 import Bm1366Chain
from stratum_miner.backends.asic.chips.bm1368 import Bm1368Chain
from stratum_miner.backends.asic.chips.bm1370 import Bm1370Chain
from stratum_miner.backends.asic.chips.bm1380 import Bm1380Chain
from stratum_miner.backends.asic.chips.bm1384 import Bm1384Chain
from stratum_miner.backends.asic.chips.bm1387 import Bm1387Chain
from stratum_miner.backends.asic.chips.bm1397 import Bm1397Chain
from stratum_miner.backends.asic.chips.icarus import IcarusChain
from stratum_miner.backends.asic.device import Device, DeviceIdentity, Driver, Probed
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.power import NoPower, PowerControl, switch_off
from stratum_miner.backends.asic.running import MakeChain, MakePower, RunningDevice, open_ports
from stratum_miner.backends.asic.transport import PortOpener, Transport

CHAINS: Mapping[str, MakeChain] = {
    "icarus": IcarusChain,
    "bm1380": Bm1380Chain,
    "bm1384": Bm1384Chain,
    "bm1387": Bm1387Chain,
    "bm1397": Bm1397Chain,
    "bm1362": Bm1362Chain,
    "bm1366": Bm1366Chain,
    "bm1368": Bm1368Chain,
    "bm1370": Bm1370Chain,
}


def make_power(transports: Mapping[str, Transport], board: Board) -> PowerControl:
    """By the ports there are."""
    if "control" in transports:
        return BitaxePower(transports["control"], board)
    if "telemetry" in transports:
        return CompacA1Power(transports["telemetry"], transports["data"])
    return NoPower()


class BoardDriver:
    """Implements ``Driver`` for one board out of its chain and its power control."""

    def __init__(self, board: Board, make_chain: MakeChain, make_power: MakePower) -> None:
        self._board, self._make_chain, self._make_power = board, make_chain, make_power

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        """See ``Driver``."""
        return RunningDevice(
            self._board.hashing(options.hash_rate),
            identity,
            ports,
            options,
            clock,
            make_chain=self._make_chain,
            make_power=self._make_power,
        )

    async def probe(self, ports: PortOpener) -> Probed:
        """See ``Driver``: power up where there is a switch, count the chips, power down."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            await power.on(self._board.voltage.default if self._board.voltage else None)
            for step in chain.steps_to_count():
                await chain.perform(step)
            chips = await chain.count(1.0)
            if not chips:
                raise DeviceSilent(f"{chain.path}: no {self._board.chip} answers")
            return Probed(chip=self._board.chip, chips=chips, detail=f"{chips} answered")

    async def identify(self, ports: PortOpener) -> str:
        """See ``Driver``."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            said = await power.identify() or await chain.identify()
            if not said:
                raise DeviceRefused(f"{chain.path}: the {self._board.product} has no lamp that we can switch")
            return said

    async def reset(self, ports: PortOpener) -> str:
        """See ``Driver``."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            if await chain.wire.transport.hold_reset(True):
                await trio.sleep(0.2)
                await chain.wire.transport.hold_reset(False)
                return "chips reset"
            await power.off()
            if not isinstance(power, NoPower):
                return "chips in reset, core voltage off"
            if self._board.frequency is None:
                return "nothing to reset: it goes idle at the end of its range"
            await chain.rest()
            return f"no reset line: clock set to its lowest, {self._board.frequency.low:g} MHz"

    async def configure(self, ports: PortOpener, options: DeviceOptions) -> str:
        """See ``Driver``: bring the chips up with the settings, read back what can be, and leave them at rest."""
        if options.frequency is None and options.voltage is None:
            raise DeviceRefused(f"{self._board.product}: expected a frequency or a voltage to set")
        async with self._opened(ports, options) as (chain, power):
            voltage = options.voltage or (self._board.voltage.default if self._board.voltage else None)
            await power.on(voltage)
            await chain.bring_up()
            told = [f"{chain.frequency:g} MHz"] if chain.frequency is not None else []
            if power.has_sensors:
                readings = await power.read()
                told += [f"{readings.core_voltage:.3f} V"] if readings.core_voltage is not None else []
            count = "1 chip" if chain.chips == 1 else f"{chain.chips} chips"
            return f"{count} at {', '.join(told)}" if told else count

    @asynccontextmanager
    async def _opened(self, ports: PortOpener, options: DeviceOptions) -> AsyncIterator[tuple[Chain, PowerControl]]:
        opened = await open_ports(self._board, ports, self._make_power)
        try:
            default = self._board.frequency.default if self._board.frequency else None
            settings = ChainSettings(
                chips=options.chips or self._board.chips,
                frequency=options.frequency or default,
                nonce_difficulty=options.nonce_difficulty,
            )
            chain = self._make_chain(opened.transports["data"], self._board, settings)
            try:
                yield chain, opened.power
            finally:
                await switch_off(chain.path, opened.power)
        finally:
            opened.close()


def driver_of(board: Board) -> Driver:
    """The driver for a board."""
    return BoardDriver(board, CHAINS[board.chip], make_power)
