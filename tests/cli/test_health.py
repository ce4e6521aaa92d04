"""Exit codes of ``health`` for a real HTTP API of a miner, and for servers that are not one."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli import health, main
from stratum_miner.foreign_text import SHOWN_LINES
from stratum_miner.monitoring.health import STATES
from stratum_miner.monitoring.view import ProblemView

from ..monitoring.served import PlayedMonitor, full_view, serving
from ..network.web_server import dripping
from .test_process import ADDRESS, SIMULATED, Listened, easy_pool, started, until_line

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process and return its exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["health", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_miner_that_mines_and_one_that_waits(ask: Ask) -> None:
    with (
        easy_pool() as address,
        started("mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--http", "127.0.0.1:0") as mining,
        started("mine", "-o", "127.0.0.1:1", "-u", ADDRESS, *SIMULATED, "--http", "127.0.0.1:0") as waiting,
    ):
        url = _url(until_line(mining, "http://"))
        until_line(mining, "share_accepted")
        assert ask("--api", url, "--ready")[:2] == (0, "mining\n")  # the pool in this process logs to stderr
        quick = [sys.executable, "-m", "stratum_miner.cli.health", url]
        assert subprocess.run(quick, capture_output=True, check=False).returncode == 0
        url = _url(until_line(waiting, "http://"))
        until_line(waiting, "pool_unreachable")
        for arguments in ((), ("--ready",)):
            code, out, _ = ask("--api", url, *arguments)
            assert (code, out.splitlines()[0]) == (ExitCode.NO_POOL, "no_pool")
            assert "Pool stratum+tcp://127.0.0.1:1 cannot be mined on: " in out


@pytest.fixture
def shown() -> Iterator[tuple[PlayedMonitor, str]]:
    """Yield an HTTP API with a view that the test sets, and its URL."""
    monitor = PlayedMonitor(full_view())
    with serving(monitor, None) as served:
        yield monitor, served.url


@pytest.mark.parametrize(
    ("state", "code", "ready"),
    [
        ("mining", 0, 0),
        ("degraded", 8, 0),
        ("no_device", 9, 9),
        ("no_pool", 10, 10),
        ("paused", 11, 0),
        ("stopping", 12, 12),
    ],
)
def test_each_state_has_a_code(ask: Ask, shown: tuple[PlayedMonitor, str], state: str, code: int, ready: int) -> None:
    monitor, url = shown
    off = ProblemView(severity="critical", kind="device_off", text="erupter-3 is off:\ntoo hot.", advice="Cool it.")
    monitor.shown = replace(monitor.shown, summary=replace(monitor.shown.summary, state=state, problems=(off,)))
    words = f"{state}\nerupter-3 is off: too hot.\n"
    assert ask("--api", url) == (code, words, "")
    assert ask("--api", url, "--ready") == (ready, words, "")


def test_the_states_are_those_of_the_verdict() -> None:
    assert set(health.STATES) == set(STATES)
    assert len(set(health.STATES.values())) == len(STATES)


def test_nobody_there(ask: Ask) -> None:
    code, out, err = ask("--api", "http://127.0.0.1:1")
    assert (code, err) == (1, "")
    assert "Connection refused; does a miner with --http run at http://127.0.0.1:" in out
    assert "Errno" not in out


def test_something_else_there(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-x\r\n")

        threading.Thread(target=answer, daemon=True).start()
        code, out, err = ask("--api", f"http://127.0.0.1:{server.getsockname()[1]}")
    assert (code, err) == (1, "")
    assert out.startswith("no answer: ")


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nmining\n"])
def test_an_answer_is_to_be_whole_in_time(ask: Ask, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 0.3)
    with dripping(first) as address:
        assert ask("--api", f"http://{address}") == (1, "no answer: expected a whole answer within 0.3 s\n", "")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000_000, "no answer: expected an answer of at most 1048576 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", "no answer: expected an answer that is not compressed"),
        (b"HTTP/1.1 302 X\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "got an answer with status 302"),
        (b"", "no answer: expected an HTTP answer, the connection ended"),
    ],
)
def test_an_answer_that_cannot_be_used(ask: Ask, answer: bytes, told: str) -> None:
    with answering(answer) as url:
        code, out, err = ask("--api", url)
    assert (code, err) == (1, "")
    assert told in out


def test_what_is_shown_has_a_bound_and_steers_no_terminal(ask: Ask) -> None:
    body = b"no_pool\n" + b"\x1b[2J" + b"x" * 1000 + b"\n" + b"y\n" * 1000
    with answering(b"HTTP/1.1 503 X\r\ncontent-length: %d\r\n\r\n" % len(body) + body) as url:
        code, out, _ = ask("--api", url)
    assert code == ExitCode.NO_POOL
    assert len(out.splitlines()) == SHOWN_LINES + 1
    assert max(map(len, out.splitlines())) <= health.CHARACTERS + 1
    assert "\x1b" not in out


def test_no_proxy_of_the_environment_is_asked(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nmining\n") as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        assert ask("--api", "http://127.0.0.1:1")[0] == 1
        assert ask("--api", proxy)[0] == 0  # it was asked nothing before


def test_it_imports_nothing_that_loads_slowly() -> None:
    """The command is started every few seconds, often on a small computer."""
    code = "import sys, stratum_miner.cli.health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"trio", "ssl", "asyncio", "http.client", "email", "importlib.metadata", "msgspec", "structlog", "rich"}
    assert slow.isdisjoint(done.stdout.split())


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Yield the URL of a server that answers one request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(1000)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


@pytest.mark.parametrize("url", ["https://h", "nonsense", "http://h:0", "http://h:99999999"])
def test_a_url_that_is_none(ask: Ask, url: str) -> None:
    code, _, err = ask("--api", url)
    assert code == 2
    assert "--api: expected a URL such as http://127.0.0.1:7780" in err


def _url(line: str) -> str:
    return next(word for word in line.replace("=", " ").split() if word.startswith("http://"))


def test_a_problem_that_lasts_is_told(ask: Ask) -> None:
    with (
        easy_pool() as address,
        started(
            "mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--http", "127.0.0.1:0", "--journal", "/dev/full"
        ) as mining,
    ):
        lines = _until_all(mining, "http://", "journal_failed", "share_accepted")
        url = _url(lines["http://"])
        code, out, _ = ask("--api", url, "--ready")
        assert (code, out.splitlines()) == (
            0, ["mining", "Cannot write the share journal '/dev/full': No space left on device."]
        )  # fmt: skip
        mining.send_signal(signal.SIGINT)
        _, err = mining.communicate(timeout=60)
        assert mining.returncode == 0
        assert err.count("journal_failed") == 0  # it was told once, above
        assert "journal_incomplete" in err


def _until_all(process: Listened, *needles: str) -> dict[str, str]:
    """Return the first line of stderr with each needle, in any order."""
    found: dict[str, str] = {}
    for line in process.err:
        for needle in needles:
            if needle in line:
                found.setdefault(needle, line)
        if len(found) == len(needles):
            return found
    raise AssertionError(f"the process ended after {sorted(found)}, expected {needles}")
