"""Tests the API on real sockets: requests of old scripts, in parts, missing, or from a client without a group."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from stratum_miner.monitoring.cgminer import AccessList, listener, serve
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING
from stratum_miner.monitoring.cgminer.dialect import MAX_REQUEST
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.listening import listening_socket
from tests.monitoring.screen.test_layout import view

from .test_commands import Control

Ask = Callable[..., Any]


@pytest.fixture
def served() -> Callable[..., AbstractAsyncContextManager[Ask]]:
    @asynccontextmanager
    async def make(allow: str | None = None, control: Any = None) -> AsyncIterator[Ask]:
        bound = listening_socket("127.0.0.1:0")
        port = bound.getsockname()[1]
        access = AccessList.parse(allow, None, reading=READING, all_commands=COMMANDS)

        async def ask(*parts: bytes) -> bytes:
            with trio.fail_after(60):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                async with stream:
                    for part in parts:
                        await stream.send_all(part)
                        await trio.testing.wait_all_tasks_blocked(0.01)
                    return b"".join([chunk async for chunk in stream])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, bound, view, control or Control(), access)
            ask.port = port  # type: ignore[attr-defined]  # a function has any attribute
            yield ask
            nursery.cancel_scope.cancel()

    return make


async def test_json_without_newline_or_half_close(served: Any) -> None:
    async with served() as ask:
        answer = await ask(b'{"command":"summary"}')
        assert answer.endswith(b"\0")
        assert json.loads(answer[:-1])["SUMMARY"][0]["Accepted"] == 120
        assert (await ask(b"summary")).startswith(b"STATUS=S,When=")
        with capture_logs() as logs:
            joined = json.loads((await ask(b'{"command":"summary+pools+quit"}'))[:-1])
        assert [(entry["event"], entry["commands"]) for entry in logs] == [("cgminer_asked", "summary+pools+quit")]
        assert joined["quit"][0]["STATUS"][0]["Msg"] == "Access denied to 'quit' command"


async def test_a_request_in_parts_is_one(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "FRAGMENT_S", 60.0)  # however busy this machine is
    async with served() as ask:
        assert b"SUMMARY" in await ask(b'{"comm', b'and":"summ', b'ary"}')


@pytest.mark.parametrize(("pause_s", "heard"), [(0.19, b'{"command":"summary"}'), (0.21, b'{"command":')])
async def test_the_next_part_is_waited_for_a_fifth_of_a_second(
    pause_s: float, heard: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    client, server = trio.testing.memory_stream_pair()

    async def say() -> None:
        await client.send_all(b'{"command":')
        await trio.sleep(pause_s)
        await client.send_all(b'"summary"}')

    async with trio.open_nursery() as nursery:
        nursery.start_soon(say)
        assert await listener.read_request(server) == heard


async def test_what_is_never_finished_is_answered(served: Any) -> None:
    async with served() as ask:
        assert b"Invalid JSON" in await ask(b'{"command":"summary"')


async def test_64_may_be_connected_at_once(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_S", 60.0)  # however long it takes to open them
    async with served() as ask, AsyncExitStack() as silent:
        for _ in range(63):
            await silent.enter_async_context(await trio.open_tcp_stream("127.0.0.1", ask.port))
        assert b"SUMMARY" in await ask(b"summary")
        await silent.enter_async_context(await trio.open_tcp_stream("127.0.0.1", ask.port))
        assert await ask(b"summary") == b""


async def test_quit_says_bye_and_then_quits(served: Any) -> None:
    control = Control()
    async with served("W:127.0.0.1", control) as ask:
        assert await ask(b'{"command":"quit"}') == b'{"STATUS":"BYE","id":1}\0'
        assert await ask(b"quit") == b"BYE\0"
    assert control.calls == [("quit",), ("quit",)]


async def test_zero_lasts_from_one_connection_to_the_next(served: Any) -> None:
    async with served("W:127.0.0.1") as ask:
        assert b",Accepted=120," in await ask(b"summary")
        assert b"Zeroed All stats without summary" in await ask(b"zero|all,false")
        assert b",Accepted=0," in await ask(b"summary")


async def test_strangers_get_no_word(served: Any) -> None:
    with capture_logs() as logs:
        async with served("R:192.0.2.0/24") as ask:
            assert await ask(b"version") == b""
    assert logs == []


async def test_who_is_let_may_steer(served: Any) -> None:
    control = Control()
    async with served("W:127.0.0.1", control) as ask:
        assert b"Switching to pool 0" in await ask(b"switchpool|0")
    assert control.calls == [("switch_pool", 0)]


async def test_too_much_is_cut_and_answered(served: Any) -> None:
    async with served() as ask:
        assert b"Invalid" in await ask(b'{"command":"' + b"x" * (MAX_REQUEST - 12))


async def test_nothing_beyond_the_limit_is_read(served: Any) -> None:
    async with served() as ask:
        assert b"Invalid JSON" in await ask(b'{"command":"summary","x":"' + b"x" * MAX_REQUEST + b'"}')


async def test_an_answer_is_not_lost_for_what_was_sent_too_much(served: Any) -> None:
    async with served() as ask:
        for _ in range(20):
            assert b"Invalid" in await ask(b'{"command":"' + b"x" * 5 * MAX_REQUEST)


@pytest.mark.parametrize("drip", [b'{"command":"' + b"x" * 3000, b""])
async def test_a_connection_is_over_in_time(drip: bytes, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_S", 0.2)
    async with served() as ask, trio.open_nursery() as nursery:
        with trio.fail_after(60):
            stream = await trio.open_tcp_stream("127.0.0.1", ask.port)

            async def send() -> None:
                with suppress(trio.BrokenResourceError):
                    for byte in drip:
                        await stream.send_all(bytes([byte]))
                        await trio.sleep(0.01)

            nursery.start_soon(send)
            with suppress(trio.BrokenResourceError):
                assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel()


async def test_a_defect_costs_one_connection_and_is_told(monkeypatch: pytest.MonkeyPatch, served: Any) -> None:
    def defective(*_: object) -> bytes:
        raise ValueError("oops")

    async with served() as ask:
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(listener, "_answered", defective)
            assert await ask(b"summary") == b""
        assert [(line["event"], line["error"]) for line in logs] == [("cgminer_failed", "ValueError('oops')")]
        assert b"SUMMARY" in await ask(b"summary")


async def test_no_more_than_the_limit_is_read_however_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    for piece in (b'{"command":"' + b"x" * 4000, b"y" * 4000, b"z" * 4000):
        await client.send_all(piece)
        await trio.testing.wait_all_tasks_blocked()
    heard = await listener.read_request(server)
    assert len(heard) == MAX_REQUEST == 8192
    for first, second, read in (
        (b'{"a":{', b"}", b'{"a":{}'), (b'{"a":{}}', b"never read", b'{"a":{}}'), (b"summary", b"{", b"summary"),
    ):  # fmt: skip
        client, server = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, first)
            heard_later: list[bytes] = []

            async def read_it(server: trio.abc.ReceiveStream = server, found: list[bytes] = heard_later) -> None:
                found.append(await listener.read_request(server))

            nursery.start_soon(read_it)
            await trio.sleep(0.1)
            await client.send_all(second)
        assert heard_later == [read]


async def test_a_request_and_its_answer_have_five_seconds(autojump_clock: trio.testing.MockClock) -> None:
    class Stuck(trio.abc.AsyncResource):
        """A client that sends its request after some seconds and then takes no answer."""

        def __init__(self, request_s: float) -> None:
            self.socket = SimpleNamespace(getpeername=lambda: ("127.0.0.1", 1))
            self.request_s = request_s
            self.asked = False

        async def receive_some(self, max_bytes: int) -> bytes:
            await trio.sleep(self.request_s)
            return b"version"

        async def send_all(self, data: bytes) -> None:
            self.asked = True
            await trio.sleep_forever()

        async def aclose(self) -> None: ...

    access = AccessList.parse(None, None, reading=READING, all_commands=COMMANDS)
    served = listener._Served(view, Control(), access, Zero())
    room = trio.CapacityLimiter(1)
    for request_s, asked in ((4.9, True), (5.1, False)):
        client: Any = Stuck(request_s)
        began = trio.current_time()
        await listener._serve_one(served, room, client)
        assert trio.current_time() - began == pytest.approx(5)
        assert client.asked == asked
    assert room.borrowed_tokens == 0
