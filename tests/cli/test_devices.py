"""``devices``, ``doctor`` and ``device``, on listings whose ports are pseudo-terminals."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum_miner.app.doctor import usb
from stratum_miner.backends.asic import access, usb_power
from stratum_miner.backends.asic.port_list import ListedPort
from stratum_miner.cli import devices
from tests.cli.one_command import run

COMPAC = ListedPort(
    path="", vid=0x10C4, pid=0xEA60, product="Compac BM1384 Bitcoin Miner", manufacturer="GekkoScience",
    serial_number="10018221", location="1-1.2",
)  # fmt: skip
GPS = replace(COMPAC, product="CP2102 USB to UART Bridge Controller", manufacturer="Silicon Labs", serial_number="0001")
MODEM = replace(COMPAC, vid=0x12D1, pid=0x1001, product="Mobile", manufacturer="HUAWEI", serial_number="")


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch, terminal: str) -> list[ListedPort]:
    """Set the devices that are plugged in, all at the same pseudo-terminal."""
    ports: list[ListedPort] = []

    def listing() -> list[ListedPort]:
        return [replace(port, path=terminal) for port in ports]

    monkeypatch.setattr(devices, "list_ports", listing)
    monkeypatch.setattr(usb, "list_ports", listing)
    monkeypatch.setattr(usb_power, "kernel_log", list)
    monkeypatch.setattr(access, "RULE_DIRECTORIES", ("/nonexistent",))
    return ports


@pytest.fixture
def held(terminal: str) -> Iterator[int]:
    """Let another program have the port open."""
    program = "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, terminal], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate("\n")


def test_nothing_is_plugged_in(capsys: pytest.CaptureFixture[str], plugged: list[ListedPort]) -> None:
    assert run(capsys, "devices") == (0, "No mining device is plugged in.\n", "")
    plugged.append(MODEM)
    assert "--all lists 1 other USB serial device" in run(capsys, "devices")[1]
    assert run(capsys, "devices", "--json") == (0, "[]\n", "")


def test_a_miner_is_listed_ready(capsys: pytest.CaptureFixture[str], plugged: list[ListedPort], terminal: str) -> None:
    plugged.append(COMPAC)
    code, out, _ = run(capsys, "devices")
    assert code == 0
    for words in (terminal, "GekkoScience Compac", "10018221", "ready"):
        assert words in out
    [device] = json.loads(run(capsys, "devices", "--json")[1])
    assert device["device"] == f"compac:{terminal}"
    assert device["recognised"] is True
    assert device["access"] == {"allowed": True, "problem": "", "fix": "", "holders": []}


def test_a_bare_bridge_has_to_be_named(capsys: pytest.CaptureFixture[str], plugged: list[ListedPort]) -> None:
    plugged.append(GPS)
    code, out, _ = run(capsys, "devices")
    assert code == 0
    assert "to be named" in out
    assert "erupter, antminer-u1, compac or 2pac, or a device that is not a miner" in out
    assert "name its kind, as in --device erupter:" in out


def test_who_holds_it_is_told(
    capsys: pytest.CaptureFixture[str], plugged: list[ListedPort], held: int, terminal: str
) -> None:
    plugged.append(COMPAC)
    code, out, _ = run(capsys, "devices")
    assert code == 1
    assert f"(process {held})" in out
    code, out, _ = run(capsys, "doctor")
    assert code == 0, "in use is how it should be while mining"
    assert f"(process {held})" in out
    code, out, err = run(capsys, "device", "reset", f"erupter:{terminal}")
    assert (code, out) == (1, "")
    assert f"(process {held}). Stop that program first" in err
    assert len(err.splitlines()) == 1


def test_who_may_not_open_it_gets_the_exact_fix(
    capsys: pytest.CaptureFixture[str],
    plugged: list[ListedPort],
    monkeypatch: pytest.MonkeyPatch,
    terminal: str,
) -> None:
    plugged.append(COMPAC)
    monkeypatch.setattr(os, "access", lambda *arguments, **more: False)
    monkeypatch.setattr(access, "_group", lambda gid: "dialout")
    os.chmod(terminal, 0o660)
    code, out, _ = run(capsys, "devices")
    assert code == 1
    assert "may not open it (it belongs to" in out
    assert "sudo usermod -a -G dialout" in out
    os.chmod(terminal, 0o600)
    assert access.examine(terminal).fix.startswith("run the emulator as "), "no udev rule reaches a pseudo-terminal"
    os.chmod(terminal, 0o660)
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 1
    [problem] = [item for item in json.loads(out) if item["verdict"] == "problem"]
    assert (problem["topic"], problem["subject"]) == ("usb", terminal)
    assert "usermod" in problem["fix"]
    os.chmod(terminal, 0o600)
    monkeypatch.setattr(access, "is_pseudo_terminal", lambda path: False)
    _, out, _ = run(capsys, "devices")
    assert access.INSTALL_COMMAND in out


def test_what_vanishes_while_it_is_looked_at(
    capsys: pytest.CaptureFixture[str], plugged: list[ListedPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "list_ports", lambda: [replace(COMPAC, path="/dev/ttyUSB-gone")])
    code, out, _ = run(capsys, "devices")
    assert code == 1
    assert "it is no longer connected" in out


def test_the_rule_is_printed_and_its_installation_checked(
    capsys: pytest.CaptureFixture[str], plugged: list[ListedPort], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, rule, _ = run(capsys, "doctor", "--udev-rule")
    assert (code, rule) == (0, access.udev_rule())
    assert "the udev rule is not installed" in run(capsys, "doctor")[1]
    monkeypatch.setattr(access, "RULE_DIRECTORIES", (str(tmp_path),))
    file = tmp_path / access.RULE_FILE
    file.write_text(rule)
    assert "is the rule of this version" in run(capsys, "doctor")[1].replace("\n", " ")
    file.write_text(rule.replace('#ATTRS{idVendor}=="10c4"', 'ATTRS{idVendor}=="10c4"'))
    assert "is the rule of this version" in run(capsys, "doctor")[1].replace("\n", " ")
    file.write_text(rule.replace("0660", "0666"))
    assert "is not the rule of this version" in run(capsys, "doctor")[1].replace("\n", " ")


def test_power_signs_are_told(
    capsys: pytest.CaptureFixture[str], plugged: list[ListedPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usb_power, "kernel_log", lambda: ["usb 1-1.2: device not accepting address 7, error -71"])
    code, out, _ = run(capsys, "doctor")
    assert code == 1
    assert "power 1-1.2: the device does not answer the hub" in out
    monkeypatch.setattr(usb_power, "kernel_log", lambda: None)
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "kernel log" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["device", "set", "compac:/tmp"], 2, "expected --frequency, --voltage or both"),
        (["device", "set", "auto", "--frequency", "100"], 2, "expected PATH or KIND:PATH"),
        (["device", "reset", "eruptor:/tmp/x"], 2, "did you mean 'erupter'"),
        (["device", "reset", "/dev/null"], 2, "expected a serial port, got another kind of device"),
        (["device", "identify", "erupter:/tmp/nothing-there"], 1, "expected a device at this path, found none"),
        (["device", "rest", "/dev/ttyUSB0"], 2, "reset"),
        (["devises"], 2, "devices"),
        (["mine", "-o", "h:1", "-u", "x", "--device", "eruptor:/tmp/x"], 2, "--device: .* did you mean 'erupter'"),
        (["mine", "-o", "h:1", "-u", "x", "--device", "auto,frequncy=1"], 2, "--device: .* did you mean 'frequency'"),
        (["mine", "-o", "h:1", "-u", "x", "--device", "/dev/null"], 2, "--device: /dev/null: expected a serial port"),
        (["mine", "-o", "h:1", "-u", "x", "--device", "/dev/nodir/x"], 2, "/dev/nodir is not a directory"),
        (["mine", "-o", "h:1", "-u", "x", "--device", "icarus:/tmp/a", "--device", "/tmp/a"], 2, "named twice"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str) -> None:
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (code, "")
    assert len(err.splitlines()) == 1
    assert re.search(words, err), err
