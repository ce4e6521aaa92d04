"""Every product through its emulator on the embedded pool: brought up, mining at its rate, shares accepted.

All of them at once, on one connection: pseudo-terminals, real hashing, real time. The rate is judged by the nonces
alone, of which about a thousand come from each; benchmarks/device_rates.py takes as many as an interval of 3 % wants.
"""

from collections import Counter
from contextlib import AsyncExitStack
from math import sqrt

import pytest
import trio

pytest.importorskip("pbk", reason="needs the extra: pip install '.[regtest]'")

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceSnapshot, DeviceState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.emulators import KINDS, emulated
from stratum_miner.miner import Goals, Miner, MinerEvent
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes.kernel import KernelNode
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_from_address(ADDRESS, Network.REGTEST)
HASH_RATE = 250e3
NONCE_DIFFICULTY = dict.fromkeys(KINDS, 1e-06) | {"icarus": 3e-5}
"""58 nonces a second from each device; but two from an Icarus, which idles after each until new work has arrived."""
SHARE_DIFFICULTY = 1e-4
NONCES = dict.fromkeys(KINDS, 600) | {"icarus": 20}
ROLLING = {"newpac", "r606", "compac-f"}
"""They try several versions in turn. Later chips count versions, too slowly at this rate for a test to see the next."""


async def test_every_product_mines() -> None:
    events: list[MinerEvent] = []
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(KernelNode())
        pool = await stack.enter_async_context(
            open_pool(node, PoolConfig(payout_script=SCRIPT, port=0, difficulty=SHARE_DIFFICULTY))
        )
        emulators = [
            await stack.enter_async_context(
                emulated(kind, hash_rate=HASH_RATE, nonce_difficulty=NONCE_DIFFICULTY[kind], seed=7)
            )
            for kind in KINDS
        ]
        backend = AsicBackend([_spec(item.kind.name, item.path) for item in emulators])
        settings = PoolSettings(
            url=PoolUrl("127.0.0.1", pool.port), worker_name=f"{ADDRESS}.test", version_mask=0x1FFFE000
        )
        miner = Miner(settings, [backend], goals=Goals(time_limit=150), on_event=events.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_when_all_have_mined, miner, backend, events)
            await miner.run()
            nursery.cancel_scope.cancel()
        statistics = [emulator.statistics() for emulator in emulators]

    told = _snapshots(backend)
    assert set(told) == set(KINDS), [record.reason for record in backend.device_records()]
    for kind, snapshot in told.items():
        assert snapshot.nonces >= NONCES[kind], kind
        assert (snapshot.hardware_errors, snapshot.crc_errors, snapshot.restarts) == (0, 0, 0), kind
        assert snapshot.state is DeviceState.OFF, kind
        ratio = snapshot.hashes / snapshot.expected_hashes
        assert abs(ratio - 1) < 0.03 + 4 / sqrt(snapshot.nonces), (kind, ratio, snapshot.nonces)
    nonces = sum(snapshot.nonces for snapshot in told.values())
    ratio = sum(item.hashes for item in told.values()) / sum(item.expected_hashes for item in told.values())
    assert abs(ratio - 1) < 0.03 + 1.96 / sqrt(nonces), "all together: within 3 % at the 95 % interval"
    assert [item.bad_frames for item in statistics] == [0] * len(statistics)
    accepted = _accepted(events)
    for kind, snapshot in told.items():
        shares = [share for share in accepted if share.device == snapshot.identity.name]
        assert shares, kind
        assert any(submit_of(share, "").version_bits for share in shares) or kind not in ROLLING or len(shares) < 8
    assert miner.snapshot().hardware_errors == 0


def _spec(kind: str, path: object) -> DeviceSpec:
    return DeviceSpec.parse(f"{kind}:{path},nonce-difficulty={NONCE_DIFFICULTY[kind]},hash-rate={HASH_RATE}")


async def _stop_when_all_have_mined(miner: Miner, backend: AsicBackend, events: list[MinerEvent]) -> None:
    while True:
        told = _snapshots(backend)
        by_device = Counter(share.device for share in _accepted(events))
        if len(told) == len(KINDS) and all(
            snapshot.nonces >= NONCES[kind] and by_device[snapshot.identity.name] for kind, snapshot in told.items()
        ):
            miner.stop()
        await trio.sleep(0.25)


def _snapshots(backend: AsicBackend) -> dict[str, DeviceSnapshot]:
    told = (record.device for record in backend.device_records())
    return {snapshot.identity.kind: snapshot for snapshot in told if snapshot is not None}


def _accepted(events: list[MinerEvent]) -> list[Share]:
    return [
        event.share for event in events if isinstance(event, ShareResult) and event.outcome is ShareOutcome.ACCEPTED
    ]
