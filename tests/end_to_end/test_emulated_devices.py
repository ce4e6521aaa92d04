"""Every product through its emulator on a pool of ours: brought up, mining at its rate, shares accepted.

All of them at once, on one connection: pseudo-terminals, real hashing, real time. The rate is judged by the nonces
alone, of which a few hundred come from each; benchmarks.device_rates takes as many as an interval of 3 % wants.
"""

from collections import Counter
from contextlib import AsyncExitStack
from math import sqrt

import trio

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceSnapshot, DeviceState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.emulators import KINDS, emulated
from stratum_miner.miner import Miner, MinerEvent
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.stratum_job import submit_of
from stratum_miner.testing.scripted_node import HARD_BITS, ScriptedNode, make_template
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_from_address(ADDRESS, Network.REGTEST)
HASH_RATE = 250e3
NONCE_DIFFICULTY = dict.fromkeys(KINDS, 2e-06) | {"icarus": 2e-5}
"""29 nonces a second from each device; but three from an Icarus, which idles after each until new work has arrived."""
SHARE_DIFFICULTY = 1e-5
"""One nonce of five is a share: forty shares from each device."""
NONCES = dict.fromkeys(KINDS, 200) | {"icarus": 20}
"""200 nonces give the rate within 0.03 + 4 / sqrt(200) = 31 %: a device at half or at twice its rate is noticed."""
ROLLING = {"newpac", "r606", "compac-f"}
"""They try several versions in turn. Later chips count versions, too slowly at this rate for a test to see the next.

One of their four versions has no bit set. By chance, 16 shares in a row have that version once in 4 ** 16 runs.
"""
ROLLED_SHARES = 16
LATE_S = 0.1
"""When this process gets its turn so late, an emulator loses the nonces of work that has ended meanwhile."""


async def test_every_product_mines() -> None:
    events: list[MinerEvent] = []
    async with AsyncExitStack() as stack:
        node = ScriptedNode(make_template(nbits=HARD_BITS))  # no share is a block: the job stays
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
        miner = Miner(settings, [backend], on_event=events.append)
        punctuality = Punctuality()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(miner.run)
            nursery.start_soon(punctuality.run)
            await _all_have_mined(backend, events)
            miner.stop()
            nursery.cancel_scope.deadline = trio.current_time() + 60
            punctuality.stop()
        statistics = [emulator.statistics() for emulator in emulators]

    told = _snapshots(backend)
    assert set(told) == set(KINDS), [record.reason for record in backend.device_records()]
    for kind, snapshot in told.items():
        assert snapshot.nonces >= NONCES[kind], kind
        assert (snapshot.hardware_errors, snapshot.crc_errors, snapshot.restarts) == (0, 0, 0), kind
        assert snapshot.state is DeviceState.OFF, kind
        ratio = snapshot.hashes / snapshot.expected_hashes
        tolerance = 0.03 + 4 / sqrt(snapshot.nonces)
        late = punctuality.late_part
        assert -tolerance - 2 * late < ratio - 1 < tolerance, (kind, ratio, snapshot.nonces, late)
    nonces = sum(snapshot.nonces for snapshot in told.values())
    ratio = sum(item.hashes for item in told.values()) / sum(item.expected_hashes for item in told.values())
    tolerance = 0.03 + 4 / sqrt(nonces)
    assert -tolerance - 2 * late < ratio - 1 < tolerance, ("all together", ratio, nonces, late)
    assert [item.bad_frames for item in statistics] == [0] * len(statistics)
    accepted = _accepted(events)
    for kind, snapshot in told.items():
        shares = [share for share in accepted if share.device == snapshot.identity.name]
        assert shares, kind
        rolled = [share for share in shares if submit_of(share, "").version_bits]
        assert rolled or kind not in ROLLING, f"{kind}: {len(shares)} shares, all of one version"
    assert miner.snapshot().hardware_errors == 0


class Punctuality:
    """Which part of the time this process did not get its turn, because the machine was busy with other things."""

    def __init__(self) -> None:
        self._late = 0.0
        self._began = trio.current_time()
        self.late_part = 0.0
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        with self._scope:
            while True:
                due = trio.current_time() + LATE_S / 10
                await trio.sleep_until(due)
                late = trio.current_time() - due
                if late > LATE_S:
                    self._late += late

    def stop(self) -> None:
        self.late_part = self._late / (trio.current_time() - self._began)
        self._scope.cancel()


def _spec(kind: str, path: object) -> DeviceSpec:
    return DeviceSpec.parse(f"{kind}:{path},nonce-difficulty={NONCE_DIFFICULTY[kind]},hash-rate={HASH_RATE}")


async def _all_have_mined(backend: AsicBackend, events: list[MinerEvent]) -> None:
    lacking: object = "every device"
    with trio.move_on_after(150):
        while lacking:
            await trio.sleep(0.25)
            told = _snapshots(backend)
            by_device = Counter(share.device for share in _accepted(events))
            counts = {kind: (item.nonces, by_device[item.identity.name]) for kind, item in told.items()}
            lacking = {
                kind: counts.get(kind)
                for kind in KINDS
                if counts.get(kind, (0, 0)) < (NONCES[kind], 0)
                or counts[kind][1] < (ROLLED_SHARES if kind in ROLLING else 1)
            }
        return
    raise AssertionError(f"waited 150 s for nonces and shares of each device; too few (nonces, shares): {lacking}")


def _snapshots(backend: AsicBackend) -> dict[str, DeviceSnapshot]:
    told = (record.device for record in backend.device_records())
    return {snapshot.identity.kind: snapshot for snapshot in told if snapshot is not None}


def _accepted(events: list[MinerEvent]) -> list[Share]:
    return [
        event.share for event in events if isinstance(event, ShareResult) and event.outcome is ShareOutcome.ACCEPTED
    ]
