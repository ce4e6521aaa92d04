"""The devices of --device, with pseudo-terminals in place of serial ports."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratum_miner.app.doctor import devices as devices_module
from stratum_miner.app.doctor.devices import device_findings
from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.app.doctor.ports import Process
from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.access import Holder, PortAccess
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.discovery import FoundDevice, discover
from stratum_miner.backends.asic.port_list import ListedPort


@pytest.fixture
def port() -> Iterator[str]:
    """The path of a pseudo-terminal, whose other side this process has opened."""
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def compac(path: str) -> tuple[FoundDevice, ...]:
    """A Compac that is plugged in at a path."""
    listed = ListedPort(
        path=path, vid=0x10C4, pid=0xEA60, manufacturer="GekkoScience", product="Compac BM1384", serial_number="1"
    )
    return discover([listed])


def findings(*texts: str, devices: tuple[FoundDevice, ...] = ()) -> list[Finding]:
    return device_findings(list(map(DeviceSpec.parse, texts)), devices)


def test_a_port_that_can_be_opened(port: str) -> None:
    [finding] = findings(f"erupter:{port}")
    assert (finding.verdict, finding.subject) == (Severity.GOOD, f"erupter:{port}")
    assert finding.text.startswith("ready")
    [finding] = findings(f"compac:{port}", devices=compac(port))
    assert (finding.verdict, finding.text[:26]) == (Severity.GOOD, "GekkoScience Compac: ready")


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    [finding] = findings(f"erupter:{tmp_path}/ttyUSB9")
    assert finding.verdict is Severity.PROBLEM
    assert finding.text == "nothing is there; the miner waits for the device"
    assert "stratum-miner devices" in finding.fix


@pytest.mark.parametrize("kind", ["file", "directory", "pipe", "null"])
def test_what_is_no_serial_port(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/null") if kind == "null" else tmp_path / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.touch()
    [finding] = findings(f"erupter:{path}")
    assert finding.verdict is Severity.PROBLEM
    assert "expected a serial port, got" in finding.text


def test_a_device_of_another_kind_and_one_without_a_driver(port: str) -> None:
    [finding] = findings(f"erupter:{port}", devices=compac(port))
    assert finding.verdict is Severity.PROBLEM
    assert finding.text == "expected a device of the kind erupter, found GekkoScience Compac"
    assert finding.fix == f"name its kind: --device compac:{port}"


def test_a_device_that_another_program_has_opened(port: str) -> None:
    program = "import sys\nport = open(sys.argv[1], 'rb', buffering=0)\nprint('open', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        [finding] = findings(f"erupter:{port}")
        holder.communicate()
    assert finding.verdict is Severity.PROBLEM
    assert f"(process {holder.pid})" in finding.text


def test_a_device_that_this_miner_mines_with_is_no_problem(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = PortAccess(allowed=False, problem="in use by stratum-miner", holders=(Holder(1, "stratum-miner"),))
    monkeypatch.setattr(access, "examine", lambda path: taken)
    monkeypatch.setattr(devices_module, "process", lambda pid: Process(pid, "stratum-miner", "mine"))
    [finding] = findings(f"erupter:{port}")
    assert (finding.verdict, finding.fix) == (Severity.NOTE, "")


def test_a_device_that_this_user_may_not_open(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "examine", lambda path: PortAccess(allowed=False, problem="no rights", fix="usermod"))
    [by_path, by_kind] = findings(f"compac:{port}", "compac:auto", devices=compac(port))
    assert (by_path.verdict, by_path.fix) == (Severity.PROBLEM, "usermod")
    assert (by_kind.verdict, by_kind.text) == (
        Severity.PROBLEM, f"GekkoScience Compac at {port}: no rights",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("specs", "verdicts"),
    [
        (("auto",), [Severity.GOOD]),
        (("compac:auto",), [Severity.GOOD]),
        (("newpac:auto",), [Severity.PROBLEM]),
        (("newpac:auto", "auto"), [Severity.PROBLEM, Severity.GOOD]),
        (("newpac:auto,frequency=150", "auto"), [Severity.NOTE, Severity.GOOD]),
        (("compac:auto,frequency=200", "auto"), [Severity.GOOD, Severity.GOOD]),
    ],
)
def test_all_devices_of_a_kind(specs: tuple[str, ...], verdicts: list[Severity], port: str) -> None:
    found = findings(*specs, devices=compac(port))
    assert [finding.verdict for finding in found] == verdicts


def test_patterns(port: str, tmp_path: Path) -> None:
    link = tmp_path / "tty0"
    link.symlink_to(port)
    [finding] = findings(f"erupter:{tmp_path}/tty*")
    assert (finding.verdict, str(link) in finding.text) == (Severity.GOOD, True)
    [finding] = findings(f"erupter:{tmp_path}/none*")
    assert (finding.verdict, finding.text[:27]) == (Severity.PROBLEM, "no serial port matches; the")
    (tmp_path / "tty1").touch()
    [finding] = findings(f"erupter:{tmp_path}/tty*")
    assert finding.verdict is Severity.PROBLEM
    assert finding.text == f"{tmp_path}/tty1: expected a serial port, got a file"


def test_all_devices_behind_a_bare_bridge(port: str) -> None:
    bridge = discover([ListedPort(path=port, vid=0x0403, pid=0x6001, product="FT232R USB UART")])
    by_texts, everyone = findings("icarus:auto", "icarus:all", devices=bridge)
    assert (by_texts.verdict, everyone.verdict) == (Severity.PROBLEM, Severity.GOOD)
    assert f"{port} may be one" in by_texts.text


def test_no_device_at_all_and_only_a_bridge(port: str) -> None:
    [finding] = findings("auto")
    assert (finding.verdict, finding.text) == (Severity.PROBLEM, "no miner is recognised")
    bridge = discover([ListedPort(path=port, vid=0x10C4, pid=0xEA60, product="CP2102 USB to UART Bridge Controller")])
    [finding] = findings("erupter:auto", devices=bridge)
    assert finding.verdict is Severity.PROBLEM
    assert f"{port} may be one" in finding.text or finding.text == "no erupter is recognised"


def test_who_is_not_root_is_told_what_cannot_be_seen() -> None:
    assert devices_module._as_far_as_seen(lambda: True) == ""
    assert "root" in devices_module._as_far_as_seen(lambda: False)


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "stick").symlink_to(tmp_path / "ttyUSB9")
    [finding] = findings(f"erupter:{tmp_path}/stick")
    assert finding.verdict is Severity.PROBLEM
    assert finding.text.startswith(f"it is a link to {tmp_path}/ttyUSB9, and nothing is there")


def test_auto_beside_a_device_that_is_ready_is_no_problem(port: str) -> None:
    assert [each.verdict for each in findings(f"icarus:{port}", "auto")] == [Severity.GOOD, Severity.NOTE]
    assert [each.verdict for each in findings("/nowhere/x", "auto")] == [Severity.PROBLEM, Severity.PROBLEM]
    assert [each.verdict for each in findings(f"icarus:{port}", "r606:auto")] == [Severity.GOOD, Severity.PROBLEM]
