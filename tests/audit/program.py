"""Runs ``stratum-miner`` in processes of its own and keeps what they print."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

STEP_S = 0.1
"""Between two looks. They cost processor time that the programs need."""
LATE_S = 0.05
"""Sleeping longer than wanted by so much means that the machine is busy with other things."""
_late: list[tuple[float, float]] = []
"""When this process was woken too late, and by how many seconds."""
PATIENCE_S = 60.0
"""How long anything may take before a scenario counts as stuck: this is for a machine that is busy."""
TOKEN = "the-token-of-the-audit"
T = TypeVar("T")


@dataclass(slots=True)
class Program:
    """A command that runs."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    out_file: Path
    err_file: Path
    started: float
    started_unix: float
    interrupted: float | None = None
    ended: float | None = None

    @property
    def out(self) -> str:
        """What it has printed."""
        return self.out_file.read_text()

    @property
    def err(self) -> str:
        """What it has logged, and told people."""
        return self.err_file.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log; the commands are run with --log-format json."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{") and line.endswith("}")]

    @property
    def words(self) -> list[str]:
        """What it told people: the lines that are no log."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    def address(self, event: str, field: str) -> int:
        """The port that an event names, once it is logged."""

        def port() -> int | None:
            texts = [str(item[field]) for item in self.events if item.get("event") == event and field in item]
            return int(texts[-1].rpartition(":")[2].rstrip("/")) if texts else None

        return until(port, f"{self.name} logs {event!r}", self)

    def kept_waiting(self) -> float:
        """Seconds for which its threads could have run and did not, all together, because the processors were busy with
        other things; as the kernel counts them. Threads that are over are not among them.
        """
        waited = 0
        for file in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # the thread is over
                waited += int(file.read_text().split()[1])
        return waited / 1e9

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.interrupted = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Until it has ended; its exit code."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.err[-2000:]}") from None
        self.ended = self.ended or time.monotonic()
        return code


def until(
    look: Callable[[], T | None], what: str, program: Program | None = None, *, patience: float = PATIENCE_S
) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + patience
    while True:
        value = look()
        if value is not None and value is not False:
            return value
        if program is not None and program.process.poll() is not None:
            value = look()
            if value is not None and value is not False:
                return value
            raise AssertionError(f"waited until {what}, but {program.name} ended:\n{program.err[-3000:]}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s until {what}\n{program.err[-3000:] if program else ''}")
        began = time.monotonic()
        time.sleep(STEP_S)
        late = time.monotonic() - began - STEP_S
        if late > LATE_S:
            _late.append((began, late))


def late_between(begin: float, end: float) -> float:
    """How many seconds too late this process was woken, all together, while it waited for something."""
    return sum(late for at, late in _late if begin <= at < end)


class Programs:
    """Starts commands and ends, at its own end, those that still run."""

    def __init__(self, directory: Path, command: Sequence[str] = (sys.executable, "-m", "stratum_miner")) -> None:
        self.directory = directory
        self._command = command
        self._running: list[Program] = []

    def start(self, name: str, *arguments: str) -> Program:
        """Run ``stratum-miner`` with these arguments."""
        number = len(self._running)
        out_file, err_file = self.directory / f"{number}-{name}.out", self.directory / f"{number}-{name}.err"
        with out_file.open("wb") as out, err_file.open("wb") as err:
            process = subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.directory,
                env={**os.environ, "STRATUM_MINER_HTTP_TOKEN": TOKEN, "NO_COLOR": "1", "COLUMNS": "400"},
            )
        program = Program(name, arguments, process, out_file, err_file, time.monotonic(), time.time())
        self._running.append(program)
        return program

    def end(self) -> None:
        """Kill what is left."""
        for program in self._running:
            if program.process.poll() is None:
                program.process.terminate()
        for program in self._running:
            try:
                program.process.wait(10)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()


@contextlib.contextmanager
def programs(directory: Path) -> Iterator[Programs]:
    """``Programs`` for a block."""
    running = Programs(directory)
    try:
        yield running
    finally:
        running.end()
