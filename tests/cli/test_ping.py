"""``ping --submit`` against a pool on a real socket that judges by the share target alone."""

from typing import Any

import pytest
import trio

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import hash_value, target_from_difficulty
from stratum_miner.cli.ping import _pins, _with_submit
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.ping import PingResult
from stratum_miner.testing.manual_pool import REGTEST_JOB, ManualPool
from tests.cli.one_command import run
from tests.work.jobs import make_job

DIFFICULTY = 2e-4
EASY_BITS = "1f00ffff"
"""A network target thirteen times as easy as the shares': nearly every first find is a block and no share."""


def meets_share_target(submit: list[str]) -> bool:
    _, _, coinbase_prefix, coinbase_suffix, branch, version, _, _, _ = REGTEST_JOB
    job = make_job(
        session=1,
        job_id="1",
        previous_hash=bytes(32),
        prefix=bytes.fromhex(coinbase_prefix),
        suffix=bytes.fromhex(coinbase_suffix),
        branch=tuple(map(bytes.fromhex, branch)),
        version=int(version, 16),
        nbits=int(EASY_BITS, 16),
        ntime=0,
        clean_jobs=True,
        extranonce1=bytes.fromhex("a1b2c3d4"),
        extranonce2_size=4,
        share_target=target_from_difficulty(DIFFICULTY),
    )
    _, _, extranonce2, ntime, nonce, bits = submit
    header = job.header(bytes.fromhex(extranonce2), int(ntime, 16), int(nonce, 16), int(version, 16) | int(bits, 16))
    return hash_value(sha256d(header.to_bytes())) <= target_from_difficulty(DIFFICULTY)


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_ping_submits_a_full_share_where_blocks_are_easier_than_shares(hangs_up: bool) -> None:
    submitted: list[list[str]] = []

    async def serve(stream: trio.SocketStream) -> None:
        pool = ManualPool(stream)
        await pool.accept(difficulty=DIFFICULTY)
        params: list[Any] = list(REGTEST_JOB)
        params[1], params[6] = "00" * 32, EASY_BITS
        await pool.send_call("mining.notify", *params)
        submit = await pool.request("mining.submit")
        submitted.append(submit["params"])
        full = meets_share_target(submit["params"])
        await pool.reply(submit, full or None, None if full else [23, "high-hash", None])
        if not hangs_up:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = PoolUrl("127.0.0.1", listener.socket.getsockname()[1])
        result = await _with_submit(PingResult(url=str(url)), PoolSettings(url=url, worker_name="w"), 60.0)
        nursery.cancel_scope.cancel()
    assert result.error is None
    assert result.submit_ms is not None
    assert len(submitted) == 1


PIN, OTHER = "AB:" * 31 + "AB", "cd" * 32


@pytest.mark.parametrize(
    ("given", "pins"),
    [
        (["none"], [None, None]),
        ([PIN], [PIN, PIN]),
        ([PIN, OTHER], [PIN, OTHER]),
        (["none", OTHER], [None, OTHER]),
    ],
)
def test_a_fingerprint_for_each_pool(given: list[str], pins: list[str | None]) -> None:
    assert _pins(given, 2) == pins


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ssl://h:1", "ssl://i:1", "ssl://j:1"], "expected one for all pools, or one for each of the 3 pools, got 2"),
        (["h:1", "ssl://i:1"], "expected a pool with TLS, stratum+ssl://HOST:PORT, got stratum+tcp://h:1"),
    ],
)
def test_fingerprints_that_do_not_fit(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    pins = [f"--tls-fingerprint={pin}" for pin in (PIN, OTHER)]
    assert run(capsys, "ping", *arguments, *pins) == (2, "", f"stratum-miner: --tls-fingerprint: {said}\n")
