"""On real sockets and a real pool: what mine would meet."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.app.doctor import machine
from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.setup import Setup, address_finding, pool_finding
from stratum_miner.app.process import output_files
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
    [finding] = [finding for check in setup.checks() for finding in await check()]
    assert finding.verdict is Severity.NOTE
    assert finding.fix == "stratum-miner config init"


async def test_the_fix_of_a_mistake_on_the_command_line_is_not_about_a_file() -> None:
    given = {"url": ["127.0.0.1:1"], "user": ["u"], "tls_fingerprint": ["00:11"]}
    [problem] = await Setup.read(Sources(given, None, {})).check_configuration()
    assert (problem.verdict, problem.fix) == (Severity.PROBLEM, "correct it as the message says")


async def test_each_mistake_of_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text('url = "127.0.0.1:1"\nuser = "u"\npass = "hunter2"\nthraeds = 2\n')
    file.chmod(0o644)
    problem, exposed = await Setup.read(Sources({}, file, {})).check_configuration()
    assert "miner.toml:4: thraeds: unknown key: did you mean 'threads'?" in problem.text
    assert "config init NEW.toml" in problem.fix
    assert exposed.fix == f"chmod 600 {file}"
    file.write_text('url = "127.0.0.1:1"\nuser = "u"\npass = "hunter2"\n')
    file.chmod(0o600)
    [good] = await Setup.read(Sources({}, file, {})).check_configuration()
    assert (good.verdict, good.text) == (Severity.GOOD, "good: 1 pool")


@pytest.mark.parametrize(
    ("result", "verdict", "needle"),
    [
        (PingResult(url="u", error="u: Name or service not known"), Severity.PROBLEM, "DNS"),
        (PingResult(url="u", error="no connection to the proxy http://p:1: refused"), Severity.PROBLEM, "--proxy"),
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


def test_addresses_that_are_free_and_that_cannot_be() -> None:
    assert address_finding("--http", "127.0.0.1:0", network=False).verdict is Severity.GOOD
    assert "loopback" in address_finding("--http", "0.0.0.0:7780", network=False).text


@pytest.mark.parametrize(
    ("free", "verdict", "text"),
    [(0, Severity.PROBLEM, "its disk is full"), (20_000_000, Severity.NOTE, "only 20 MB are free on its disk")],
)
async def test_a_full_disk_is_a_problem_for_each_file_that_the_miner_writes(
    free: int, verdict: Severity, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_free", lambda path: free)
    (tmp_path / "log").write_text("")
    given = {"url": ["127.0.0.1:1"], "journal": tmp_path / "journal", "log_file": tmp_path / "log"}
    found = {item.subject: item for item in await Setup.read(Sources(given, None, {})).check_files()}
    assert (found["--journal"].verdict, found["--journal"].text) == (verdict, f"{tmp_path}: {text}")
    if free == 0:
        assert (found["--log-file"].verdict, found["--log-file"].text) == (verdict, f"{tmp_path}/log: {text}")
        assert found["--log-file"].fix == f"make room: df -h {tmp_path}"


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


async def test_other_settings_are_checked_without_a_pool_and_with_a_wrong_one(tmp_path: Path) -> None:
    given = {"device": [f"erupter:{tmp_path}/ttyUSB9"], "journal": tmp_path / "none" / "j"}
    setup = Setup.read(Sources(given, None, {}))
    assert [item.verdict for item in await setup.check_configuration()] == [Severity.NOTE]
    assert [item.subject for item in await setup.check_devices()] == given["device"]
    assert [item.subject for item in await setup.check_files()] == ["--journal"]
    assert not await setup.check_pools()
    setup = Setup.read(Sources({**given, "url": ["nonsense"]}, None, {}))
    assert [item.verdict for item in await setup.check_configuration()] == [Severity.PROBLEM]
    assert await setup.check_devices()
    assert not await setup.check_pools()
    setup = Setup.read(Sources({**given, "power": "65W"}, None, {}))
    problem, note = await setup.check_configuration()
    assert problem.text.startswith("--power: needs --electricity")
    assert note.verdict is Severity.NOTE


async def test_a_wrong_device_does_not_hide_the_rest(tmp_path: Path) -> None:
    given = {"url": ["127.0.0.1:1"], "device": ["erupter:/dev/null"], "journal": tmp_path / "none" / "j"}
    setup = Setup.read(Sources(given, None, {}))
    [problem] = await setup.check_configuration()
    assert problem.verdict is Severity.PROBLEM
    assert "expected a serial port, got another kind of device" in problem.text
    assert await setup.check_files()
    assert len(await setup.check_pools()) == 1


async def test_devices_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(f"url = 'a:1'\nuser = 'u'\ndevice = ['compac:{tmp_path}/ttyUSB9', 'auto']\n")
    found = await Setup.read(Sources({}, file, {})).check_devices()
    assert [item.subject for item in found] == [f"compac:{tmp_path}/ttyUSB9", "auto"]
    file.write_text("url = 'a:1'\nuser = 'u'\n[backends.sticks]\nbackend = 'asic'\n")
    assert [item.subject for item in await Setup.read(Sources({}, file, {})).check_devices()] == ["auto"]


async def test_journals_of_another_kind_and_of_a_running_miner(tmp_path: Path) -> None:
    journal = tmp_path / "shares"
    setup = Setup.read(Sources({"journal": journal}, None, {}))
    assert [item.verdict for item in await setup.check_files()] == [Severity.GOOD]
    assert not journal.exists()
    journal.write_text("a letter to a friend\n")
    [finding] = await setup.check_files()
    assert finding.verdict is Severity.PROBLEM
    assert "expected a share journal, got another kind of file" in finding.text
    assert journal.read_text() == "a letter to a friend\n"
    journal.write_text("")
    with journal.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        [finding] = await setup.check_files()
    assert (finding.verdict, "another running miner" in finding.text) == (Severity.NOTE, True)


async def test_files_with_secrets_and_tokens(tmp_path: Path) -> None:
    secret, token = tmp_path / "pass", tmp_path / "token"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    token.write_text("short\n")
    given = {"url": ["a:1"], "user": ["u"], "pass_file": secret, "http": "127.0.0.1:0", "http_token_file": token}
    setup = Setup.read(Sources(given, None, {}))
    files = {item.subject: item for item in await setup.check_files()}
    assert (files[str(secret)].verdict, files[str(secret)].fix) == (Severity.PROBLEM, f"chmod 600 {secret}")
    found = {item.subject: item for item in await setup.check_addresses()}
    assert "at least 16 characters" in found["token"].text
    token.write_text("a-token-of-enough-characters\n")
    token.chmod(0o600)
    assert "token" not in {item.subject for item in await setup.check_addresses()}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"cgminer_api": "127.0.0.1:4028", "api_allow": "W:nobody"},
            "--api-allow: expected GROUP:ADDRESS or GROUP:ADDRESS/BITS",
        ),
        ({"cgminer_api": "127.0.0.1:4028", "api_groups": "P:launch"}, "--api-groups: expected names of commands"),
        ({"api_allow": "W:127.0.0.1"}, "--api-allow: needs --cgminer-api"),
        ({"axeos_control": ["nowhere"], "axeos_api": "127.0.0.1:80"}, "--axeos-control: expected a network"),
        ({"axeos_control": ["10/8"]}, "--axeos-control: needs --axeos-api"),
    ],
)
async def test_rules_of_access_are_checked_before_mining(given: dict[str, Any], said: str) -> None:
    setup = Setup.read(Sources({"url": ["127.0.0.1:1"], "user": ["u"], **given}, None, {}))
    assert any(item.text.startswith(said) for item in await setup.check_configuration()), setup.problems


async def test_a_file_that_this_user_may_not_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own Path.exists raises PermissionError for a path below a directory that this user may not search."""

    def refuse(path: Path, *, follow_symlinks: bool = True) -> bool:
        raise PermissionError(path)

    for question in ("exists", "is_dir"):
        monkeypatch.setattr(Path, question, refuse)
    monkeypatch.setattr(output_files, "obstacle", lambda path: "Permission denied")
    setup = Setup.read(Sources({"journal": tmp_path / "j"}, None, {}))
    [finding] = await setup.check_files()
    assert (finding.verdict, finding.text) == (Severity.PROBLEM, f"{tmp_path}/j cannot be written: Permission denied")
