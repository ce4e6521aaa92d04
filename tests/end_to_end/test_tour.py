"""The tours of README and tutorials, every command as it stands there: from nothing to a miner that is watched."""

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pbk", reason="needs the extra: pip install '.[regtest]'")

ROOT = Path(__file__).parents[2]
PATIENCE = 100
"""Seconds until the next line of a command, and until its end."""


def tour(page: str) -> list[str]:
    """Return the commands in the blocks of a page below ``<!-- tour -->``. Those of a second terminal end in ``&``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- tour(, second terminal)? -->\n```\n(.*?)```", text, re.DOTALL)
    return [
        line.removeprefix("$ ") + (" &" if second else "")
        for second, block in blocks
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


@pytest.fixture
def free_ports() -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


def environment_of(directory: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(directory),
    }


def walk(page: str, directory: Path, ports: list[int]) -> dict[str, str]:
    """Type every command of a tour, and return what each printed that ended. The two ports of the page are replaced."""
    pool_port, http_port = map(str, ports)
    environment = environment_of(directory)
    told: dict[str, str] = {}
    with background() as running:
        for command in tour(page):
            line = command.replace(":3333", f":{pool_port}").replace(":7780", f":{http_port}")
            if line.startswith(("stratum-miner health", "stratum-miner top")):
                line += f" --api http://127.0.0.1:{http_port}"
            if line.startswith("stratum-miner pool"):
                line += f" --listen 127.0.0.1:{pool_port}"
            if " &" in line:
                sign = "share_accepted" if " mine " in line else "ready"
                running.start(_command(line), sign, directory, environment)
                continue
            deadline = time.monotonic() + 60
            while True:
                done = subprocess.run(
                    ["sh", "-c", line], cwd=directory, env=environment, capture_output=True, text=True, check=False,
                    timeout=120,
                )  # fmt: skip
                # One thread may have found a share before the other has begun.
                if "is starting" not in done.stdout or time.monotonic() > deadline:
                    break
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            told[" ".join(command.split()[:3])] = done.stdout + done.stderr
            file = directory / "miner.toml"
            if file.exists():  # the ports that are free here, instead of those that the file begins with
                text = file.read_text().replace(":3333", f":{pool_port}").replace(":7780", f":{http_port}")
                file.write_text(text)
        running.end()
    return told


def _command(line: str) -> str:
    return re.sub(r" 2> \S+| &", "", line)


def test_the_readme_from_nothing_to_a_watched_miner(tmp_path: Path, free_ports: list[int]) -> None:
    told = walk("README.md", tmp_path, free_ports)
    assert told["stratum-miner health"] == "mining\n"
    assert re.search(r"shares +[1-9][\d,]* accepted · 0 rejected", told["stratum-miner top --once"])


def test_the_tutorial_of_the_first_block(tmp_path: Path, free_ports: list[int]) -> None:
    pool_port, http_port = free_ports
    told = walk("docs/tutorial/first-block.md", tmp_path, free_ports)
    settings = tomllib.loads((tmp_path / "miner.toml").read_text())
    assert (settings["http"], settings["log_file"]) == (f"127.0.0.1:{http_port}", "miner.log")
    assert told["stratum-miner config check"] == "miner.toml: good: 1 pool, 1 backend, failover\n"
    assert (
        f"good    pool stratum+tcp://127.0.0.1:{pool_port}: the pool sent a job of difficulty 0.001"
        in told["stratum-miner doctor --config"]
    )
    assert told["stratum-miner health"] == "mining\n"
    assert re.search(r"shares +[1-9][\d,]* accepted · 0 rejected", told["stratum-miner top --once"])
    assert '"event":"share_accepted"' in (tmp_path / "miner.log").read_text()
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "stratum-miner.service"
        assert subprocess.run(["systemd-analyze", "verify", str(unit)], check=False).returncode == 0


def test_the_tutorial_of_the_first_stick(tmp_path: Path, free_ports: list[int]) -> None:
    """The miner starts before the stick, so that no start takes time of what happens before the stick is unplugged.

    That happens sooner than in the tutorial, and shares are easier.
    """
    pool, stick, mine = tour("docs/tutorial/first-stick.md")
    mine, environment = mine.replace(":3333", f":{free_ports[0]}"), environment_of(tmp_path)
    assert stick.count("unplug@10+3") == mine.count("--time-limit 25") == 1
    with background() as running:
        running.start(
            f"{_command(pool)} --listen 127.0.0.1:{free_ports[0]} --difficulty 1e-5", "ready", tmp_path, environment
        )
        miner = running.start(mine.replace("--time-limit 25", ""), "device_awaited", tmp_path, environment)
        running.start(_command(stick).replace("10+3", "5+1"), "ready", tmp_path, environment)
        for sign in ("share_accepted", "device_gone", "device_started", "share_accepted"):
            miner.until(sign)
        running.end()


def test_the_tutorial_of_a_pool_in_ci(tmp_path: Path, free_ports: list[int]) -> None:
    """Its test and its commands, without those that install."""
    text = (ROOT / "docs" / "tutorial" / "pool-in-ci.md").read_text(encoding="utf-8")
    [test] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "test_pool.py").write_text(test)
    shutil.copy(ROOT / "examples" / "pool-ci" / "toypool.py", tmp_path)
    [_, _, _, _, start, check] = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert start == ".venv/bin/python toypool.py 3333 &"
    assert check == ".venv/bin/pytest --stratum-url stratum+tcp://127.0.0.1:3333 test_pool.py"
    port = str(free_ports[0])
    pool = subprocess.Popen([sys.executable, "toypool.py", port], cwd=tmp_path)
    try:
        words = [*check.replace("3333", port).split()[1:], "--stratum-startup", "60s"]  # the computer may be busy
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert "1 passed" in done.stdout, done.stdout + done.stderr
    finally:
        pool.kill()
        pool.wait()


class RunningCommand:
    """A command that runs, and the lines of its log."""

    def __init__(self, line: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec {line}"], cwd=directory, env=environment, stderr=subprocess.PIPE, text=True
        )
        self._said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()  # a full pipe would stop the command

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put("")

    def until(self, sign: str) -> None:
        """Until it says a word, after the last one that was waited for."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                line = ""
            assert line, f"expected a line with {sign!r} within {PATIENCE} s, got {''.join(self._said)}"
            self._said.append(line)
            if sign in line:
                return


class Running:
    """Commands that the tour leaves running."""

    def __init__(self) -> None:
        self.commands: list[RunningCommand] = []

    def start(self, line: str, sign: str, directory: Path, environment: Mapping[str, str]) -> RunningCommand:
        """Until it says a word."""
        command = RunningCommand(line, directory, environment)
        self.commands.append(command)
        command.until(sign)
        return command

    def end(self) -> None:
        """In the order in which a person would end them: the last first."""
        for command in reversed(self.commands):
            command.process.send_signal(signal.SIGTERM)
            assert command.process.wait(PATIENCE) == 0


@contextmanager
def background() -> Iterator[Running]:
    running = Running()
    try:
        yield running
    finally:
        for command in running.commands:
            command.process.kill()
            command.process.wait()
