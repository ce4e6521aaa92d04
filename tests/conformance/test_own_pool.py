"""The pool of this package passes every MUST and SHOULD, over real sockets and with Bitcoin Core's validation."""

import pytest

pytest.importorskip("pbk", reason="needs the extra: pip install '.[regtest]'")

import trio

from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.cli.conformance import NodeChain
from stratum_miner.conformance import ALL, Hasher, Level, PoolUnderTest, Result, Verdict, select, tcp_dialer, verify
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes.kernel import KernelNode

SCRIPT = script_from_address("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network.REGTEST)
FAST = PoolConfig(
    payout_script=SCRIPT,
    port=0,
    difficulty=3e-10,
    minimum_difficulty=2.4e-10,
    notify_interval=1.0,
    authorize_timeout=10.0,
)
"""A pool that renews its jobs every second, on regtest a little below the network's difficulty."""
SLOW = ["HS-16", "LD-03", "LD-04", "LD-07", "LD-09", "LD-10", "SH-08"]
"""Checks that take two minutes together; test_cases.py runs them with an autojump clock."""
CANNOT = {"SH-12", "VD-02", "VD-03", "VD-04", "VD-05", "LD-17"}
"""Checks that are skipped here: the targets are too close, the pool has no vardiff, the chain is a test chain, no
TLS."""


async def checked(config: PoolConfig, patterns: list[str], skip: list[str]) -> list[Result]:
    async with KernelNode() as node, open_pool(node, config) as pool:
        target = PoolUnderTest(
            name="our pool",
            dial=tcp_dialer("127.0.0.1", pool.port),
            worker="alice.rig",
            owned=True,
            chain=NodeChain(node),
        )
        with trio.fail_after(150):
            return await verify(target, select(ALL, patterns, skip), Hasher.fastest(), seed=1)


async def test_every_must_and_should_passes() -> None:
    """The checks that disturb others have a pool of their own, so that the others need not end first."""
    results: list[Result] = []
    disturbing = [case.id for case in ALL if case.disturbs]
    quiet = [case.id for case in ALL if not case.disturbs]

    async def check(patterns: list[str]) -> None:
        results.extend(await checked(FAST, patterns, SLOW))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(check, disturbing)
        nursery.start_soon(check, quiet)
    assert {each.case.id for each in results} == {case.id for case in ALL} - set(SLOW)
    failed = [(each.case.id, each.outcome.actual) for each in results if each.verdict is Verdict.FAILED]
    assert failed == []
    undecided = {
        each.case.id for each in results if each.case.level is not Level.INFO and each.verdict is not Verdict.PASSED
    }
    assert undecided == CANNOT, [each.outcome for each in results if each.case.id in undecided - CANNOT]


async def test_where_every_share_is_a_block() -> None:
    """The usual regtest pool: a share is much harder than a block."""
    config = PoolConfig(payout_script=SCRIPT, port=0, difficulty=1e-6, notify_interval=1.0)
    results = await checked(config, ["SH-0[1-6]", "SH-1*", "ERR-0[1-5]", "ERR-08", "ERR-17", "ERR-25", "LD-14"], [])
    failed = [(each.case.id, each.outcome.actual) for each in results if each.verdict is Verdict.FAILED]
    assert failed == []
    verdicts = {each.case.id: each.verdict for each in results}
    assert verdicts["SH-12"] is Verdict.PASSED
    assert verdicts["SH-10"] is Verdict.PASSED
    assert list(verdicts.values()).count(Verdict.PASSED) > 14, verdicts


async def test_a_slow_reader_that_a_pool_buffers_for_without_end() -> None:
    boundless = PoolConfig(payout_script=SCRIPT, port=0, difficulty=3e-10, max_queue=1 << 40, send_timeout=1e6)
    (result,) = await checked(boundless, ["LD-05"], [])
    assert result.verdict is Verdict.FAILED, result.outcome
    assert "the pool still reads its requests" in result.outcome.actual
