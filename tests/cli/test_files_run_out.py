"""Too many connections use up all open files: the service continues, and logs this once a minute."""

import errno
import os
import resource
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from stratum_miner.cli import main

from .test_process import ADDRESS, COMMAND, SIMULATED, Lines, easy_pool, started

FILES = 64
"""Which a process may have open once it has started; a quarter of them is kept from strangers."""
STRANGERS = 80
SUBSCRIBE = b'{"id":7,"method":"mining.subscribe","params":[]}\n'
ASK = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

POOL = ("pool", "--network-difficulty", "1", "--listen", "127.0.0.1:0", "--address", ADDRESS)
MINE = ("mine", "--no-config", "-o", "127.0.0.1:1", "-u", "w", *SIMULATED, "--http", "127.0.0.1:0")
COMMANDS: dict[str, tuple[tuple[str, ...], str, bytes]] = {
    "pool": (POOL, "ready", SUBSCRIBE),
    "pool that records": ((*POOL, "--record", "RECORD"), "ready", SUBSCRIBE),
    "pool that misbehaves": ((*POOL, "--fault", "slow-replies=0.01"), "ready", SUBSCRIBE),
    "tap": (("tap", "127.0.0.1:0", "POOL", "--record", "RECORD"), "ready", SUBSCRIBE),
    "proxy": (
        ("proxy", "--no-config", "-o", "POOL", "-u", "w", "--listen", "127.0.0.1:0"),
        "extranonce_divided",
        SUBSCRIBE,
    ),
    "mine": (MINE, "http ", ASK),
}
"""Arguments, the event of which the command is ready, and a question that it answers."""


class Log:
    """The stderr of a process, read line by line while it runs."""

    def __init__(self, stream: Lines) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Lines) -> None:
        for line in stream:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def until(self, needle: str) -> str:
        """Return the first line with a text. The time limit of the test is the deadline."""
        with self._changed:
            self._changed.wait_for(lambda: any(needle in line for line in self.lines))
            return next(line for line in self.lines if needle in line)


def answered(client: socket.socket, question: bytes) -> bool:
    client.sendall(question)
    return bool(client.recv(4096))


def newcomer_is_served(address: tuple[str, int], question: bytes) -> bool:
    try:
        with closing(socket.create_connection(address, 60)) as newcomer:
            return answered(newcomer, question)
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in ("pool", "proxy", "tap") else []) for name in COMMANDS],
)
def test_the_service_goes_on(name: str, tmp_path: Path) -> None:
    words, ready, question = COMMANDS[name]
    began = time.monotonic()
    with ExitStack() as stack:
        if "POOL" in words:
            upstream = stack.enter_context(easy_pool())
            words = tuple(upstream if word == "POOL" else word for word in words)
        words = tuple(str(tmp_path / "record") if word == "RECORD" else word for word in words)
        process = stack.enter_context(started(*words, environment={"XDG_STATE_HOME": str(tmp_path)}))
        log = Log(process.err)
        log.until(ready)
        listens = next(line for line in log.lines if "127.0.0.1:" in line and ("ready" in line or "http " in line))
        address = "127.0.0.1", int(listens.split("127.0.0.1:")[1].split()[0].strip("'"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        with closing(socket.create_connection(address, 60)) as known:
            assert question is ASK or answered(known, question)
            strangers = [socket.create_connection(address, 60) for _ in range(STRANGERS)]
            log.until("accept_failed")
            assert question is ASK or answered(known, question.replace(b"7", b"8"))
            for stranger in strangers:
                stranger.close()
            while not newcomer_is_served(address, question):  # some may still be in the queue before it
                assert process.poll() is None
        assert process.poll() is None
    told = sum("accept_failed" in line for line in log.lines)
    assert 1 <= told <= 1 + (time.monotonic() - began) / 60
    assert not [line for line in log.lines if "Traceback" in line or "Errno" in line]


FEW = 6
"""Enough for the interpreter to start, and too few for anything that waits."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["mine", "-o", "127.0.0.1:1", "-u", "w", "--no-retry"],
        ["pool", "--address", ADDRESS, "--listen", "127.0.0.1:0"],
        ["solo", "--address", ADDRESS, "--node", "kernel"],
        ["demo"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_too_few_files_to_begin_with_are_told_in_one_line(arguments: list[str]) -> None:
    limited = ["sh", "-c", f'ulimit -n {FEW}; exec "$@"', "sh", *COMMAND, *arguments]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)
    advice = f"this process may have {FEW} open files; allow more, as with ulimit -n 1024"
    assert done.stderr.splitlines()[-1] == f"stratum-miner: cannot open more files: {advice}"
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_files_that_run_out_among_other_errors_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: list[str]) -> int:
        spent = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        raise ExceptionGroup("nursery", [ExceptionGroup("nursery", [ValueError("a consequence"), spent])])

    monkeypatch.setattr(main, "run", fail)
    assert main.run_process([]) == 1
    assert capsys.readouterr().err.startswith("stratum-miner: cannot open more files: ")
