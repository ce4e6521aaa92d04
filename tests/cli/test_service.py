"""The unit, checked with the tools of systemd, and ``mine`` as systemd runs it: datagrams, signals and log lines."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stratum_miner.cli import service
from tests.cli.test_process import ADDRESS, COMMAND, easy_pool

DEVICE = 'backend = "simulated"\nbackend_option = ["hash_rate=1MH"]\n'
ANALYZE = shutil.which("systemd-analyze")
EXPOSURE = 20
"""Tenths; systemd calls up to 2.0 "OK" and an ordinary service has 9.6."""
_DENY_WRITABLE_CODE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""PR_SET_MDWE, which MemoryDenyWriteExecute=yes comes to; kernels before 6.3 do not know it and go on."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / service.UNIT_FILE
    path.write_text(service.unit_text(service.executable(), []))
    return path


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_finds_little_exposed(unit: Path) -> None:
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", f"--threshold={EXPOSURE}", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_a_program_with_odd_letters_in_its_path_is_quoted() -> None:
    text = service.unit_text(Path("/opt/my 100% miner/stratum-miner"), ["dialout", "uucp"])
    assert 'ExecStart="/opt/my 100%% miner/stratum-miner" mine --config /etc/' in text
    assert "\nSupplementaryGroups=dialout uucp\n" in text
    assert "{" not in text


def test_the_exit_codes_that_no_restart_helps_are_those_of_the_readme() -> None:
    from stratum_miner.app.process.exit_codes import ExitCode

    hopeless = (ExitCode.USAGE, ExitCode.WORKER_REFUSED, ExitCode.SELF_TEST_FAILED)
    assert f"\nRestartPreventExitStatus={' '.join(str(int(code)) for code in hopeless)}\n" in service.unit_text(
        Path("/x"), []
    )


def test_steps_name_this_program() -> None:
    done = subprocess.run([*COMMAND, "service", "steps"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"{service.executable()} service unit | sudo tee /etc/systemd/system/stratum-miner.service" in done.stdout
    syntax = subprocess.run(["sh", "-n"], input=done.stdout, capture_output=True, text=True, check=False)
    assert (syntax.returncode, syntax.stderr) == (0, "")


@contextmanager
def as_systemd_would(arguments: list[str], directory: Path) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """Run with a notification socket, a watchdog, the systemd journal as stderr, and no memory that is writable and
    code.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(directory / "notify"))
        notified.settimeout(120)
        reading, writing = os.pipe()
        stream = os.fstat(writing)
        process = subprocess.Popen(
            ["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh", sys.executable, "-c", _DENY_WRITABLE_CODE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "NOTIFY_SOCKET": str(directory / "notify"),
                "WATCHDOG_USEC": "3000000",
                "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}",
                "XDG_STATE_HOME": str(directory),
                "XDG_CACHE_HOME": str(directory),
            },
        )
        os.close(writing)
        process.stdout = os.fdopen(reading)
        try:
            yield process, notified
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def test_mine_as_systemd_runs_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    with easy_pool() as address:
        config.write_text(f'url = "{address}"\nuser = "{ADDRESS}"\nhttp = "127.0.0.1:0"\n{DEVICE}')
        with as_systemd_would([*COMMAND, "mine", "--config", str(config)], tmp_path) as (miner, notified):

            def until(name: str) -> dict[str, str]:
                while True:
                    told = dict(line.split("=", 1) for line in notified.recv(4096).decode().splitlines())
                    if name in told:
                        return told

            assert until("READY")["READY"] == "1"
            alive = until("WATCHDOG")
            assert "accepted" in alive["STATUS"]
            miner.send_signal(signal.SIGHUP)
            assert int(until("RELOADING")["MONOTONIC_USEC"]) > 0
            assert until("READY")["READY"] == "1"
            config.write_text("nonsense = 1\n")
            miner.send_signal(signal.SIGHUP)
            until("RELOADING")
            until("READY")  # a refused file ends the reload too
            until("WATCHDOG")  # and mining goes on
            miner.send_signal(signal.SIGTERM)
            until("STOPPING")
            assert miner.stdout is not None
            lines = miner.stdout.read().splitlines()
            assert miner.wait(60) == 0
    assert all(line.startswith("<") for line in lines[:5]), lines[:5]
    assert any(line.startswith("<6>Mining on ") for line in lines)
    assert any(line.startswith("<3>The configuration was refused, and nothing changed: ") for line in lines)
    assert not any("\x1b" in line for line in lines)
    assert (tmp_path / "stratum-miner" / "http-token").exists()


def test_a_service_without_its_configuration_says_so_and_is_not_restarted(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with as_systemd_would([*COMMAND, "mine", "--config", str(missing)], tmp_path) as (miner, _):
        assert miner.stdout is not None
        told = miner.stdout.read()
        assert miner.wait(60) == 2
    assert told == f"stratum-miner: {missing}: cannot read this file: No such file or directory\n"
