"""Tests the API on real sockets: its answers, changes and errors."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx2
import msgspec
import pytest
import trio
from structlog.testing import capture_logs

from stratum_miner import __version__
from stratum_miner.monitoring.control import OVER_HTTP, NewPool, PoolChange
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.http import Source
from stratum_miner.monitoring.http.endpoints import ENDPOINTS, PREFIX, ApiRequest
from stratum_miner.monitoring.view import ProblemView

from ..listening import Listener
from ..served import full_view
from .conftest import TOKEN, ApiFactory


async def test_every_reading_endpoint_answers_what_its_type_says(served: ApiFactory) -> None:
    async with served() as api:
        for endpoint in ENDPOINTS:
            if not endpoint.changes:
                response = await api.get(PREFIX + endpoint.path)
                assert response.status_code == 200, response.text
                assert response.headers["content-type"] == "application/json"
                msgspec.json.decode(response.content, type=endpoint.answer)


async def test_lists_are_cut_to_the_newest(served: ApiFactory) -> None:
    async with served() as api:
        for number in range(5):
            api.monitor.events.take("paused", "info", {"reason": str(number)}, 0.0)
        found = (await api.get(f"{PREFIX}/events?limit=2")).json()
        assert [event["number"] for event in found] == [4, 5]
        assert found[1]["text"] == "Mining is paused: 4."
        found = (await api.get(f"{PREFIX}/events?after=1&limit=2")).json()
        assert [event["number"] for event in found] == [4, 5]


def handled(path: str, monitor: Any, **query: int) -> Any:
    """Return what the table of endpoints answers to a request that reads."""
    [endpoint] = [item for item in ENDPOINTS if item.path == path and not item.changes]
    source = Source(monitor=monitor, control=None)  # type: ignore[arg-type]  # nothing that reads needs it
    return endpoint.handle(source, ApiRequest(query=query))


def test_a_list_has_at_most_500_entries_and_the_newest() -> None:
    events = EventLog(kept=600)
    for _ in range(600):
        events.take("paused", "info", {}, 0.0)
    shown = full_view()
    shares = tuple(replace(shown.shares[0], latency_ms=float(number)) for number in range(600))
    monitor: Any = SimpleNamespace(events=events, view=lambda: replace(shown, shares=shares), blocks=lambda: (1, 2))
    assert [share.latency_ms for share in handled("/shares", monitor)] == list(range(100, 600))
    assert [share.latency_ms for share in handled("/shares", monitor, limit=2)] == [598, 599]
    assert [handled("/blocks", monitor, limit=limit) for limit in (0, 1, 2, 3)] == [(), (2,), (1, 2), (1, 2)]
    assert [event.number for event in handled("/events", monitor)] == list(range(101, 601))
    assert [event.number for event in handled("/events", monitor, after=598)] == [599, 600]
    short: Any = SimpleNamespace(events=EventLog(), history=lambda: tuple(replace(full_view().history[0], at=at)
                                                                         for at in (0.5, 7.0, 7.5)))  # fmt: skip
    short.events.take("paused", "info", {}, 0.0)
    assert [event.number for event in handled("/events", short)] == [1]
    assert [point.at for point in handled("/history", short)] == [0.5, 7.0, 7.5]
    assert [point.at for point in handled("/history", short, after=7)] == [7.5]


async def test_the_history_is_whole_or_from_a_time_on(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    points = full_view().history
    async with served() as api:
        monkeypatch.setattr(api.monitor, "history", lambda: points)
        assert len((await api.get(f"{PREFIX}/history")).json()) == len(points)
        after = int(points[-3].at)
        found = (await api.get(f"{PREFIX}/history?after={after}")).json()
        assert [point["at"] for point in found] == [point.at for point in points if point.at > after]
        assert 2 <= len(found) <= 3
        assert (await api.get(f"{PREFIX}/history?after={2**53}")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "call"),
    [
        ("POST", "/pause", None, ("pause", OVER_HTTP)),
        ("POST", "/resume", None, ("resume", OVER_HTTP)),
        ("POST", "/quit", None, ("quit",)),
        ("POST", "/reload", None, ("reload",)),
        ("POST", "/pools/1/switch", None, ("switch_pool", 1)),
        ("DELETE", "/pools/1", None, ("remove_pool", 1)),
        ("PATCH", "/pools/1", {"enabled": False}, ("change_pool", 1, PoolChange(enabled=False))),
        ("PATCH", "/pools/1", {"quota": 3}, ("change_pool", 1, PoolChange(quota=3))),
        ("PATCH", "/pools/1", {"priority": 0}, ("change_pool", 1, PoolChange(priority=0))),
        ("POST", "/devices", {"device": "erupter:/dev/ttyUSB0"}, ("add_device", "erupter:/dev/ttyUSB0")),
        ("POST", "/devices/2/restart", None, ("restart_device", 2)),
        ("DELETE", "/devices/2", None, ("remove_device", 2)),
        (
            "POST", "/pools", {"url": "h:1", "user": "w", "password": "p", "priority": 0},
            ("add_pool", NewPool(url="h:1", user="w", password="p", priority=0)),
        ),
    ],
)  # fmt: skip
async def test_what_changes_needs_the_token_and_says_what_it_did(
    method: str, path: str, body: Any, call: tuple[Any, ...], served: ApiFactory
) -> None:
    async with served() as api:
        options = {} if body is None else {"json": body}
        for token in (None, "wrong", TOKEN[:-1]):
            refused = await api.ask(method, PREFIX + path, token=token, **options)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        assert api.control.calls == []
        done = await api.ask(method, PREFIX + path, token=TOKEN, **options)
        assert done.status_code == 200, done.text
        assert done.json()["done"]
        assert api.control.calls == [call]
        api.control.refusing = "pool: expected a place from 0 to 0, got 1"
        refused = await api.ask(method, PREFIX + path, token=TOKEN, **options)
        assert (refused.status_code, refused.json()) == (409, {"error": api.control.refusing})


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "needle"),
    [
        ("GET", "/nothing", b"", 404, "path: there is nothing at '/api/v1/nothing'"),
        ("DELETE", "/summary", b"", 405, "method: expected a method that the header Allow lists, got DELETE"),
        ("GET", "/events?limit=00000000000000001", b"", 400, "query: limit: expected an integer, got"),
        ("GET", "/events?limit=" + "9" * 16, b"", 400, "expected an integer of at most 500, got 9999999999999999"),
        ("GET", "/events?limit=x" + "9" * 100, b"", 400, f"got 'x{'9' * 79}'"),
        ("GET", "/events?x" + "9" * 100 + "=1", b"", 400, f"expected after or limit, got 'x{'9' * 79}'"),
        ("GET", "/" + "n" * 100, b"", 404, f"path: there is nothing at '/api/v1/{'n' * 72}'; /openapi.json lists all"),
        ("N" * 30, "/summary", b"", 405, f"got {'N' * 20}"),
        ("POST", "/pools", b'{"url":"a","url":"b","user":"w"}', 400, "body: expected each key once, got 'url' twice"),
        ("GET", "/events?limit=-1", b"", 400, "query: limit: expected an integer, got '-1'"),
        ("GET", "/events?limit=501", b"", 400, "query: limit: expected an integer of at most 500, got 501"),
        ("DELETE", "/pools/2147483649", b"", 400, "path: id: expected an integer of at most 2147483648, got"),
        ("GET", "/events?limt=1", b"", 400, "query: expected after or limit, got 'limt'"),
        ("GET", "/summary?x=1", b"", 400, "query: expected no parameter, got 'x'"),
        ("DELETE", "/pools/first", b"", 400, "path: id: expected an integer, got 'first'"),
        ("POST", "/pools", b"{", 400, "body: expected JSON"),
        ("POST", "/pools", b"1", 400, "body: expected `object`, got `int`"),
        ("PATCH", "/pools/0", b"[" * 8000 + b"]" * 8000, 400, "body: expected JSON with at most 32 nested objects and"),
        ("PATCH", "/pools/0", b"[" * 33 + b"]" * 33, 400, "body: expected JSON with at most 32 nested objects and arr"),
        ("PATCH", "/pools/0", b"[" * 32 + b"]" * 32, 400, "body: expected `object`, got `array`"),
        ("POST", "/pools", b'{"url":"h:1"}', 400, "body: object missing required field `user`"),
        ("POST", "/pools", b'{"url":"h:1","user":"w","pas":"x"}', 400, "body: object contains unknown field `pas`"),
        ("POST", "/pools", b'{"url":1,"user":"w"}', 400, "body: expected `str`, got `int` - at `$.url`"),
        ("PATCH", "/pools/0", b'{"quota":1.5}', 400, "body: expected `int | null`, got `float` - at `$.quota`"),
        ("PATCH", "/pools/0", b'{"quota":-1}', 400, "body: expected `int` >= 0 - at `$.quota`"),
        ("POST", "/pools", b"x" * 20000, 413, "body: expected at most 16384 bytes"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_told_in_one_line(
    method: str, path: str, content: bytes, status: int, needle: str, served: ApiFactory
) -> None:
    async with served() as api:
        response = await api.ask(method, PREFIX + path, token=TOKEN, content=content)
        assert response.status_code == status
        assert needle in response.json()["error"]
        assert "\n" not in response.json()["error"]
        assert api.control.calls == []


async def test_a_refused_method_is_told_which_there_are(served: ApiFactory) -> None:
    async with served() as api:
        for path, methods in (("/pools", {"GET", "HEAD", "POST"}), ("/pools/0", {"PATCH", "DELETE"})):
            refused = await api.ask("PUT", PREFIX + path, token=TOKEN)
            assert refused.status_code == 405
            assert set(refused.headers["allow"].split(", ")) == methods
        assert (await api.ask("HEAD", f"{PREFIX}/pools")).status_code == 200


async def test_a_number_is_whole_however_it_is_written(served: ApiFactory) -> None:
    async with served() as api:
        done = await api.ask("PATCH", f"{PREFIX}/pools/0", token=TOKEN, content=b'{"quota":3.0}')
        assert done.status_code == 200
        assert api.control.calls == [("change_pool", 0, PoolChange(quota=3))]


async def test_a_body_of_no_announced_length_is_bounded_too(served: ApiFactory) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    async with served() as api:
        response = await api.ask("POST", f"{PREFIX}/pools", token=TOKEN, content=endless())
        assert response.status_code == 413


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"host": "evil.example"}, "GET", 400),
        ({"host": "localhost:1"}, "GET", 200),
        ({"host": "192.0.2.7"}, "GET", 200),  # an address cannot be a name that a stranger made point here
        ({"host": ""}, "GET", 400),
        ({"origin": "http://evil.example"}, "GET", 403),  # its page could not read the answer, but take all places
        ({"origin": "http://evil.example"}, "POST", 403),
        ({"origin": "null"}, "POST", 403),
        ({"host": "[::1"}, "GET", 400),  # what cannot be parsed is refused, and causes no internal error
        ({"host": "[not an address]"}, "GET", 400),
        ({"origin": "http://["}, "POST", 403),
        ({"origin": "http://[not an address]"}, "POST", 403),
    ],
)
async def test_strangers_pages_get_nothing(
    headers: dict[str, str], method: str, status: int, served: ApiFactory
) -> None:
    async with served() as api:
        path = f"{PREFIX}/summary" if method == "GET" else f"{PREFIX}/pause"
        response = await api.ask(method, path, token=TOKEN, headers=headers)
        assert response.status_code == status
        assert "access-control-allow-origin" not in response.headers
        assert api.control.calls == []


async def test_its_own_page_may_ask_and_a_name_that_was_told_is_known(served: ApiFactory) -> None:
    async with served(names=("localhost", "miner.lan")) as api:
        own = api.url.removeprefix("http://")
        response = await api.ask("POST", f"{PREFIX}/pause", token=TOKEN, headers={"origin": f"http://{own}"})
        assert response.status_code == 200
        assert (await api.get(f"{PREFIX}/summary", headers={"host": "miner.lan:7780"})).status_code == 200


async def test_it_says_who_paused_it(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as api:
        view = api.monitor.view()
        summary = replace(view.summary, state="paused", detail="paused by the schedule: until 22:00", problems=())
        monkeypatch.setattr(api.monitor, "view", lambda: replace(view, summary=summary))
        for path in ("/health", "/ready"):
            answer = await api.get(path)
            assert (answer.status_code, answer.text) == (200, "paused\npaused by the schedule: until 22:00\n")


async def test_a_pause_stands_before_the_problems_and_another_reason_does_not(
    served: ApiFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = ProblemView(severity="warning", kind="device_hot", text="It is  hot.", advice="", device_id=0)
    async with served() as api:
        view = api.monitor.view()
        for state, text in (("paused", "paused\nfor the night\nIt is hot.\n"), ("degraded", "degraded\nIt is hot.\n")):
            summary = replace(view.summary, state=state, detail="for the night", problems=(hot,))
            monkeypatch.setattr(api.monitor, "view", lambda summary=summary: replace(view, summary=summary))
            assert (await api.get("/ready")).text == text


async def test_an_internal_error_is_answered_and_logged(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective() -> None:
        raise ValueError("oops")

    async with served() as api:
        monkeypatch.setattr(api.monitor, "view", defective)
        with capture_logs() as logs:
            failed = await api.get(f"{PREFIX}/summary")
    assert (failed.status_code, failed.json()) == (
        500, {"error": "an internal error of stratum-miner; the log has the details"}
    )  # fmt: skip
    assert [(entry["event"], entry["error"]) for entry in logs] == [("http_failed", "ValueError('oops')")]


async def test_a_change_is_logged_and_a_reading_is_not(served: ApiFactory) -> None:
    async with served() as api:
        with capture_logs() as logs:
            await api.ask("POST", f"{PREFIX}/pause", token=TOKEN)
            await api.get(f"{PREFIX}/summary")
    assert [(entry["event"], entry["request"]) for entry in logs] == [("changed_over_http", "POST /api/v1/pause")]


@pytest.mark.parametrize(
    ("body", "done"),
    [
        ({"enabled": True}, ["pool 1 was enabled"]),
        ({"enabled": False, "quota": 0, "priority": 0},
         ["pool 1 was disabled", "pool 1 now has the quota 0", "pool 1 now has priority 0"]),
        ({}, []),
    ],
)  # fmt: skip
async def test_each_part_of_a_change_is_named(body: Any, done: list[str], served: ApiFactory) -> None:
    async with served() as api:
        assert (await api.ask("PATCH", f"{PREFIX}/pools/1", token=TOKEN, json=body)).json() == {"done": done}


async def test_it_says_why_not_all_mine_also_if_that_is_no_problem(
    served: ApiFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that is starting is no problem, yet the state is degraded."""
    for open_reading, text in ((True, "degraded\n1 of 2 devices mine; stick1 is starting\n"), (False, "degraded\n")):
        async with served(open_reading=open_reading) as api:
            view = api.monitor.view()
            detail = "1 of 2 devices mine; stick1 is starting"
            changed = replace(view, summary=replace(view.summary, state="degraded", detail=detail, problems=()))
            monkeypatch.setattr(api.monitor, "view", lambda view=changed: view)
            assert (await api.get("/ready")).text == text


async def test_on_the_network_reading_needs_the_token_too(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(open_reading=False) as api:
        for path in (f"{PREFIX}/summary", "/metrics", "/openapi.json", f"{PREFIX}/stream"):
            assert (await api.get(path)).status_code == 401
        assert (await api.get(f"{PREFIX}/summary", token=TOKEN)).status_code == 200
        for path in ("/", "/health"):
            assert (await api.get(path)).status_code == 200
        assert (await api.get("/ready")).status_code == 503
        down = ProblemView(severity="critical", kind="pool_down", text="Pool p:1 is down.", advice="", pool_id=0)
        view = api.monitor.view()
        told = replace(view, summary=replace(view.summary, problems=(down,)))
        monkeypatch.setattr(api.monitor, "view", lambda: told)
        for path in ("/health", "/ready"):
            assert (await api.get(path)).text == "no_pool\npool_down\n"  # of a problem its kind, and no names


async def test_the_stream_tells_a_view_and_what_happens(served: ApiFactory) -> None:
    listener = Listener()
    with trio.fail_after(60):
        async with served() as api, httpx2.AsyncClient(trust_env=False) as client:
            api.monitor.events.take("paused", "info", {}, 0.0)
            async with client.stream("GET", f"{api.url}{PREFIX}/stream") as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                async for data in response.aiter_raw():
                    listener.take(data)
                    if len(listener.events) == 1:
                        api.monitor.events.take("resumed", "info", {}, 0.0)
                    if [event["text"] for event in listener.events] == ["Mining is paused.", "Mining continues."]:
                        break
            assert listener.kinds[:2] == ["view", "event"]
            assert listener.view["summary"]["version"] == __version__
            headers = {"last-event-id": listener.last_id}
            api.monitor.events.take("paused", "info", {}, 0.0)
            async with client.stream("GET", f"{api.url}{PREFIX}/stream", headers=headers) as response:
                async for data in response.aiter_raw():
                    listener.take(data)
                    if len(listener.events) == 3:
                        break
    assert [event["number"] for event in listener.events] == [1, 2, 3]
