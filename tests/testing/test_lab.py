"""The laboratory: shares on demand, the same for the same seed, waits that say what they waited for."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from stratum_miner.capture.record import Side
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY
from stratum_miner.testing import Lab, LabError, LabMiner, LabTimeout, open_lab
from stratum_miner.testing.lab import STARTUP_SECONDS
from stratum_miner.testing.transcript import Transcript

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "pool-ci"


async def mined(lab: Lab, count: int) -> list[tuple[str, bytes]]:
    pool = await lab.pool(network_difficulty=2e-6)  # every second hash that is a share is a block as well
    miner = await lab.miner(pool.url)
    results = [await miner.submit_one() for _ in range(count)]
    snapshot = await pool.snapshot()
    assert (snapshot.shares.accepted, list(snapshot.blocks)) == (count, [])
    return [(result.outcome.value, result.share.extranonce2) for result in results]


async def test_exactly_as_many_shares_as_were_ordered() -> None:
    async with open_lab() as lab:
        assert [fate for fate, _ in await mined(lab, 8)] == ["accepted"] * 8


async def test_a_block_is_a_block_and_brings_a_new_job() -> None:
    async with open_lab() as lab:
        pool = await lab.pool()
        miner = await lab.miner(pool.url)
        result = await miner.mine_block()
        assert result.share.is_block
        assert result.outcome.value == "accepted"
        jobs = [await miner.wait_for("mining.notify") for _ in range(2)]
        assert jobs[1]["params"][1] != jobs[0]["params"][1]
        assert [block.accepted for block in (await pool.snapshot()).blocks] == [True]


async def test_a_share_that_is_surely_no_block_and_a_block_by_name() -> None:
    """Half of all shares are blocks here, so that chance would show at once."""
    async with open_lab() as lab:
        pool = await lab.pool(network_difficulty=2e-6)
        miner = await lab.miner(pool.url)
        for _ in range(8):
            share, block = await miner.submit_non_block(), await miner.mine_block()
            assert (share.outcome.value, share.share.is_block) == ("accepted", False)
            assert (block.outcome.value, block.share.is_block) == ("accepted", True)
        snapshot = await pool.snapshot()
        assert snapshot.shares.accepted == 16
        assert [block.accepted for block in snapshot.blocks] == [True] * 8
        (device,) = (await miner.snapshot()).backends[0].devices
        assert device.hashes < 1e7, "far less than a second of work"


async def test_where_every_share_is_a_block_none_is_made_that_is_not() -> None:
    async with open_lab() as lab:
        pool = await lab.pool(network_difficulty=LOWEST_DIFFICULTY)
        miner = await lab.miner(pool.url)
        assert (await miner.submit_one()).share.is_block
        with pytest.raises(
            LabError,
            match=r"^expected a share that is no block, but every share of this job is a block, because its network "
            r"difficulty, 4\.65654e-10, is not above its share difficulty, 1e-06\. Use a pool with a higher",
        ):
            await miner.submit_non_block()


async def test_a_request_waits_for_a_job_that_has_such_a_share() -> None:
    from stratum_miner.testing import OnDemandBackend, ScriptedWorkSource, ShareKind
    from stratum_miner.work.example import unit_of
    from stratum_miner.work.unit import NonceFound

    backend = OnDemandBackend()
    easy = unit_of(1)
    easy = replace(easy, job=replace(easy.job, share_target=easy.job.network_target))
    hard_job = replace(easy.job, nbits=0x1D00FFFF)
    source = ScriptedWorkSource([easy])
    send, receive = trio.open_memory_channel[NonceFound](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backend.run, source, send)
        backend.find_one(ShareKind.NON_BLOCK)
        with trio.fail_after(60):
            while not backend.statistics().problem:  # noqa: ASYNC110 - the backend has no event for this
                await trio.sleep(0.01)
        assert backend.statistics().problem.startswith("every share of this job is a block")
        with pytest.raises(trio.WouldBlock):
            receive.receive_nowait()
        source.give([replace(easy, job=hard_job)], void=True)
        found = await receive.receive()
        assert found.unit.job is hard_job
        assert backend.statistics().problem == ""
        nursery.cancel_scope.cancel()


async def test_an_order_survives_a_new_block() -> None:
    async with open_lab() as lab:
        pool = await lab.pool()
        miner = await lab.miner(pool.url)
        await miner.wait_for("mining.notify")
        await pool.new_block()
        await miner.wait_for("mining.notify")
        assert (await miner.submit_one()).outcome.value == "accepted"


async def test_equal_seeds_find_equal_nonces() -> None:
    """On equal jobs, that is: two miners of one seed on one unit."""
    from stratum_miner.testing.on_demand_backend import OnDemandBackend
    from stratum_miner.testing.work_source import ScriptedWorkSource
    from stratum_miner.work.example import unit_of
    from stratum_miner.work.unit import NonceFound

    async def nonces(seed: int) -> list[int]:
        backend = OnDemandBackend(seed=seed)
        send, receive = trio.open_memory_channel[NonceFound](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(backend.run, ScriptedWorkSource([unit_of(1)]), send)
            found = []
            for _ in range(3):
                backend.find_one()
                found.append((await receive.receive()).nonce)
            nursery.cancel_scope.cancel()
        return found

    assert await nonces(1) == await nonces(1) != await nonces(2)


async def test_tls_on_the_way_and_a_tap_before_it(tmp_path: Path) -> None:
    from stratum_miner.testing.lab_tls import LabTls

    tls = LabTls.create(tmp_path)
    async with open_lab() as lab:
        pool = await lab.pool(tls=tls.server)
        tap = await lab.tap(pool.url, tls=tls.trust)
        for url in (pool.url, tap.url):
            assert (await (await lab.miner(url, tls=tls.trust)).submit_one()).outcome.value == "accepted"
        assert (await tap.wait_for("mining.submit"))["params"][0] == "alice.rig"


async def test_a_wait_that_fails_says_what_was_said() -> None:
    async with open_lab() as lab:
        pool = await lab.pool(faults=["no-jobs"])
        miner = await lab.miner(pool.url)
        await miner.wait_for("mining.authorize")
        with pytest.raises(
            LabTimeout,
            match=r"expected mining.notify from the pool within 0 s, but it did not come. Last (.|\n)*authorize",
        ):
            await miner.wait_for("mining.notify", within=0)


async def test_a_pool_that_is_down_is_said_first_and_soon() -> None:
    async with open_lab(startup=0.5) as lab:
        miner = await lab.miner("stratum+tcp://127.0.0.1:1")
        for wait in (miner.submit_one(), miner.wait_for("mining.notify"), miner.until_difficulty(1)):
            with (
                trio.fail_after(20),
                pytest.raises(LabError, match=r"^connection refused by 127\.0\.0\.1:1 \(tried for"),
            ):
                await wait
        nowhere = await lab.miner("stratum+tcp://nowhere.invalid:3333")
        with trio.fail_after(20), pytest.raises(LabError, match=r"^no connection to nowhere\.invalid:3333: "):
            await nowhere.submit_one()


async def test_a_pool_that_comes_up_late_is_met_all_the_same() -> None:
    """The miner goes on trying, and what is waited for then may come."""
    async with open_lab(startup=0.1) as lab:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        miner = await lab.miner(f"stratum+tcp://127.0.0.1:{port}")
        with pytest.raises(LabError):
            await miner.submit_one()
        [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
        with trio.fail_after(30):
            await listener.accept()
            while miner.transcript.failure is not None:
                await trio.lowlevel.checkpoint()
        with pytest.raises(LabTimeout):
            await miner.submit_one(within=0)
        await listener.aclose()


async def test_a_miner_that_was_refused_tells_who_waits() -> None:
    async with open_lab() as lab:
        pool = await lab.pool(faults=["refuse-worker"])
        miner = await lab.miner(pool.url)
        with pytest.raises(LabError, match="refused the worker"):
            await miner.submit_one()


async def test_a_difficulty_that_no_test_can_mine_is_said_at_once() -> None:
    async with open_lab() as lab:
        pool = await lab.pool(difficulty=1e6, network_difficulty=1e9)
        with pytest.raises(
            LabError,
            match=r"^difficulty: expected a value below 1, so that a test can find shares, got 1e\+06",
        ):
            await (await lab.miner(pool.url)).submit_one()


async def test_until_difficulty_takes_a_number_or_a_function() -> None:
    async with open_lab() as lab:
        pool = await lab.pool()
        miner: LabMiner = await lab.miner(pool.url, suggest_difficulty=4e-6)
        assert await miner.until_difficulty(4e-6) == await miner.until_difficulty(lambda value: value > 2e-6)


def test_messages_are_given_once_and_in_order() -> None:
    transcript = Transcript()
    connection = transcript.open()
    connection.data(Side.POOL, b'{"id":null,"method":"a","params":[1]}\n{"id":null,"method":"b"}\nnonsense\n{"id":nu')
    connection.data(Side.POOL, b'll,"method":"a","params":[2]}\n')

    async def main() -> list[object]:
        return [(await transcript.wait_for("a", Side.POOL, 1))["params"] for _ in range(2)]

    assert trio.run(main) == [[1], [2]]
    assert len(transcript.messages) == 4


def test_the_example_project_passes() -> None:
    """Somebody else's tests, sync, asyncio and trio, with nothing but the plugin."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:trio", str(EXAMPLE)],
        cwd=EXAMPLE, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_a_test_that_fails_shows_the_conversation(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(stratum_pool_miner):\n    stratum_pool_miner.submit_one()\n    assert False\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Stratum: stratum_pool_miner" in done.stdout
    assert '1 -> {"id":' in done.stdout
    assert "mining.submit" in done.stdout


async def test_a_fleet_of_none_is_a_mistake() -> None:
    async with open_lab() as lab:
        with pytest.raises(ValueError, match=r"^fleet: expected a count of at least 1, got 0$"):
            await lab.fleet("stratum+tcp://127.0.0.1:1", 0)


def test_a_failure_begins_with_what_happened_and_ends_at_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def share(miner):\n    return miner.submit_one()\n"
        "def test_it(stratum_pool_miner):\n    share(stratum_pool_miner)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=j.xml",
         "--stratum-url", "stratum+tcp://127.0.0.1:1", "--stratum-startup", "100ms"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    said = "connection refused by 127.0.0.1:1 (tried for 0.1 s)"
    assert done.returncode == 1
    assert f"FAILED test_it.py::test_it - {said}" in done.stdout
    assert f'<failure message="{said}' in (tmp_path / "j.xml").read_text()
    assert "return miner.submit_one()" in done.stdout
    assert "portal_lab.py" not in done.stdout


def test_the_options_are_in_the_help_of_pytest(pytestconfig: pytest.Config) -> None:
    options = {
        option: next(action for action in pytestconfig._parser.optparser._actions if option in action.option_strings)
        for option in ("--stratum-url", "--stratum-startup", "--stratum-seed")
    }
    for option, action in options.items():
        assert f"as in {option} " in (action.help or "")
        assert "[default: " in (action.help or "")
    assert f"[default: {STARTUP_SECONDS:g}s]" in (options["--stratum-startup"].help or "")


def test_a_url_that_is_none_is_told_before_any_test(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--stratum-url", "stratun+tcp://h:1", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 4
    assert "--stratum-url: pool URL: expected stratum+tcp or stratum+ssl, got 'stratun+tcp': did you" in done.stderr
