"""One driver for all boards. It makes devices for mining, and can probe, identify, reset and configure a device while
it is not mining. A new board or chip is a row in ``boards`` or ``chips``, and needs no change here.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.chain import ChainSettings, ChipChain
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.device import Device, DeviceIdentity, Driver, Probed
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.power import NoPower, PowerControl, switch_off
from stratum_miner.backends.asic.running import RunningDevice, open_ports
from stratum_miner.backends.asic.transport import PortOpener


class BoardDriver:
    """Implements ``Driver`` for one board with its chip chain and its power control."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        """See ``Driver.device``."""
        return RunningDevice(self._board.hashing(options.hash_rate), identity, ports, options, clock)

    async def probe(self, ports: PortOpener) -> Probed:
        """Power up (if the board can switch the power), count the chips, and power down. See ``Driver.probe``."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            await power.on(self._board.voltage.default if self._board.voltage else None)
            for step in chain.steps_to_count():
                await chain.perform(step)
            chips = await chain.count(1.0)
            if not chips:
                expected = f"expected {self._board.chip} chips to answer"
                raise DeviceSilent(f"{chain.path}: {expected}, got none: check power and cable")
            return Probed(chip=self._board.chip, chips=chips)

    async def identify(self, ports: PortOpener) -> str:
        """See ``Driver.identify``."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            what_to_look_for = await power.identify() or await chain.identify()
            if not what_to_look_for:
                raise DeviceRefused(f"{chain.path}: stratum-miner cannot switch an LED on the {self._board.product}")
            return what_to_look_for

    async def reset(self, ports: PortOpener) -> str:
        """See ``Driver.reset``."""
        async with self._opened(ports, DeviceOptions()) as (chain, power):
            if await chain.wire.transport.hold_reset(True):
                await trio.sleep(0.2)
                await chain.wire.transport.hold_reset(False)
                return "chips reset"
            await power.off()
            if not isinstance(power, NoPower):
                return "chips in reset, core voltage off if the board can switch it"
            if self._board.frequency is None:
                return "nothing to reset: the device becomes idle when it has searched its nonce range"
            await chain.make_idle()
            return f"no reset line: the clock is set to its lowest frequency, {self._board.frequency.low:g} MHz"

    async def configure(self, ports: PortOpener, options: DeviceOptions) -> str:
        """Bring the chips up with the settings, read back the values, and power down. See ``Driver.configure``."""
        if options.frequency is None and options.voltage is None:
            raise DeviceRefused(f"{self._board.product}: expected a frequency or a voltage to set, as in frequency=150")
        async with self._opened(ports, options) as (chain, power):
            voltage = options.voltage or (self._board.voltage.default if self._board.voltage else None)
            await power.on(voltage)
            await chain.bring_up()
            facts = [f"{chain.frequency:g} MHz"] if chain.frequency is not None else []
            if power.has_sensors:
                readings = await power.read()
                facts += [f"{readings.core_voltage:.3f} V"] if readings.core_voltage is not None else []
            count = "1 chip" if chain.chips == 1 else f"{chain.chips} chips"
            return f"{count} at {', '.join(facts)}" if facts else count

    @asynccontextmanager
    async def _opened(self, ports: PortOpener, options: DeviceOptions) -> AsyncIterator[tuple[ChipChain, PowerControl]]:
        opened = await open_ports(self._board, ports)
        try:
            default = self._board.frequency.default if self._board.frequency else None
            settings = ChainSettings(
                chips=options.chips or self._board.chips,
                frequency=options.frequency or default,
                nonce_difficulty=options.nonce_difficulty,
            )
            chain = CHAINS[self._board.chip](opened.transports["data"], self._board, settings)
            try:
                yield chain, opened.power
            finally:
                await switch_off(chain.path, opened.power)
        finally:
            opened.close()


def driver_of(board: Board) -> Driver:
    """Return the driver for a board."""
    return BoardDriver(board)
