"""What the commands end with, and the one table that says so."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import pytest

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.signals import INTERRUPTED
from stratum_miner.testing.manual_pool import REGTEST_JOB
from tests.cli.one_command import run

DOCS = Path(__file__).parents[3] / "docs"
COMMAND = [sys.executable, "-m", "stratum_miner"]
SLOW = ["--backend", "simulated", "--backend-option", "hash_rate=1H", "--no-config"]
"""A device that needs five days for a share of the pool below."""


def exit_codes(text: str) -> list[int]:
    """Those of the tables of exit codes in a document."""
    rows = []
    for table in re.findall(r"^\| exit code \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M):
        rows += [int(code) for code in re.findall(r"^\| ([0-9]+) \|", table, re.M)]
    return rows


def test_one_table_of_the_documentation_has_them_all() -> None:
    found = {path.name: exit_codes(path.read_text()) for path in (*DOCS.rglob("*.md"), DOCS.parent / "README.md")}
    assert {name: codes for name, codes in found.items() if codes} == {
        "exit-codes.md": [*(code.value for code in ExitCode), INTERRUPTED]
    }


@contextmanager
def pool(*, jobs: bool) -> Iterator[str]:
    """One that answers the handshake, and perhaps gives a job."""

    def serve(connection: socket.socket) -> None:
        answers = {"mining.configure": {}, "mining.subscribe": [[], "a1b2c3d4", 4]}
        with suppress(OSError), connection, connection.makefile("rwb") as lines:
            for line in lines:
                request = json.loads(line)
                lines.write(json.dumps({"id": request["id"], "result": answers.get(request["method"], True)}).encode())
                lines.write(b"\n")
                if request["method"] == "mining.authorize" and jobs:
                    for method, params in (("mining.set_difficulty", [1e-4]), ("mining.notify", list(REGTEST_JOB))):
                        lines.write(json.dumps({"id": None, "method": method, "params": params}).encode() + b"\n")
                lines.flush()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def mine(address: str, *more: str) -> list[str]:
    return ["mine", "-o", address, "-u", "w", *SLOW, *more]


def proxy(address: str, *more: str) -> list[str]:
    return ["proxy", "-o", address, "-u", "w", "--listen", "127.0.0.1:0", "--no-config", *more]


@pytest.mark.parametrize(
    "command",
    [
        mine("127.0.0.1:1"),
        mine("127.0.0.1:1", "--until-shares", "1"),
        mine("SILENT"),
        proxy("127.0.0.1:1"),
    ],
    ids=" ".join,
)
def test_a_time_limit_without_a_job_is_4(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pool(jobs=False) as silent:
        words = [silent if word == "SILENT" else word for word in command]
        assert run(capsys, *words, "--time-limit", "0.5")[0] == ExitCode.POOL_UNREACHABLE


def test_a_time_limit_with_a_job_is_0_unless_something_else_was_the_goal(capsys: pytest.CaptureFixture[str]) -> None:
    with pool(jobs=True) as address:
        commands = (mine(address), mine(address, "--until-shares", "1"), proxy(address))
        codes = [run(capsys, *command, "--time-limit", "2")[0] for command in commands]
    assert codes == [ExitCode.OK, ExitCode.FAILED, ExitCode.OK]


def test_a_time_limit_without_a_device_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pool(jobs=True) as address:
        absent = ("mine", "-o", address, "-u", "w", "--device", f"erupter:{tmp_path}/tty", "--no-config")
        assert run(capsys, *absent, "--time-limit", "2")[0] == ExitCode.FAILED


def test_a_signal_ends_with_0() -> None:
    with pool(jobs=True) as good, pool(jobs=False) as silent:
        commands = [mine(silent), proxy(good), proxy("127.0.0.1:1")]  # tests/cli/test_process.py has others of mine
        processes = [subprocess.Popen([*COMMAND, *command], stderr=subprocess.PIPE, text=True) for command in commands]
        for process, number in zip(processes, cycle((signal.SIGINT, signal.SIGTERM))):
            assert process.stderr is not None
            for line in process.stderr:
                if any(word in line for word in ("handshake", "unreachable", "ready")):
                    break
            process.send_signal(number)
        for process in processes:
            process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [ExitCode.OK] * len(commands)
