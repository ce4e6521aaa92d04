"""The worst text that pools, miners, files and other programs can choose, pushed through every output of the commands.

The commands run in this process on real sockets. Each output is looked at as bytes: nothing of the text came through as
it was, no line of it stands at the beginning of a line, and what is JSON can be read and has no such text either.
"""

import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.text import Text

from stratum_miner.app.process import logs, output_files
from stratum_miner.app.process.line_limit import LineLimit
from stratum_miner.cli import main
from stratum_miner.foreign_text import is_plain
from stratum_miner.monitoring.cgminer import READING
from stratum_miner.monitoring.screen import overview
from stratum_miner.monitoring.screen.overview import WatchedMiner, draw_one
from tests.monitoring.screen.test_layout import view
from tests.network.free_port import free_port

from .hostile import (
    EVIL,
    HALF,
    LONG,
    SURROGATE,
    HostilePool,
    hostile_miner,
    hostile_pool,
    refusing_answers,
    traces_in,
)
from .test_process import ADDRESS, COMMAND

TOKEN = "a-token-that-nobody-guesses"
PATIENCE_S = 60.0
"""For a busy machine; nothing here takes a second on an idle one."""
SIMULATED = ("--backend", "simulated", "--backend-option", "hash_rate=60kH")
"""A device that finds some fourteen shares per second for the hostile pool. A hook is run for each."""
LONGEST_LINE = 6 * 16384 + 1000
"""Bytes of a line of a log: a line of the protocol dump, each character spelt with six in JSON."""


def assert_clean(outputs: dict[str, bytes]) -> None:
    silent = [name for name, data in outputs.items() if not data]
    assert not silent, "what says nothing proves nothing"
    found = {name: traces for name, data in outputs.items() if (traces := traces_in(data))}
    assert not found, found


def assert_clean_json(data: bytes) -> Any:
    """Assert that every string in a JSON text is printable."""
    value = msgspec.json.decode(data)
    assert not [text for text in _texts(value) if not is_plain(text.replace("\n", ""))]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *_texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


@pytest.fixture(autouse=True)
def without_lines_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has a limit for lines of a kind, and these commands run in one process."""
    monkeypatch.setattr(logs, "_lines", LineLimit(lambda: None))


@contextmanager
def meanwhile(work: Callable[[], None], over: Callable[[], None] = lambda: None) -> Iterator[list[BaseException]]:
    """Do something in a thread while the block runs a command, which must end by it; ``over`` when it has ended."""
    failures: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)  # the command ends, and the test tells why

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield failures
    ended.set()
    over()
    thread.join(PATIENCE_S)
    assert not failures, failures
    assert not thread.is_alive()


def fetched(url: str, token: str = TOKEN, body: bytes | None = None, *, method: str | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            if "event-stream" in answer.headers["content-type"]:
                return b"".join(answer.readline() for _ in range(40))
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return bytes(error.read())


def asked_cgminer(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# ---- mine -----------------------------------------------


@pytest.mark.parametrize("log_format", ["plain", "sentences", "json"])
def test_mine(log_format: str, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATUM_MINER_HTTP_TOKEN", TOKEN)
    web, cgminer, axeos = (free_port() for _ in range(3))
    outputs: dict[str, bytes] = {}
    with (
        hostile_pool() as pool,
        meanwhile(lambda: outputs.update(_everything_served(pool, web, cgminer, axeos)), pool.enough.set),
    ):
        main.run(
            [
                *("mine", "--no-config", "-o", f"127.0.0.1:{pool.port}", "-u", "w", "-p", "x", *SIMULATED),
                *("--http", f"127.0.0.1:{web}", "--cgminer-api", f"127.0.0.1:{cgminer}"),
                *("--api-allow", "W:127.0.0.1/32", "--axeos-api", f"127.0.0.1:{axeos}"),
                *("--log-file", str(tmp_path / "log"), "--journal", str(tmp_path / "journal"), "--json"),
                *("--log-format", log_format, "-D", "-P", "--on-event", f"*=(env; cat; echo) >> {tmp_path}/hook"),
                *("--time-limit", str(PATIENCE_S)),
            ]
        )
    assert pool.submits >= 10
    out, err = capfd.readouterr()
    outputs |= {"stdout": out.encode(), "stderr": err.encode()}
    outputs |= {name: (tmp_path / name).read_bytes() for name in ("log", "hook", "journal")}
    assert_clean(outputs)
    for name, data in outputs.items():
        if name.startswith(("GET /api", "POST", "AxeOS", "stdout")) and not name.endswith("stream"):
            assert_clean_json(data)
    for line in outputs["GET /api/v1/stream"].splitlines():
        if line.startswith(b"data: "):
            assert_clean_json(line.removeprefix(b"data: "))
    records = [assert_clean_json(line) for line in outputs["log"].splitlines()]
    names = {record["event"] for record in records}
    assert {"pool_message", "unpaired_reply", "bad_line", "ignored", "share_rejected", "new_block"} <= names
    for line in (*err.splitlines(), *outputs["log"].decode().splitlines()):
        assert len(line.encode()) < LONGEST_LINE
    view = json.loads(outputs["GET /api/v1/view"])
    assert "PWN" in view["summary"]["job"]["job_id"]
    assert any("PWN" in share["reason"] for share in view["shares"])
    assert max(map(len, _texts(view))) < 1000
    for line in err.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d |\{\"|\w", line), line


def _view_with_a_job(base: str) -> bytes:
    """The pool refuses so many shares that the miner connects anew now and then, and has no job meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        view = fetched(f"{base}/api/v1/view")
        if json.loads(view)["summary"]["job"] is not None or time.monotonic() > deadline:
            return view


def _everything_served(pool: HostilePool, web: int, cgminer: int, axeos: int) -> dict[str, bytes]:
    assert pool.enough.wait(PATIENCE_S)
    base = f"http://127.0.0.1:{web}"
    paths = json.loads(fetched(f"{base}/openapi.json"))["paths"]
    plain = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    found = {f"GET {path}": fetched(f"{base}{path}") for path in (*plain, "/metrics", "/health", "/ready")}
    found["GET /api/v1/view"] = _view_with_a_job(base)
    found["404"] = fetched(f"{base}/{urllib.parse.quote(EVIL)}")
    for key in ("user", "name", "url"):
        pool_wanted = {"url": f"127.0.0.1:{pool.port}", "user": "w2", "name": "n", key: EVIL}
        found[f"POST {key}"] = answer = fetched(f"{base}/api/v1/pools", body=json.dumps(pool_wanted).encode())
        assert b"printable" in answer or key == "url", answer
    found["POST half"] = fetched(f"{base}/api/v1/pools", body=b'{"url":"a:1","user":"' + HALF + b'"}')
    for command in READING:
        found[f"cgminer {command}"] = asked_cgminer(cgminer, command.encode())
        found[f"cgminer {command} in JSON"] = asked_cgminer(cgminer, json.dumps({"command": command}).encode())
    for request in (
        json.dumps({"command": "addpool", "parameter": f"a:1,{EVIL},x"}).encode(),
        json.dumps({"command": EVIL, "parameter": EVIL}).encode(),
        b'{"command":"switchpool","parameter":"' + HALF + b'"}',
        f"addpool|a:1,{EVIL},x".encode(),
        f"{EVIL}|{EVIL}".encode(),
    ):
        found[f"cgminer {request[:40]!r}"] = asked_cgminer(cgminer, request)
    found["AxeOS"] = fetched(f"http://127.0.0.1:{axeos}/api/system/info")
    fetched(f"{base}/api/v1/quit", body=b"", method="POST")
    return found


@pytest.mark.parametrize("options", [(), ("--display", "lines")], ids=["screen", "lines"])
def test_mine_on_a_terminal(options: tuple[str, ...]) -> None:
    with hostile_pool() as pool:
        shown = on_a_terminal(
            ["mine", "--no-config", "-o", f"127.0.0.1:{pool.port}", "-u", "w", "-p", "x", *SIMULATED, *options],
            until=lambda data: pool.enough.is_set() and b"PWN" in data,
        )
    assert_clean({"the terminal": shown.replace(b"\r\n", b"\n")})


def on_a_terminal(arguments: list[str], *, until: Callable[[bytes], bool]) -> bytes:
    """What a command writes to a terminal until something has been seen, and until it has ended then."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "150", "LINES": "50", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    seen = bytearray()
    stopped = False
    with suppress(OSError):  # the last one to have it open has gone
        while True:
            ready, _, _ = select.select([controller], [], [], 0.5)
            data = os.read(controller, 65536) if ready else b""
            seen += data
            if not stopped and until(bytes(seen)):
                stopped = True
                process.send_signal(signal.SIGINT)
            if ready and not data:
                break
    os.close(controller)
    assert process.wait(PATIENCE_S) == 0
    return bytes(seen)


# ---- pool and proxy -----------------------------------------------


@pytest.mark.parametrize("log_format", ["plain", "json"])
@pytest.mark.parametrize("command", ["pool", "proxy"])
def test_what_serves_miners(command: str, log_format: str, tmp_path: Path, capfd: Any) -> None:
    port, web = free_port(), free_port()
    outputs: dict[str, bytes] = {}

    def talk() -> None:
        _until_listening(port)
        hostile_miner(port)
        for path in ("/api/v1/summary", "/metrics"):
            outputs[path] = fetched(f"http://127.0.0.1:{web}{path}")
        os.kill(os.getpid(), signal.SIGINT)

    with hostile_pool() as upstream:
        own = {
            "pool": ["--network-difficulty", "1", "--address", ADDRESS],
            "proxy": ["--no-config", "-o", f"127.0.0.1:{upstream.port}", "-u", "farm", "-p", "x"],
        }
        with meanwhile(talk):
            main.run(
                [
                    *(command, "--listen", f"127.0.0.1:{port}", *own[command], "--http", f"127.0.0.1:{web}"),
                    *("--log-format", log_format, "-D", "--json"),
                ]
            )
    out, err = capfd.readouterr()
    assert_clean({**outputs, "stdout": out.encode(), "stderr": err.encode()})
    assert_clean_json(outputs["/api/v1/summary"])
    assert_clean_json(out.encode())
    assert "PWN" in err
    for line in err.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d |\{\"", line), line
        assert len(line.encode()) < LONGEST_LINE


def _until_listening(port: int) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        threading.Event().wait(0.05)
    raise AssertionError("it does not listen")


# ---- commands that ask others -----------------------------------------------


@pytest.mark.parametrize("json_wanted", [False, True])
@pytest.mark.parametrize("refusing", [False, True])
def test_ping(refusing: bool, json_wanted: bool, capfd: Any) -> None:
    with hostile_pool(refusing_answers if refusing else None) as pool:
        main.run(["ping", f"127.0.0.1:{pool.port}", "-u", "w", *(["--json"] if json_wanted else [])])
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})
    if json_wanted:
        assert_clean_json(out.encode())


@contextmanager
def served(body: bytes, status: int = 200) -> Iterator[str]:
    """Serve the same answer to every request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def evil_view() -> bytes:
    """Return a view of a miner in which every string is hostile."""

    def spoilt(value: Any) -> Any:
        if isinstance(value, str):
            return LONG
        if isinstance(value, list):
            return [spoilt(item) for item in value]
        if isinstance(value, dict):
            return {key: spoilt(item) for key, item in value.items()}
        return value

    return json.dumps(spoilt(msgspec.to_builtins(view()))).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (evil_view(), 200),
        (json.dumps({"error": EVIL}).encode(), 403),
        (EVIL.encode() + SURROGATE, 500),
        (b'{"summary":"' + HALF + b'"}', 200),
    ],
    ids=["view", "refusal", "noise", "half"],
)
@pytest.mark.parametrize("command", ["top", "health"])
def test_other_miners(command: str, body: bytes, status: int, capfd: Any) -> None:
    with served(body, status) as url:
        main.run([command, "--api", url, *(["--once"] if command == "top" else [])])
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})
    assert len(out) < 100_000


def test_texts_of_another_miner_are_short_before_they_are_drawn(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[WatchedMiner] = []

    def note(one: WatchedMiner, screen: object) -> list[Text]:
        seen.append(one)
        return []

    monkeypatch.setattr(overview, "draw_one", note)
    with served(evil_view()) as url:
        main.run(["top", "--once", "--api", url])
    [one] = seen
    texts = [*_texts(msgspec.to_builtins(one.view))]
    assert any("PWN" in text for text in texts)
    assert all(is_plain(text) and len(text) <= 501 for text in texts)


def test_a_price(capfd: Any) -> None:
    for answer in (EVIL.encode(), json.dumps({"price": EVIL}).encode(), b'{"' + HALF + b'":1}'):
        with served(answer) as url:
            main.run(["profit", "--hash-rate", "1TH", "--price-url", url, "--price-field", f"price.{EVIL}"])
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})


def test_names_of_files_and_arguments(tmp_path: Path, capfd: Any) -> None:
    bad = tmp_path / EVIL.replace("/", "")
    for arguments in (
        ["mine", "--config", str(bad)],
        ["mine", "-o", f"stratum+tcp://{EVIL}", "-u", "w"],
        ["mine", "-o", "127.0.0.1:1", "-u", EVIL],
        ["mine", f"--{EVIL}"],
        [EVIL],
        ["config", "init", str(bad)],
        ["config", "check", "--config", str(bad)],
        ["replay", str(bad), "--to", "127.0.0.1:1"],
        ["profit", "--hash-rate", EVIL],
        ["ping", EVIL, "-u", "w"],
        ["pool", "--listen", EVIL, "--address", EVIL],
        ["bench", "--kernel", EVIL],
        ["luck", "--hash-rate", EVIL],
    ):
        main.run(arguments)
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})


def test_a_configuration(tmp_path: Path, capfd: Any) -> None:
    file = tmp_path / "miner.toml"
    spelt = json.dumps(EVIL)
    for text in (
        f"{spelt} = 1\n",
        f"[pools.{spelt}]\nurl = 'a:1'\n",
        f"[pools.a]\nurl = {spelt}\n",
        f"user = {spelt}\n[pools.a]\nurl = 'a:1'\n",
        f"user = 'w'\n[pools.a]\nurl = 'a:1'\nworkers = [{spelt}]\n",
        f"user = 'w'\nurl = ['a:1']\n[backends.cpu]\nworker = {spelt}\n",
        json.dumps("k" * 5000) + " = 1\n",
        f"strategy = {spelt}\n",
    ):
        file.write_text(text.replace("\\u2028", "\u2028"), encoding="utf-8")
        assert main.run(["config", "check", "--config", str(file)]) == 2, text
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})
    assert max(map(len, err.splitlines())) < 1100


def test_a_recording(tmp_path: Path, capfd: Any) -> None:
    file = tmp_path / "session.jsonl"
    with hostile_pool() as pool:
        with meanwhile(lambda: _then_quit(pool), pool.enough.set):
            main.run(
                ["mine", "--no-config", "-o", f"127.0.0.1:{pool.port}", "-u", "w", *SIMULATED, "--record", str(file)]
            )
        recorded = file.read_bytes()
    assert_clean({"the recording": recorded})
    assert any(json.dumps(EVIL)[1:-1] in text for line in recorded.splitlines() for text in _texts(json.loads(line)))
    with hostile_pool(refusing_answers) as pool:
        main.run(["replay", str(file), "--to", f"127.0.0.1:{pool.port}", "--pace", "0"])
    file.write_bytes(EVIL.encode() + b"\n" + HALF)
    main.run(["replay", str(file), "--to", "127.0.0.1:1"])
    out, err = capfd.readouterr()
    assert_clean({"both": (out + err).encode()})


def _then_quit(pool: HostilePool) -> None:
    assert pool.enough.wait(PATIENCE_S)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_report(tmp_path: Path) -> None:
    output_files.write(tmp_path / "report", f"<p>{EVIL}</p>\n\t<p>\ud800 Größe</p>\n", "--html")
    data = (tmp_path / "report").read_bytes()
    assert_clean({"report": data.replace(b"FAKE", b"")})
    assert data.decode().endswith("\n\t<p>\ufffd Größe</p>\n")


# ---- what draws -----------------------------------------------


def test_events_of_anybody() -> None:
    for value in (EVIL, LONG, "\ud800", [EVIL], {"a": EVIL}, EVIL.encode()):
        event = logs.events.take("something", "info", {"value": value}, 0.0)
        assert is_plain(event.text)
        assert len(event.text) < 1000
        msgspec.json.encode(event)


def test_the_screen_of_another_miner_is_drawn_in_plain_characters() -> None:
    from stratum_miner.monitoring.screen.layout import ScreenState

    spoilt = msgspec.json.decode(evil_view(), type=type(view()))
    lines = draw_one(WatchedMiner(0, "http://a", spoilt, "", 0.0), ScreenState(100, 50, ascii_only=False))
    assert all(is_plain(line.plain) for line in lines)
