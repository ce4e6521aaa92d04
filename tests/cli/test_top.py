"""``top`` with served views and with servers that are not miners: once, as text, and on a real terminal."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
import trio
from rich.console import Console
from trio.testing import MockClock, memory_stream_pair

from stratum_miner.cli import top as top_module
from stratum_miner.cli.main import run
from stratum_miner.monitoring.screen import live
from stratum_miner.network.fetch import Fetcher
from tests.monitoring.screen.test_layout import view

VIEW = msgspec.json.encode(view())


def changed(key: str, number: bytes) -> bytes:
    """Return the JSON of a view with one of its numbers replaced."""
    body, count = re.subn(rb'"%s":[-0-9.e+]+' % key.encode(), b'"%s":%s' % (key.encode(), number), VIEW, count=1)
    assert count == 1
    return body


@contextmanager
def serving(
    body: bytes = VIEW, status: int = 200, *, drips: bool = False
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A miner's API in a thread; one that drips sends its body a byte at a time, each soon enough to look alive."""
    asked: list[dict[str, str]] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            try:
                for place in range(len(body) if drips else 1):
                    self.wfile.write(body[place : place + 1] if drips else body)
                    if drips and over.wait(0.1):
                        break
            except OSError:  # it hung up, as it should on one that drips
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_when_piped_it_prints_the_screen_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUM_MINER_HTTP_TOKEN", "a-long-secret-token")
    with serving() as (url, asked):
        assert run(["top", "--api", url]) == 0
    assert asked[0]["path"] == "/api/v1/view"
    assert asked[0]["authorization"] == "Bearer a-long-secret-token"
    out = capsys.readouterr().out
    assert "120 accepted · 3 rejected" in out
    assert "\x1b" not in out


def test_on_a_terminal_it_ends_only_with_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def shown_until_quit(_showing: object) -> None:
        print("drawn again and again")

    monkeypatch.setattr(live, "usable", lambda console: True)
    monkeypatch.setattr(top_module._Showing, "run", shown_until_quit)
    with serving() as (url, asked):
        assert run(["top", "--api", url]) == 0
        assert capsys.readouterr().out == "drawn again and again\n"
        assert not asked
        assert run(["top", "--api", url, "--once"]) == 0
    assert "120 accepted · 3 rejected" in capsys.readouterr().out


def test_several_are_listed_with_their_sum_and_the_one_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (first, _), serving() as (second, _):
        assert run(["top", "--api", first, "--api", second, "--api", "http://127.0.0.1:9"]) == 0
    out = capsys.readouterr().out
    assert "316 MH/s · 130 W · 4 of 4 devices mine" in out
    assert "3 miners: 1 no answer, 2 mining" in out
    assert "cannot connect" in out
    assert run(["top", "--api", "http://127.0.0.1:9", "--api", "http://127.0.0.1:9/x"]) == 1
    told = capsys.readouterr()
    assert told.out.count("cannot connect") == 2
    assert told.err == ""


def test_the_limit_is_one_of_the_whole_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(top_module, "TIMEOUT_S", 1.0)
    with serving(drips=True) as (slow, _), serving() as (quick, _):
        assert run(["top", "--api", slow]) == 1
        assert "no complete answer within 1 s" in capsys.readouterr().err
        assert run(["top", "--api", slow, "--api", quick]) == 0
    out = capsys.readouterr().out
    assert "no complete answer within 1 s" in out
    assert "158 MH/s" in out


async def test_a_miner_that_does_not_answer_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    answers: list[str] = []

    async def connect(host: str, port: int) -> trio.abc.Stream:
        if host == "dead":
            await trio.sleep_forever()
        answers.append(host)
        client, server = memory_stream_pair()
        await server.send_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + VIEW)
        await server.aclose()
        return client

    monkeypatch.setattr(Fetcher, "_connect", lambda self, target: connect(target.host, target.port))
    miners = [top_module._Remote(number, url, None) for number, url in enumerate(("http://dead", "http://quick"))]
    showing = top_module._Showing(Console(file=io.StringIO()), miners)
    with trio.move_on_after(60):
        await showing.poll()
    assert 55 <= len(answers) <= 61
    assert miners[0].error == "no complete answer within 5 s"


def test_a_miner_alone_that_does_not_answer_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["top", "--once", "--api", "http://127.0.0.1:9"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("cannot connect") == 1


@pytest.mark.parametrize("miners", [1, 2])
def test_a_reader_that_goes_away_ends_it_in_silence(miners: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with serving() as (url, _):
        ended = subprocess.run(
            [sys.executable, "-m", "stratum_miner", "top", *(["--api", url] * miners)],
            stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("body", "status", "needle"),
    [
        (b"{}", 200, "its answer is not the status of a miner"),
        (b"<html>", 200, "its answer is not the status of a miner"),
        (b'{"error":"authorization: expected the token"}', 401, "it answered 401: authorization: expected the token"),
        (b'{"summary":{"economics":{"a":' + b"[" * 100_000, 200, "its answer is not the status of a miner"),
        (b"<html>", 404, "it answered 404: is this a miner with --http?"),
        (b'{"error":"\\u001b[2J' + b"x" * 9999 + b'"}', 401, "it answered 401: "),
        (changed("hash_rate_1m", b"1e400"), 200, "its answer is not the status of a miner"),
        (
            changed("hash_rate_1m", b"1e71"),
            200,
            "expected numbers from -1e+70 to 1e+70, got a number outside this range",
        ),
        (changed("devices_total", b"-1" + b"0" * 4000), 200, "expected numbers from"),
        (changed("devices_total", b"1" * 5000), 200, "its answer is not the status of a miner"),
    ],
)
def test_what_is_no_miner_is_told(body: bytes, status: int, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(body, status) as (url, _):
        assert run(["top", "--api", url]) == 1
    told = capsys.readouterr().err
    assert needle in told
    assert len(told) < 500
    assert "\x1b" not in told


def test_no_proxy_of_the_environment_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as (proxy, asked):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        assert run(["top", "--api", "http://127.0.0.1:1"]) == 1
    assert asked == []


def test_numbers_as_large_as_they_may_be_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("hash_rate_1m", "devices_total", "elapsed_s", "power_w"):
        with serving(changed(key, b"1e70" if key != "devices_total" else b"9" * 70)) as (url, _):
            assert run(["top", "--api", url, "--api", url]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) < 200


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:7780",
        "http://",
        "ftp://x",
        "http://user:pw@x",
        "http://x/?a",
        "http://[::1",
        "http://[zz]",
        "http://x:0",
        "http://x:99999",
        "http://a\x1b[2J",
    ],
)
def test_a_url_that_is_none_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["top", "--api", url]) == 2
    assert "--api: expected a URL such as http://127.0.0.1:7780" in capsys.readouterr().err


def test_on_a_terminal_it_draws_until_a_key_ends_it() -> None:
    with serving() as (url, _):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "stratum_miner", "top", "--api", url],
            stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(slave)
        seen = b""
        while b"120 accepted" not in seen:
            seen += os.read(master, 4096)
        os.write(master, b"q")
        try:
            while True:
                seen += os.read(master, 4096)
        except OSError:  # the other end is closed
            pass
        assert process.wait(timeout=60) == 0
        os.close(master)
    assert b"\x1b[?1049h" in seen  # the other screen
    assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"120 accepted")  # and back


def test_views_can_be_read_back() -> None:
    assert json.loads(VIEW)["summary"]["hash_rate_1m"] == 158e6
