"""The commands that send the requests of a check again."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import trio.testing

from stratum_miner.conformance.case import CASES
from stratum_miner.conformance.outcome import failed
from stratum_miner.conformance.reproduction import LONGEST, commands
from stratum_miner.conformance.verify import Result

from .conftest import RunCheck
from .test_cases import asked, swallow

Clock = trio.testing.MockClock
POOL = "stratum+tcp://127.0.0.1:3333"
RESULT = Result(CASES["FRM-20"], failed("no"), 5.2, sent=(b'{"id": 1}\n',))


@pytest.mark.parametrize(
    ("pool", "connect"),
    [
        (POOL, "nc 127.0.0.1 3333"),
        ("stratum+tcp://[::1]:3333", "nc ::1 3333"),
        ("stratum+ssl://pool.example:443", "openssl s_client -quiet -connect pool.example:443"),
        ("stratum+ssl://[::1]:443", "openssl s_client -quiet -connect '[::1]:443'"),
        ("stratum+tcp://a;reboot:1", "nc 'a;reboot' 1"),
    ],
)
def test_how_the_pool_is_reached(pool: str, connect: str) -> None:
    assert commands(pool, RESULT) == [f"(printf '{{\"id\": 1}}\\n'; sleep 7) | {connect}"]


@pytest.mark.parametrize("pool", ["memory", "stratum+tcp://host", "stratum+tcp://host:x", "stratum+tcp://[:1", "a:1"])
def test_a_pool_without_a_url(pool: str) -> None:
    assert commands(pool, RESULT) == []


def test_which_conversations_are_sent() -> None:
    assert commands(POOL, replace(RESULT, sent=())) == []
    assert commands(POOL, replace(RESULT, sent=(b"x" * (LONGEST + 1),))) == []
    several = commands(POOL, replace(RESULT, sent=(b"a", b"b", b"c", b"b", b"d")))
    assert [command.split("'")[1] for command in several] == ["b", "c", "d"]


@pytest.mark.parametrize(("seconds", "waited"), [(0.1, 3), (9.5, 11), (1000, 130)])
def test_how_long_it_waits(seconds: float, waited: int) -> None:
    assert f"; sleep {waited})" in commands(POOL, replace(RESULT, seconds=seconds))[0]


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "ksh", "csh"])
def test_a_shell_sends_each_byte_unchanged(shell: str, tmp_path: Path) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    sent = bytes(range(256)) + b"'; touch bad #$(touch bad)`touch bad`%s%n\\x41 !! {a,b} ~ * ?\r\n"
    for name, script in {"nc": "exec cat > received", "sleep": ":"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    [command] = commands(POOL, replace(RESULT, sent=(sent,)))
    assert command.isascii()
    assert command.isprintable()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    subprocess.run([found, "-c", command], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert (tmp_path / "received").read_bytes() == sent
    assert not (tmp_path / "bad").exists()


async def test_what_a_check_sent(autojump_clock: Clock, run_check: RunCheck) -> None:
    result = await run_check("FRM-21")
    assert len(commands(POOL, result)) == 3
    assert all('["alice", "x"]' in command for command in commands(POOL, result))
    assert not result.session_bound
    hidden = await run_check("FRM-21", password="hunter2-secret")
    assert all('["alice", "***"]' in command for command in commands(POOL, hidden))
    assert "hunter2" not in repr(hidden.sent)


async def test_what_cannot_be_sent_again(autojump_clock: Clock, run_check: RunCheck) -> None:
    for identifier in ("SH-01", "JOB-13", "FRM-01", "FRM-02", "FRM-17", "LD-16"):
        assert (await run_check(identifier)).sent == (), identifier
    assert (await run_check("HS-16")).sent == (b"",), "it only waits"
    assert (await run_check("ERR-24")).session_bound is False
    assert (await run_check("ERR-23")).session_bound is True


async def test_the_connection_that_shows_that_the_pool_is_alive_is_left_out(
    autojump_clock: Clock, run_check: RunCheck
) -> None:
    result = await run_check("HS-06", **asked(lambda message: message["method"] == "mining.authorize", swallow))
    assert "but it answered a new connection" in result.outcome.actual
    assert len(result.sent) == 1
