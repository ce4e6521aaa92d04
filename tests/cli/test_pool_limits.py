"""A pool may have thousands of connections, and does not block while it goes through all of them."""

import gc
import socket

import pytest
import trio

from stratum_miner.app.process import garbage_collection
from stratum_miner.cli import main

from .test_process import ADDRESS

COMMANDS = pytest.mark.parametrize(
    "command",
    [
        ["pool", "--network-difficulty", "1", "--address", ADDRESS, "--listen", "127.0.0.1:0"],
        ["proxy", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--listen", "127.0.0.1:0"],
    ],
    ids=["pool", "proxy"],
)


@pytest.fixture
def broken_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the listener of a command accept once and then fail."""

    async def open_broken(host: str, port: int) -> list[trio.SocketListener]:
        listeners = await trio.open_tcp_listeners(port, host=host)
        for listener in listeners:
            listener.socket.shutdown(socket.SHUT_RDWR)
        return listeners

    monkeypatch.setattr("stratum_miner.app.options.listen_address.open_listeners", open_broken)


@COMMANDS
def test_who_serves_thousands_may_open_files_and_keeps_objects(
    command: list[str], broken_listeners: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"now": (256, 20_000)}
    thresholds: list[tuple[int, ...]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))
    monkeypatch.setattr("gc.set_threshold", lambda *wanted: thresholds.append(wanted))
    assert main.run(command) == 1
    assert limits["now"] == (20_000, 20_000)
    assert thresholds == [garbage_collection.COLLECTIONS, gc.get_threshold()]


@COMMANDS
def test_a_broken_listener_ends_the_command_with_an_error(
    command: list[str], broken_listeners: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(command) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("stratum-miner: 127.0.0.1:")
    assert "cannot accept connections" in told
