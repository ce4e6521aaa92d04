"""On real sockets and a real pool: what mine would meet."""

from pathlib import Path

import pytest

from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.setup import Setup, pool_finding
from stratum_miner.app.settings.mine import Sources
from stratum_miner.client.ping import PingResult
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode


async def test_a_pool_alone_is_enough_to_be_looked_at() -> None:
    async with open_pool(ScriptedNode(), PoolConfig(payout_script=b"\x51", port=0, difficulty=0.5)) as pool:
        setup = Setup.read(Sources({"url": [f"127.0.0.1:{pool.port}", "127.0.0.1:1"]}, None, {}))
        good, refused = await setup.check_pools()
    assert good.verdict is Severity.GOOD
    assert good.text.startswith("the pool sent a job of difficulty 0.5 after ")
    assert refused.verdict is Severity.PROBLEM
    assert refused.text == "Connection refused"
    assert "firewall" in refused.fix


async def test_nothing_given_is_a_note_and_no_more() -> None:
    setup = Setup.read(Sources({}, None, {}))
    [finding] = await setup.check_configuration()
    assert finding.verdict is Severity.NOTE
    assert finding.fix == "stratum-miner config init"
    for check in (setup.check_pools, setup.check_addresses, setup.check_files, setup.check_options):
        assert not await check()


async def test_each_mistake_of_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text('url = "127.0.0.1:1"\nuser = "u"\npass = "hunter2"\nthraeds = 2\n')
    file.chmod(0o644)
    problem, exposed = await Setup.read(Sources({}, file, {})).check_configuration()
    assert "miner.toml:4: thraeds: unknown key: did you mean 'threads'?" in problem.text
    assert exposed.fix == f"chmod 600 {file}"
    file.write_text('url = "127.0.0.1:1"\nuser = "u"\npass = "hunter2"\n')
    file.chmod(0o600)
    [good] = await Setup.read(Sources({}, file, {})).check_configuration()
    assert (good.verdict, good.text) == (Severity.GOOD, "good: 1 pool")


@pytest.mark.parametrize(
    ("result", "verdict", "needle"),
    [
        (PingResult(url="u", error="u: Name or service not known"), Severity.PROBLEM, "DNS"),
        (PingResult(url="u", resolve_ms=1, error="u: Connection refused"), Severity.PROBLEM, "firewall"),
        (PingResult(url="u", resolve_ms=1, connect_ms=1, error="it hung up"), Severity.PROBLEM, "TLS"),
        (PingResult(url="u", connect_ms=1, subscribe_ms=1, error="refused"), Severity.PROBLEM, "worker name"),
        (
            PingResult(url="u", connect_ms=1, subscribe_ms=1, authorize_ms=1, error="late"),
            Severity.NOTE,
            "stratum-miner ping u",
        ),
    ],
)
def test_the_fix_is_that_of_the_step_that_failed(result: PingResult, verdict: Severity, needle: str) -> None:
    finding = pool_finding(result)
    assert finding.verdict is verdict
    assert needle in finding.fix


async def test_files_and_options(tmp_path: Path) -> None:
    given = {
        "url": ["127.0.0.1:1"],
        "journal": tmp_path / "none" / "j",
        "log_file": tmp_path / "log",
        "record": tmp_path,
        "kernel": "scalar",
        "pause_above": 80.0,
    }
    setup = Setup.read(Sources(given, None, {}))
    found = {item.subject: item for item in await setup.check_files()}
    assert found["--journal"].fix == f"mkdir -p {tmp_path}/none"
    assert found["--log-file"].verdict is Severity.GOOD
    assert found["--record"].verdict is Severity.PROBLEM
    options = {item.subject for item in await setup.check_options()}
    assert "kernel" in options
