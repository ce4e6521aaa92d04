"""top against served views and against what is no miner: once, in words, and on a real terminal."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from stratum_miner.cli.main import run

from .screen.test_layout import view

VIEW = msgspec.json.encode(view())


@contextmanager
def serving(body: bytes = VIEW, status: int = 200) -> Iterator[tuple[str, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
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


def test_several_are_listed_with_their_sum_and_the_one_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (first, _), serving() as (second, _):
        assert run(["top", "--api", first, "--api", second, "--api", "http://127.0.0.1:9"]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 miners · 316 MH/s" in out
    assert "cannot connect" in out


@pytest.mark.parametrize(
    ("body", "status", "needle"),
    [
        (b"{}", 200, "what it answers is no view of a miner"),
        (b"<html>", 200, "what it answers is no view of a miner"),
        (b'{"error":"authorization: expected the token"}', 401, "it answers 401: authorization: expected the token"),
        (b"<html>", 404, "it answers 404: is it a miner that was started with --http?"),
    ],
)
def test_what_is_no_miner_is_told(body: bytes, status: int, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(body, status) as (url, _):
        assert run(["top", "--api", url]) == 1
    assert needle in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:7780", "http://", "ftp://x", "http://user:pw@x", "http://x/?a"])
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
