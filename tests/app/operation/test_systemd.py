"""Datagrams as systemd reads them, on a real socket."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from stratum_miner.app.operation.systemd import ServiceManager
from stratum_miner.monitoring.view import ProblemView
from tests.monitoring.screen.test_layout import SUMMARY


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        path = str(tmp_path / "notify")
        receiving.bind(path)
        receiving.settimeout(60)
        yield receiving, {"NOTIFY_SOCKET": path}


async def test_ready_status_alive_and_stopping(
    notify: tuple[socket.socket, dict[str, str]], autojump_clock: MockClock
) -> None:
    receiving, environment = notify
    environment |= {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid())}
    manager = ServiceManager(environment)
    assert manager.listens
    with trio.move_on_after(5):
        await manager.run(lambda: replace(SUMMARY, detail="a\nb"))
    told = [receiving.recv(4096).decode() for _ in range(4)]
    assert told[0] == "READY=1\nSTATUS=mining (a b), 158 MH/s, 120 accepted, 3 rejected, 2 stale, 1 lost"
    assert told[1].startswith("WATCHDOG=1\nSTATUS=mining")  # every two of six seconds
    assert told[2].startswith("WATCHDOG=1\n")
    assert told[3] == "STOPPING=1"


async def test_the_status_says_what_is_wrong(
    notify: tuple[socket.socket, dict[str, str]], autojump_clock: MockClock
) -> None:
    receiving, environment = notify
    off = ProblemView(severity="critical", kind="device_off", text="erupter-3 is off: too hot.", advice="Cool it.")
    summary = replace(SUMMARY, state="degraded", detail="11 of 12 devices mine", problems=(off, off, off))
    with trio.move_on_after(1):
        await ServiceManager(environment).run(lambda: summary)
    assert receiving.recv(4096).decode() == (
        "READY=1\nSTATUS=degraded (11 of 12 devices mine), 158 MH/s, 120 accepted, 3 rejected, 2 stale, 1 lost; "
        "erupter-3 is off: too hot. (2 more)"
    )


async def test_without_a_watchdog_there_is_status_alone(
    notify: tuple[socket.socket, dict[str, str]], autojump_clock: MockClock
) -> None:
    receiving, environment = notify
    environment |= {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}  # another process's
    with trio.move_on_after(6):
        await ServiceManager(environment).run(lambda: SUMMARY)
    assert [receiving.recv(4096).decode().split("=")[0] for _ in range(3)] == ["READY", "STATUS", "STOPPING"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "nonsense"}])
def test_nobody_listens(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    assert not manager.listens
    manager.notify(READY="1")


def test_a_manager_that_went_away_is_no_trouble(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify(READY="1")


def test_an_abstract_socket_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind("\0stratum-miner-test")
        receiving.settimeout(60)
        ServiceManager({"NOTIFY_SOCKET": "@stratum-miner-test"}).notify(READY="1")
        assert receiving.recv(100) == b"READY=1"
