"""A pool with thousands of sessions: it may have them, and does not stop to look through all of them."""

import gc
import socket
from collections.abc import Iterator

import pytest
import trio

from stratum_miner.cli import main, pool

from .test_process import ADDRESS


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class Kept:
    """Something that is tracked."""


def test_objects_that_stay_are_not_looked_through_again_and_again(thresholds: None) -> None:
    pool.keep_old_objects()
    gc.collect()
    collections = gc.get_stats()[2]["collections"]
    kept = [Kept() for _ in range(400_000)]
    assert gc.get_stats()[2]["collections"] == collections
    assert gc.get_stats()[0]["collections"] > 0
    assert len(kept) == 400_000


def test_a_pool_may_have_as_many_connections_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (1024, 20_000)}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))
    pool.allow_files()
    assert limits["now"] == (20_000, 20_000)


@pytest.mark.parametrize(
    "command",
    [
        ["pool", "--node", "kernel", "--address", ADDRESS, "--listen", "127.0.0.1:0"],
        ["proxy", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--listen", "127.0.0.1:0"],
    ],
    ids=["pool", "proxy"],
)
def test_a_broken_listener_ends_the_command_with_an_error(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def open_broken(host: str, port: int) -> list[trio.SocketListener]:
        listeners = await trio.open_tcp_listeners(port, host=host)
        for listener in listeners:
            listener.socket.shutdown(socket.SHUT_RDWR)
        return listeners

    monkeypatch.setattr("stratum_miner.cli.capture_options.open_listeners", open_broken)
    assert main.run(command) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("stratum-miner: 127.0.0.1:")
    assert "cannot accept connections" in told
