"""A pool of other authors (tests/realpool): the checks find exactly the deviations that were seen on a raw socket.

docs/measured/conformance.md describes them.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from stratum_miner.cli.conformance import NodeChain
from stratum_miner.conformance import ALL, Hasher, Level, PoolUnderTest, Verdict, select, tcp_dialer, verify
from stratum_miner.pool.nodes import open_node

pytestmark = pytest.mark.node

DEVIATIONS = {
    "FRM-12": "after a user agent that is not UTF-8, the pool answered",
    "FRM-19": "the pool did not reply to a request without method",
    "FRM-20": "the pool did not reply to mining.unknown_to_everyone",
    "FRM-21": "the pool did not reply to mining.authorize without params",
    "HS-06": "the pool did not reply to mining.authorize without a password",
    "HS-12": "with another extranonce1",
    "EXT-02": "granted the version mask 1fffe000",
    "EXT-03": "granted the version mask 1fffe000",
    "EXT-05": "the pool also answered version-rolling",
    "EXT-07": "granted the version mask 1fffe000",
    "EXT-08": "after mining.configure with the params []",
    "SH-11": "does not have",
    "ERR-21": "after a share with version bits that are not hex, the pool answered true",
    "ERR-23": "the pool did not reply to mining.submit",
    "ERR-24": '[21,"job not found"]',
}
"""The failing checks, and a part of what each reports."""
CHECKS = ["framing", "handshake", "EXT-0*", "JOB-0*", "SH-01", "SH-11", "ERR-0[1279]", "ERR-18", "ERR-2[1345]"]
"""All checks but those that take minutes, and some that pass."""


async def test_its_deviations_and_no_other(
    real_pool: Callable[..., AbstractAsyncContextManager[Any]],
) -> None:
    async with (
        real_pool(DIFF="0.0001", BITS="1e00ffff", REBROADCAST="3") as pool,
        open_node(f"http://x:p@127.0.0.1:{pool.rpc_port}") as node,
    ):
        target = PoolUnderTest(
            name="foundation-stratum",
            dial=tcp_dialer(pool.host, pool.port),
            worker=pool.address,
            owned=True,
            chain=NodeChain(node),
        )
        with trio.fail_after(170):
            results = await verify(target, select(ALL, CHECKS, ["HS-16", "FRM-16"]), Hasher.fastest(), seed=1)
    failed = {each.case.id: each.outcome.actual for each in results if each.verdict is Verdict.FAILED}
    assert set(failed) == set(DEVIATIONS), "\n".join(f"{k}: {v}" for k, v in failed.items())
    assert all(words in failed[identifier] for identifier, words in DEVIATIONS.items()), failed
    assert all(each.case.level is not Level.MUST for each in results if each.verdict is Verdict.FAILED)
    assert sum(each.verdict is Verdict.PASSED for each in results) > 40
