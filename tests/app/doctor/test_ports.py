"""Who listens on a port: this program, or another one whatever the names of its directories are."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.ports import PortHolder, holder_of_port, is_stratum_miner
from stratum_miner.app.doctor.setup import address_finding

LISTEN = """
import socket, sys
taken = socket.create_server(("127.0.0.1", 0))
print(taken.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/bin/python3", "/home/alice/.local/bin/stratum-miner", "mine"],
        ["/home/alice/stratum_miner/.venv/bin/python", ".venv/bin/stratum-miner", "pool"],
        ["python3", "-m", "stratum_miner", "mine"],
        ["python3", "-X", "dev", "-u", "-W", "error", "-m", "stratum_miner.cli.health"],
        ["stratum-miner", "mine"],
        ["stratum-miner mine -o h:1 -u x -p ***"],
        ["/opt/stratum-miner/bin/python", "-E", "/opt/stratum-miner/bin/stratum-miner"],
    ],
)
def test_command_lines_of_this_program(command: list[str]) -> None:
    assert is_stratum_miner(command)


@pytest.mark.parametrize(
    "command",
    [
        ["python3", "/home/alice/stratum_miner/web.py"],
        ["/home/alice/stratum_miner/.venv/bin/python", "-c", "import socket", "stratum-miner"],
        ["/srv/stratum-miner/bin/nginx", "-c", "/etc/stratum-miner/nginx.conf"],
        ["python3", "-m", "stratum_miner_dashboard"],
        ["python3", "-m", "http.server", "--directory", "stratum_miner"],
        ["python3", "-X", "stratum-miner"],
        ["nginx: worker of stratum-miner"],
        ["python3"],
        [""],
        [],
    ],
)
def test_command_lines_of_others(command: list[str]) -> None:
    assert not is_stratum_miner(command)


def test_a_program_in_a_directory_of_our_name_is_another_one(tmp_path: Path) -> None:
    program = tmp_path / "stratum_miner" / "stratum-miner.d" / "web.py"
    program.parent.mkdir(parents=True)
    program.write_text(LISTEN)
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        address = f"127.0.0.1:{holder.stdout.readline().strip()}"
        finding = address_finding("--http", address, network=False)
        assert finding.verdict is Severity.PROBLEM
        assert finding.text.endswith(f"(process {holder.pid})")
        assert finding.fix == "choose another port, or stop that program"
        holder.communicate()
    assert address_finding("--http", address, network=False).verdict is Severity.GOOD
    assert holder_of_port(address) is None


def test_a_miner_that_runs_already_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = holder_of_port(address)
        assert found is not None
        assert found.pid == os.getpid()
        miner = PortHolder("stratum-miner", 812, is_stratum_miner=True)
        monkeypatch.setattr("stratum_miner.app.doctor.setup.holder_of_port", lambda address: miner)
        finding = address_finding("--http", address, network=False)
    assert finding.verdict is Severity.NOTE
    assert finding.text == "in use by stratum-miner (process 812), a miner that is already running"
