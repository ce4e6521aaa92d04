"""Both ways to wait for sockets: they report the same."""

import select
import socket
import time
from collections.abc import Iterator

import pytest

from stratum_miner.loadtest.readiness import RDHUP, EpollReadiness, PollReadiness, Readiness, open_readiness

KINDS = [PollReadiness, *([EpollReadiness] if hasattr(select, "epoll") else [])]


@pytest.fixture(params=KINDS)
def readiness(request: pytest.FixtureRequest) -> Iterator[Readiness]:
    made: Readiness = request.param()
    yield made
    made.close()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for sock in pair:
            sock.close()


def test_what_is_ready_is_reported(readiness: Readiness, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for sock, _ in pairs:
        readiness.register(sock, select.POLLIN | RDHUP)
    assert list(readiness.poll(8)) == []
    (first, peer), (second, other), _ = pairs
    peer.send(b"x")
    assert list(readiness.poll(8)) == [(first.fileno(), select.POLLIN)]
    other.close()
    ready = dict(readiness.poll(8))
    assert set(ready) == {first.fileno(), second.fileno()}
    assert ready[second.fileno()] & select.POLLIN
    assert ready[second.fileno()] & RDHUP == RDHUP
    assert len(readiness.poll(1)) == 1


def test_events_are_changed_and_a_socket_is_forgotten(
    readiness: Readiness, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    sock, _ = pairs[0]
    readiness.register(sock, select.POLLIN)
    readiness.modify(sock, select.POLLIN | select.POLLOUT)
    assert list(readiness.poll(8)) == [(sock.fileno(), select.POLLOUT)]
    readiness.unregister(sock)
    sock.close()
    assert list(readiness.poll(8)) == []


def test_a_sleep_ends_when_a_socket_is_ready(
    readiness: Readiness, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (sock, peer), *_ = pairs
    readiness.register(sock, select.POLLIN)
    before = time.monotonic()
    readiness.sleep(0.01)  # nothing is ready
    peer.send(b"x")
    readiness.sleep(60.0)
    assert time.monotonic() - before < 30


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="needs epoll")
def test_epoll_is_preferred_and_works_with_high_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = open_readiness()
    assert isinstance(chosen, EpollReadiness)
    monkeypatch.setattr("stratum_miner.loadtest.readiness.SELECT_LIMIT", 0)
    chosen.sleep(0.0)
    chosen.close()
