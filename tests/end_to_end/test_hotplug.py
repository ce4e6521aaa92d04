"""Devices that come and go while mining on our pool: two emulated sticks and a simulated device, one connection."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import trio

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceState
from stratum_miner.backends.asic.device_record import DeviceRecordSnapshot, DeviceRecordState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.emulators import emulated
from stratum_miner.miner import Miner, MinerEvent
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode
from stratum_miner.work.share_result import ShareOutcome, ShareResult

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_from_address(ADDRESS, Network.REGTEST)
STICK, OTHER, THIRD = "erupter-erupter", "compac-compac", "sim0"
NONCE_DIFFICULTY, HASH_RATE = 1e-5, 500e3
SHARE_DIFFICULTY = 5e-5
"""Two shares in a second from each."""


async def until(condition: Callable[[], bool], seen: Callable[[], object]) -> None:
    with trio.move_on_after(150):
        while not condition():  # noqa: ASYNC110  devices count in their own time
            await trio.sleep(0.02)
        return
    raise AssertionError(f"waited 150 s, and saw {seen()}")


async def test_one_of_two_sticks_is_replugged_and_the_others_lose_nothing() -> None:
    events: list[MinerEvent] = []

    def shares(device: str) -> int:
        outcomes = [
            event for event in events if isinstance(event, ShareResult) and event.outcome is ShareOutcome.ACCEPTED
        ]
        return sum(outcome.share.device.startswith(device) for outcome in outcomes)

    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(MemoryNode(LOWEST_DIFFICULTY))
        config = PoolConfig(payout_script=SCRIPT, port=0, difficulty=SHARE_DIFFICULTY)
        pool = await stack.enter_async_context(open_pool(node, config))
        erupter, compac = [
            await stack.enter_async_context(emulated(kind, hash_rate=HASH_RATE, nonce_difficulty=NONCE_DIFFICULTY))
            for kind in ("erupter", "compac")
        ]
        told = f"nonce-difficulty={NONCE_DIFFICULTY},hash-rate={HASH_RATE}"
        sticks = AsicBackend(
            [
                DeviceSpec.parse(f"erupter:{erupter.path},{told}"),
                DeviceSpec.parse(f"compac:{compac.path},{told},worker=.stick"),
            ]
        )
        settings = PoolSettings(url=PoolUrl("127.0.0.1", pool.port), worker_name=ADDRESS)
        miner = Miner(settings, [sticks, SimulatedBackend(hash_rate=HASH_RATE)], on_event=events.append)

        def record(name: str) -> DeviceRecordSnapshot:
            return next(record for record in sticks.device_records() if record.name == name)

        def seen() -> object:
            return [(name, shares(name)) for name in (STICK, OTHER, THIRD)], list(sticks.device_records())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            await until(lambda: all(shares(name) >= 2 for name in (STICK, OTHER, THIRD)), seen)
            erupter.unplug()
            await until(lambda: record(STICK).state is DeviceRecordState.WAITING, seen)
            before = {name: shares(name) for name in (STICK, OTHER, THIRD)}
            await until(lambda: all(shares(name) >= before[name] + 2 for name in (OTHER, THIRD)), seen)
            erupter.replug()
            await until(lambda: shares(STICK) >= before[STICK] + 2, seen)
            other = record(OTHER).device
            assert other is not None
            assert other.state is DeviceState.MINING
            assert (other.restarts, other.hardware_errors) == (0, 0)
            assert (record(STICK).unplugged, record(OTHER).unplugged) == (1, 0)
            miner.stop()
        result = miner.snapshot()
        assert (result.shares.rejected, result.shares.lost, result.hardware_errors) == (0, 0, 0)
        assert result.client.connects == 1
        workers = {event.worker_name for event in events if isinstance(event, ShareResult)}
        assert workers == {ADDRESS, f"{ADDRESS}.stick"}, "the stick with a login of its own used it"
        assert pool.snapshot().shares.accepted == result.shares.accepted
