"""What a miner does with the nonces that its backends report: shares, hardware errors, weak blocks."""

import itertools
from dataclasses import replace

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.bitcoin.header import swap_words
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Assignment, Goals, HardwareError, Miner, StopReason
from stratum_miner.miner.weak_blocks import MOST_REJECTED
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.miner.bench import Bench, ScriptedBackend, bench, job_of


async def test_shares_goal_is_reached_and_counted_once(autojump_clock: MockClock) -> None:
    async with bench(goals=Goals(shares=2)) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=2)
        await it.answer()
        assert not it.ended.is_set()
        await it.answer()
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED
        snapshot = it.miner.snapshot()
        assert (snapshot.found, snapshot.shares.accepted, snapshot.shares.total) == (2, 2, 2)
        assert snapshot.best_share > 0


async def test_wrong_and_repeated_nonces_are_hardware_errors_and_never_submitted(autojump_clock: MockClock) -> None:
    async with bench() as it:
        unit = it.backend.unit()
        [share] = await it.backend.report_where(unit, lambda share: share.meets_share_target)
        await it.answer()
        await it.backend.report(unit, share.nonce)
        wrong = next(n for n in range(100) if not isinstance(verify(NonceFound(unit, n, unit.version)), Share))
        await it.backend.report(unit, wrong)
        await it.settled()
        assert [event.device for event in it.events if isinstance(event, HardwareError)] == ["s0", "s0"]
        assert it.miner.snapshot().hardware_errors == 2
        assert it.miner.snapshot().found == 1
        it.backend.own_errors = 5  # that its driver saw, and did not report as nonces
        snapshot = it.miner.snapshot()
        assert snapshot.hardware_errors == 7
        assert [device.hardware_errors for backend in snapshot.backends for device in backend.devices] == [7]


async def test_a_device_is_not_blamed_for_a_point_that_it_was_given_twice(autojump_clock: MockClock) -> None:
    async with bench() as it:
        unit = it.backend.unit()
        [share] = await it.backend.report_where(unit, lambda share: share.meets_share_target)
        await it.answer()
        again = replace(unit)
        await it.backend.report(again, share.nonce)
        await it.settled()
        snapshot = it.miner.snapshot()
        assert (snapshot.hardware_errors, snapshot.withheld, snapshot.found) == (0, 1, 1)


def test_each_miner_counts_extranonce2_from_a_place_of_its_own() -> None:
    """Some pools give the next session the extranonce1 of the last one, even that of another process."""
    settings = PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="worker")
    begins = set()
    for _ in range(2):
        scheduler = Miner(settings, [ScriptedBackend()]).scheduler
        scheduler.set_job(job_of(1, 16))
        unit = scheduler.next_unit()
        assert unit is not None
        begins.add(unit.extranonce2)
    assert len(begins) == 2


def test_the_first_extranonce2_is_random_in_all_of_its_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool may give up to 32 bytes of extranonce2."""
    asked: list[int] = []

    def draw(bits: int) -> int:
        asked.append(bits)
        return 0

    monkeypatch.setattr("secrets.randbits", draw)
    Miner(PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="worker"), [ScriptedBackend()])
    assert asked == [32 * 8]


async def test_groups_on_one_pool_that_gives_both_one_extranonce1_search_different_points() -> None:
    first, second = (
        PoolSettings(url=PoolUrl("pool.example", port), worker_name="worker", version_mask=0) for port in (3333, 3334)
    )
    miner = Miner([first], [ScriptedBackend(), Assignment(backend=ScriptedBackend(), pool=second)])
    units = []
    for session, group in enumerate(miner._groups):
        group.scheduler.set_job(job_of(session, 1))
        units += [group.scheduler.next_unit() for _ in range(128)]
    assert len({unit.extranonce2 for unit in units if unit is not None}) == 256


async def test_a_nonce_that_wins_in_two_versions_is_submitted_in_one(autojump_clock: MockClock) -> None:
    """Pools like NOMP ignore the version in their check for duplicates; a block is submitted nevertheless."""

    def share_of(unit: WorkUnit, nonce: int) -> Share | None:
        verdict = verify(NonceFound(unit, nonce, unit.version))
        return verdict if isinstance(verdict, Share) and verdict.meets_share_target else None

    async with bench(difficulty=1e-10) as it:  # easier than a block
        first = it.backend.unit()
        version = first.version ^ 0x2000
        second = replace(first, version=version, header=version.to_bytes(4, "little") + first.header[4:])
        wins: dict[bool, int] = {}
        for nonce in range(1000):
            twin = share_of(second, nonce)
            if share_of(first, nonce) and twin:
                wins.setdefault(twin.is_block, nonce)
        for nonce in wins.values():
            await it.backend.report(first, nonce)
            await it.backend.report(second, nonce)
        await it.settled()
        assert it.miner.snapshot().withheld == 1
        assert it.miner.snapshot().found == 3
        assert it.miner.snapshot().hardware_errors == 0


async def test_weak_block_is_submitted_once_per_previous_hash(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        await it.backend.report_where(unit, lambda share: not share.meets_share_target, count=3)
        await it.answer()
        assert it.miner.snapshot().found == 1
        assert it.miner.snapshot().below_target == 2
        assert it.miner.snapshot().blocks_accepted == 1
        narrowed = it.backend.unit()
        assert narrowed.target == narrowed.job.share_target
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        assert it.backend.unit().target == unit.job.network_target


async def _refuse_weak_blocks(it: Bench, count: int) -> list[Share]:
    """Submit them on one previous hash; each gets its reply before the next one is found."""
    shares: list[Share] = []
    nonce = 0
    while len(shares) < count:
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        nonce, share = next_weak(unit, nonce)
        shares.append(share)
        await it.backend.report(unit, share.nonce)
        await it.answer(None, [23, "high-hash", None])
    return shares


def next_weak(unit: WorkUnit, first: int) -> tuple[int, Share]:
    for nonce in itertools.count(first):
        verdict = verify(NonceFound(unit, nonce, unit.version, "s0"))
        if isinstance(verdict, Share) and not verdict.meets_share_target:
            return nonce + 1, verdict
    raise AssertionError


async def test_weak_blocks_are_searched_on_after_a_refusal(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        await _refuse_weak_blocks(it, 1)
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_a_pool_that_makes_no_blocks_of_weak_ones_gets_no_more(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        await _refuse_weak_blocks(it, MOST_REJECTED - 1)
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        [share] = await _refuse_weak_blocks(it, 1)
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target
        await it.pool.notify("3", previous="00" * 28 + "87654321")
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target
        await it.pool.notify("4", previous=swap_words(share.digest).hex())  # its node was slow
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_a_pool_whose_next_job_builds_on_a_refused_hash_gets_more(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        for _ in range(12):  # twenty-four refusals in a row end no session and leave no pool
            first, *_ = await _refuse_weak_blocks(it, MOST_REJECTED - 1)
            await it.pool.notify("2", previous=swap_words(first.digest).hex())
            await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_without_weak_blocks_only_full_shares_are_searched(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=False) as it:
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target


async def test_luck_counts_the_work_under_each_difficulty(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=3)
        await it.answer()
        await trio.sleep(1)
        easy = it.miner.scheduler.job
        assert easy is not None
        assert it.miner.snapshot().expected == pytest.approx(1000 * (easy.share_target + 1) / 2**256)
        it.backend.hashes = 5000
        await it.pool.send_call("mining.set_difficulty", 4e-9)
        await it.pool.notify()
        await it.settled()
        hard = it.miner.scheduler.job
        assert hard is not None
        assert hard.share_chance == pytest.approx(easy.share_chance / 4)
        it.backend.hashes = 9000
        await trio.sleep(1)
        snapshot = it.miner.snapshot()
        assert snapshot.shares_found == 3
        assert snapshot.expected == pytest.approx(5000 * easy.share_chance + 4000 * hard.share_chance)
        assert snapshot.network_difficulty == hard.network_difficulty
