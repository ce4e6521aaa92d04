"""Real ports: pseudo-terminals unplugged and replaced behind a symlink while others go on."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import trio

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.device import Device, DeviceIdentity, Driver
from stratum_miner.backends.asic.device_record import DeviceRecordState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.asic.transport import PortOpener
from stratum_miner.backends.base import WorkSource
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.unit import NonceFound
from tests.backends.asic.fakes import Bus, FakeDevice, FakeDriver
from tests.backends.asic.far_side import FarSide, far_side


class EchoDriver(FakeDriver):
    """Its devices send back what they receive."""

    def device(
        self, identity: DeviceIdentity, ports: PortOpener, options: DeviceOptions, clock: Callable[[], float]
    ) -> Device:
        del clock
        return EchoDevice(self._bus, self._board, identity, ports, options)


class EchoDevice(FakeDevice):
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        del source, found
        port = await self._ports("data", 115200)
        try:
            await port.send(b"ready\n")
            while True:
                data = await port.receive()
                self.hashes += len(data)
                await port.send(data)
        finally:
            port.close()


def plug(link: Path, stack: ExitStack) -> FarSide:
    """A new terminal behind the link, made or renewed in one step, as udev does."""
    side = stack.enter_context(far_side())
    fresh = link.with_suffix(".new")
    fresh.symlink_to(side.path)
    fresh.replace(link)
    return side


async def speak(side: FarSide, text: bytes) -> None:
    side.write(text)
    assert await side.read(len(text)) == text


async def test_a_terminal_replaced_behind_its_link_continues_and_the_neighbour_notices_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    bus = Bus()

    async def nothing() -> tuple[()]:
        await trio.lowlevel.checkpoint()
        return ()

    def driver(board: Board) -> Driver:
        return EchoDriver(bus, board)

    backend = AsicBackend(
        [DeviceSpec.parse(f"erupter:{one}"), DeviceSpec.parse(f"erupter:{other}")], listing=nothing, driver=driver
    )
    send, receive = trio.open_memory_channel[NonceFound](16)
    with ExitStack() as stack:
        first, neighbour = plug(one, stack), plug(other, stack)
        async with receive, send, trio.open_nursery() as nursery:
            nursery.start_soon(backend.run, ScriptedWorkSource(), send)
            for side in (first, neighbour):
                assert await side.read(6) == b"ready\n"
                await speak(side, b"before")
            for _ in range(3):
                first.unplug()
                await speak(neighbour, b"while it is gone")
                first = plug(one, stack)
                assert await first.read(6) == b"ready\n"
                await speak(first, b"again")
            records = {record.name: record for record in backend.device_records()}
            assert (records["erupter-one"].unplugged, records["erupter-other"].unplugged) == (3, 0)
            assert records["erupter-one"].state is DeviceRecordState.RUNNING
            hashes = {device.name: device.hashes for device in backend.statistics().devices}
            assert hashes == {"erupter-one": 6 + 3 * 5, "erupter-other": 6 + 3 * 16}
            one.unlink()
            first.unplug()
            await speak(neighbour, b"alone")
            nursery.cancel_scope.cancel()
