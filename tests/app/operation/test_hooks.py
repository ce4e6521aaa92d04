"""Hooks: what they are called for, with what, and that nothing they do or do not do reaches mining."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio
from structlog.typing import EventDict

from stratum_miner.app.operation import hooks
from stratum_miner.app.operation.hooks import Hook
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.secrets import redact
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.view import EventView
from stratum_miner.network.fetch import ConnectFetchError, Fetcher, HttpResponse, HttpTarget

from ...network import web_server


def event(name: str, **fields: Any) -> EventView:
    return EventLog().take(name, "info", fields, 1.0)


@pytest.mark.parametrize(
    ("kind", "name", "fields", "wanted"),
    [
        ("block", "share_accepted", {"block": "00ab"}, True),
        ("block", "share_accepted", {}, False),
        ("share_accepted", "share_accepted", {}, True),
        ("pool-down", "no_pool", {}, True),
        ("pool-down", "connection_ended", {}, True),
        ("pool-down", "mining", {}, False),
        ("device-sick", "device_gone", {}, True),
        ("device_started", "device_started", {}, True),
        ("*", "anything", {}, True),
        ("*", "hook_failed", {}, False),  # it would call itself for ever
    ],
)
def test_kinds(kind: str, name: str, fields: dict[str, Any], wanted: bool) -> None:
    assert Hook.parse(f"{kind}=true").wants(event(name, **fields)) is wanted


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("block", "expected KIND=COMMAND or KIND=https://..., got a value without a valid KIND="),
        ("block=", "expected KIND=COMMAND"),
        ("blok=true", "no event is called 'blok': did you mean 'block'?"),
        ("xyz=true", "kinds are block, block-lost, pool-down"),
        ("block=https:///x", "expected a URL with a host"),
        ("block=https://h:99999/x", "expected a URL with a host"),
    ],
)
def test_mistakes_are_told(text: str, needle: str) -> None:
    with pytest.raises(UsageError) as refused:
        Hook.parse(text)
    assert needle in str(refused.value)


def test_the_address_of_a_web_hook_is_a_secret() -> None:
    Hook.parse("block=https://hooks.example/services/T0K3N/abcdef?key=qwertz")
    shown = redact("cannot post to https://hooks.example/services/T0K3N/abcdef?key=qwertz; services/T0K3N/abcdef")
    assert "T0K3N" not in shown
    assert "qwertz" not in shown


Logged = list[EventDict]


async def calling(*texts: str, then: Callable[[EventLog], object], until: Callable[[Logged], object]) -> Logged:
    """Run hooks, do something, wait for what follows from it; the machine may take its time."""
    log = EventLog()
    with structlog.testing.capture_logs() as logged, trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hooks.run, tuple(Hook.parse(text) for text in texts), log)
            await trio.testing.wait_all_tasks_blocked()
            then(log)
            while not until(logged):  # noqa: ASYNC110  files and processes have no event of trio's
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    return logged


async def test_a_command_gets_the_event_and_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATUM_MINER_PASS", "hunter2hunter2")
    out, environment = tmp_path / "out", tmp_path / "environment"
    command = f"env > {environment}; cat > {out}.new && mv {out}.new {out}"
    await calling(
        f"block={command}",
        then=lambda log: log.take("share_accepted", "info", {"block": "00ab", "difficulty": "1.5"}, 7.0),
        until=lambda logged: out.exists(),
    )
    told = json.loads(out.read_text())
    assert (told["name"], told["fields"]["block"]) == ("share_accepted", "00ab")
    variables = environment.read_text()
    assert "STRATUM_MINER_EVENT=share_accepted" in variables
    assert "STRATUM_MINER_FIELD_BLOCK=00ab" in variables
    assert "hunter2" not in variables


@pytest.mark.parametrize(
    ("command", "reason", "why"),
    [
        ("exit 3", "x", "the command exited with 3"),
        ("sleep 600", "x", "it took more than 0.2 s and was killed"),
    ],
)
async def test_a_command_that_fails_or_hangs_is_told(
    command: str, reason: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "COMMAND_S", 0.2)
    logged = await calling(
        f"paused={command}", then=lambda log: log.take("paused", "info", {"reason": reason}, 0.0), until=bool
    )
    assert [(entry["event"], entry["kind"], entry["reason"]) for entry in logged] == [("hook_failed", "paused", why)]


class Web:
    """Answers in turn; remembers what was posted."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.posted: list[dict[str, Any]] = []

    async def fetch(self, target: HttpTarget, *, content: bytes, **_limits: object) -> HttpResponse:
        self.posted.append(json.loads(content))
        status = self.answers.pop(0)
        if status == 0:
            raise ConnectFetchError(target.where, "cannot connect: Connection refused")
        return HttpResponse(status, b"")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([204], ""),
        ([0, 503, 200], ""),
        ([404], "the server answered with status 404"),
        ([500, 500, 500], "the server answered with status 500, 3 times"),
        ([0, 0, 0], "cannot post: cannot connect: Connection refused, 3 times"),
        ([429, 200], ""),
    ],
)
async def test_a_web_hook_is_tried_again_where_that_may_help(
    answers: list[int], why: str, autojump_clock: trio.testing.MockClock
) -> None:
    web: Any = Web(*answers)
    assert await hooks._post(web, "https://hooks.example/x", event("paused")) == why
    assert web.answers == []
    assert web.posted[0]["name"] == "paused"


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (web_server.saying(b"", stays=True), "cannot post: expected a whole answer within 0.1 s"),
        (
            web_server.saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 999, again=True),
            "cannot post: expected an answer of at most",
        ),
        (web_server.saying(web_server.answer(b"", "location: /elsewhere", status=302)), ""),
    ],
    ids=["silent", "endless", "redirecting"],
)
async def test_a_web_hook_has_an_end(talk: web_server.Talk, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "POST_S", 0.1 if "within" in why else 60)
    monkeypatch.setattr(hooks, "POST_TRIES", 1)
    async with web_server.serving(talk) as url, Fetcher() as fetcher:
        assert (await hooks._post(fetcher, f"{url}/token", event("paused"))).startswith(why)


async def test_a_flood_is_dropped_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "WAITING", 2)
    monkeypatch.setattr(hooks, "FAREWELL_S", 0.05)  # what still runs at the end is ended
    logged = await calling(
        "paused=sleep 600",
        then=lambda log: [log.take("paused", "info", {}, 0.0) for _ in range(50)],
        until=lambda logged: len(logged) >= 44,
    )
    assert {entry["event"] for entry in logged} == {"hooks_too_slow"}
    assert 44 <= len(logged) <= 48  # 2 wait, up to 4 run


async def test_the_last_event_of_a_miner_still_gets_its_hook(tmp_path: Path) -> None:
    out = tmp_path / "out"
    await calling(
        f"block=sleep 0.2; echo found > {out}",
        then=lambda log: log.take("share_accepted", "info", {"block": "00ab"}, 0.0),
        until=lambda logged: True,  # and cancelled at once
    )
    assert out.read_text() == "found\n"


async def test_a_web_hook_is_posted_to_while_mining_and_at_its_end() -> None:
    posted: list[bytes] = []

    async def answer(stream: trio.SocketStream) -> None:
        data = b""
        while not data.endswith(b"}}"):
            data += await stream.receive_some(65536)
        posted.append(data.partition(b"\r\n\r\n")[2])
        await stream.send_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, listeners)
        port = listeners[0].socket.getsockname()[1]
        logged = await calling(
            f"*=http://127.0.0.1:{port}/hook",
            then=lambda log: [log.take("paused", "info", {"n": n}, 0.0) for n in range(6)],
            until=lambda logged: True,  # and cancelled at once: all six are still told
        )
        nursery.cancel_scope.cancel()
    assert logged == []
    assert sorted(json.loads(body)["fields"]["n"] for body in posted) == [0, 1, 2, 3, 4, 5]
