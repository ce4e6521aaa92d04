"""Which program listens on a port."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.ports import Process, command_of, holder_of_port
from stratum_miner.app.doctor.setup import address_finding

LISTEN = """
import socket, sys
taken = socket.create_server((sys.argv[1], 0))
print(taken.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/home/me/.venv/bin/python", "/home/me/.venv/bin/stratum-miner", "mine", "-o", "a:1"], "mine"),
        (["python3", "-X", "dev", "-W", "error", "-m", "stratum_miner", "solo"], "solo"),
        (["/usr/bin/python3.12", "-u", "/src/stratum_miner/__main__.py", "pool"], "pool"),
        (["/opt/bin/stratum-miner", "mine"], "mine"),
        (["stratum-miner mine -o a:1 -p ***"], "mine"),
        (["python3", "-X", "dev", "-u", "-W", "error", "-m", "stratum_miner.cli.health"], ""),
        (["/opt/stratum-miner/bin/python", "-E", "/opt/stratum-miner/bin/stratum-miner"], ""),
        (["stratum-miner"], ""),
        (["stratum-miner", "--help"], ""),
        (["python3", "/home/me/stratum_miner/web.py"], None),
        (["python3", "/home/me/stratum-miner/web.py", "mine"], None),
        (["python3", "-c", "import stratum_miner"], None),
        (["python3", "-m", "http.server"], None),
        (["/home/me/stratum_miner/server"], None),
        (["nginx: master process /opt/stratum-miner/nginx"], None),
        (["vim", "stratum-miner"], None),
        (["/srv/stratum-miner/bin/nginx", "-c", "/etc/stratum-miner/nginx.conf"], None),
        (["/srv/stratum_miner/.venv/bin/python", "-c", "import socket", "stratum-miner"], None),
        (["python3", "-m", "stratum_miner_dashboard"], None),
        (["python3", "-m", "http.server", "--directory", "stratum_miner"], None),
        (["python3", "-X", "stratum-miner"], None),
        (["python3"], None),
        (["python3", "-m"], None),
        ([], None),
        ([""], None),
    ],
)
def test_only_the_program_itself_is_recognised(arguments: list[str], command: str | None) -> None:
    assert command_of(arguments) == command


@pytest.mark.parametrize("directory", ["stratum_miner", "stratum-miner"])
def test_a_foreign_program_below_a_directory_of_this_name_is_a_problem(directory: str, tmp_path: Path) -> None:
    script = tmp_path / directory / "web.py"
    script.parent.mkdir()
    script.write_text(LISTEN)
    with subprocess.Popen(
        [sys.executable, str(script), "127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        port = holder.stdout.readline().strip()
        finding = address_finding("--http", f"127.0.0.1:{port}", network=False)
        assert finding.verdict is Severity.PROBLEM
        assert f"(process {holder.pid})" in finding.text
        assert "stratum-miner" not in finding.text
        holder.communicate()


def test_another_address_with_the_same_port_is_no_holder() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        assert holder_of_port(f"127.0.0.1:{port}") is None
        assert holder_of_port(f"[::1]:{port}") is None
        for address in (f"127.0.0.2:{port}", f"0.0.0.0:{port}"):
            found = holder_of_port(address)
            assert found is not None, address
            assert found.pid
    assert holder_of_port(f"127.0.0.2:{port}") is None
    assert holder_of_port("nowhere:1") is None


def test_a_miner_that_runs_already_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = holder_of_port(address)
        assert found is not None
        assert found.pid == os.getpid()
        for command, verdict in (("mine", Severity.NOTE), ("pool", Severity.PROBLEM)):
            holder = Process(812, "stratum-miner", command)
            monkeypatch.setattr("stratum_miner.app.doctor.setup.holder_of_port", lambda address, holder=holder: holder)
            finding = address_finding("--http", address, network=False)
            assert finding.verdict is verdict
            assert finding.text.startswith(f"in use by stratum-miner {command} (process 812)")


def test_only_a_miner_is_a_miner() -> None:
    assert Process(1, "stratum-miner", "mine").is_miner
    assert not Process(1, "stratum-miner", "pool").is_miner
    assert not Process(1, "nginx").is_miner
    assert str(Process(812, "stratum-miner", "pool")) == "stratum-miner pool (process 812)"
    assert str(Process(7, "nginx")) == "nginx (process 7)"
