"""The installed command as a process: signals, the process list, and pipes."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO

import pytest

from stratum_miner.backends.cpu import processors
from stratum_miner.monitoring.view import Summary
from stratum_miner.testing.manual_pool import REGTEST_JOB
from tests.cli.one_command import run
from tests.pool_thread import pool_in_a_thread

COMMAND = [sys.executable, "-m", "stratum_miner"]
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class Listened(subprocess.Popen[str]):
    """A command whose two streams are read all the time. A program that writes into a pipe that nobody reads stops once
    the pipe is full, and answers nothing: on a busy machine, a test takes long enough for that."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        super().__init__(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.stdout is not None
        assert self.stderr is not None
        self.out, self.err = Lines(self.stdout), Lines(self.stderr)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end of the process. Return the part of each stream that was not taken before."""
        self.wait(timeout)
        return "".join(self.out), "".join(self.err)


class Lines:
    """The lines of a stream, each of them once, as they come."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put("")

    def __iter__(self) -> Iterator[str]:
        yield from iter(self._lines.get, "")
        self._lines.put("")  # the end, for whoever asks again


@contextmanager
def started(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[Listened]:
    process = Listened(*arguments, environment=environment)
    try:
        yield process
    finally:
        process.terminate()  # not killed: it has a temporary chain to remove
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


SIMULATED = ("--backend", "simulated", "--backend-option", "hash_rate=1MH")
"""A device that finds its shares at this rate on any machine, also on a busy one."""


def until_line(process: Listened, needle: str) -> str:
    """Read stderr up to a line with a text. The time limit of the test is the deadline."""
    for line in process.err:
        if needle in line:
            return line
    raise AssertionError(f"the process ended without saying {needle!r}")


@contextmanager
def running_pool(*options: str, difficulty: str = "1e-3") -> Iterator[tuple[Listened, str]]:
    words = ("pool", "--network-difficulty", "5e-10", "--listen", "127.0.0.1:0", "--address", ADDRESS)
    with started(*words, "--difficulty", difficulty, *options) as pool:
        line = until_line(pool, "ready")
        yield pool, line.rsplit("://", 1)[1].strip()


@contextmanager
def easy_pool() -> Iterator[str]:
    """Yield the address of a pool in this process. The simulated device finds some twenty shares per second for it."""
    with pool_in_a_thread(1e-5) as port:
        yield f"127.0.0.1:{port}"


def test_mine_on_our_pool_and_print_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    with easy_pool() as address:
        url = f"stratum+tcp://{address}"
        code, out, err = run(
            capsys, "mine", "-o", url, "-u", ADDRESS, "-p", "x", *SIMULATED, "--until-shares", "5", "--json"
        )
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])  # the pool in this process logs before it
    assert result["shares"]["accepted"] >= 5
    assert result["pool"] == url
    assert set(result) == {"pools", "devices", "blocks", *(field.name for field in fields(Summary))}


def test_password_of_the_command_line_is_not_in_the_process_list() -> None:
    """And one interrupt prints the summary and ends the process with 0."""
    with (
        easy_pool() as address,
        started("mine", "-o", address, "-u", ADDRESS, "-p", "sup3rs3cret", *SIMULATED, "--json") as miner,
    ):
        until_line(miner, "share_accepted")
        shown = Path(f"/proc/{miner.pid}/cmdline").read_bytes()
        assert b"sup3rs3cret" not in shown
        assert b"***" in shown
        miner.send_signal(signal.SIGINT)
        out, err = miner.communicate()
        assert miner.returncode == 0
        assert json.loads(out)["shares"]["accepted"] >= 1
        assert "sup3rs3cret" not in out + err


def test_protocol_dump_shows_lines_but_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    with easy_pool() as address:
        mine = ("mine", "-o", address, "-u", ADDRESS, "-p", "sup3rs3cret", *SIMULATED, "--until-shares", "1")
        code, _, err = run(capsys, *mine, "--protocol-dump")
        assert code == 0
        assert "mining.authorize" in err
        assert "mining.notify" in err
        assert "sup3rs3cret" not in err
        code, _, err = run(capsys, *mine, "--no-protocol-dump")
        assert code == 0
        assert "mining.notify" not in err


def test_a_demo_that_is_interrupted_tells_what_it_mined_and_exits_0() -> None:
    pytest.importorskip("pbk")
    with started("demo", "--blocks", "100000", "--difficulty", "1e-4", "-t", "1") as demo:
        until_line(demo, "block 1 of 100000")
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=120)
        assert demo.returncode == 0, err
        assert "of 100000 blocks in the node's chain" in out


@pytest.mark.parametrize("seen", ["kernel_chosen", "share_accepted"])
def test_interrupt_with_as_many_threads_as_are_allowed(seen: str) -> None:
    """The interrupt may also come while the threads start, after the choice of the kernel."""
    threads = str(processors.most_threads())
    eager = ("--backend-option", "priority=normal")  # a search of the lowest priority may find nothing for minutes
    with easy_pool() as address, started("mine", "-o", address, "-u", ADDRESS, "-t", threads, *eager) as miner:
        until_line(miner, seen)
        miner.send_signal(signal.SIGINT)
        _, err = miner.communicate(timeout=120)
        assert miner.returncode == 0, err
        assert "Traceback" not in err


def test_interrupt_while_the_pool_does_not_answer() -> None:
    """The first interrupt stops gracefully and waits for the open share. The second stops at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    submitted = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as file:
            for line in file:
                request = json.loads(line)
                if request["method"] == "mining.submit":
                    submitted.set()
                    continue  # never answered
                result = [[], "a1b2c3d4", 4] if request["method"] == "mining.subscribe" else True
                difficulty = {"id": None, "method": "mining.set_difficulty", "params": [1e-6]}
                notify = {"id": None, "method": "mining.notify", "params": list(REGTEST_JOB)}
                file.write(json.dumps({"id": request["id"], "result": result, "error": None}).encode() + b"\n")
                if request["method"] == "mining.authorize":
                    file.write(json.dumps(difficulty).encode() + b"\n" + json.dumps(notify).encode() + b"\n")
                file.flush()

    threading.Thread(target=serve, daemon=True).start()
    with started(
        "mine", "-o", f"127.0.0.1:{listener.getsockname()[1]}", "-u", "x", "--json", "--no-version-rolling", *SIMULATED
    ) as miner:
        assert submitted.wait(60)
        miner.send_signal(signal.SIGINT)
        until_line(miner, "stopping")
        miner.send_signal(signal.SIGTERM)
        out, err = miner.communicate()
        assert miner.returncode == 0, err
        assert json.loads(out)["shares"]["lost"] >= 1
        assert "Traceback" not in err
    listener.close()


def test_interrupt_while_no_pool_is_there() -> None:
    with started("mine", "-o", "127.0.0.1:1", "-u", "x", *SIMULATED) as miner:
        until_line(miner, "pool_unreachable")
        miner.send_signal(signal.SIGINT)
        _, err = miner.communicate()
        assert miner.returncode == 0
        assert "Traceback" not in err


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT] * 5])
def test_pool_interrupted_any_number_of_times(signals: list[signal.Signals]) -> None:
    with running_pool() as (pool, _):
        for each in signals:
            pool.send_signal(each)
        _, err = pool.communicate()
        assert pool.returncode == 0
        assert "Traceback" not in err


def test_refused_worker_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as file:
            for line in file:
                request = json.loads(line)
                result = {"mining.subscribe": [[], "aa", 4], "mining.configure": {}}.get(request["method"], False)
                file.write(json.dumps({"id": request["id"], "result": result, "error": None}).encode() + b"\n")
                file.flush()

    threading.Thread(target=serve, daemon=True).start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    code, _, err = run(capsys, "mine", "-o", address, "-u", "nobody", "-p", "sup3rs3cret", *SIMULATED)
    listener.close()
    assert code == 3
    assert "refused the worker 'nobody'" in err.splitlines()[-1]
    assert "sup3rs3cret" not in err


def test_port_already_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with easy_pool() as address:
        code, _, err = run(capsys, "pool", "--listen", address, "--address", ADDRESS)
        assert code == 1
        assert err.splitlines()[-1].startswith(f"stratum-miner: cannot listen on {address}: ")


def test_output_into_a_closed_pipe_is_no_traceback() -> None:
    process = subprocess.Popen(
        [*COMMAND, "luck", "--found", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.wait()
    assert "Traceback" not in err


def test_the_result_of_mining_into_a_closed_pipe_is_no_traceback() -> None:
    with easy_pool() as address:
        process = subprocess.Popen(
            [*COMMAND, "mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--until-shares", "1", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait() == 1
    assert "share_accepted" in err
    assert "Traceback" not in err


def test_a_full_disk_is_told_in_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "luck", "--found", "3"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert result.returncode == 1
    assert result.stderr == "stratum-miner: cannot write the output: no space left on the device; free some space\n"


def test_ping_that_is_interrupted_tells_what_it_measured() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [*COMMAND, "ping", "127.0.0.1:1", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with silent.accept()[0] as connection:
            assert connection.recv(1000)  # its first request: it waits for the answer now
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "1  stratum+tcp://127.0.0.1:1: Connection refused" in output
    assert f"2  stratum+tcp://{address}: interrupted" in output
    assert "Traceback" not in errors


def test_ping_measures_each_step_of_several_pools(capsys: pytest.CaptureFixture[str]) -> None:
    with easy_pool() as address:
        code, out, _ = run(capsys, "ping", address, f"stratum+ssl://{address}", "127.0.0.1:1", "--submit", "--json")
        table_code, table, _ = run(capsys, "ping", address)
    assert code == 4
    good, encrypted, absent = json.loads(out.splitlines()[-1])
    assert good["error"] is None
    assert good["tls_ms"] is None
    for step in ("resolve", "connect", "subscribe", "authorize", "first_job", "submit"):
        assert good[f"{step}_ms"] >= 0
    assert "try stratum+tcp:// for this port" in encrypted["error"]
    assert encrypted["connect_ms"] >= 0
    assert absent["error"] == "stratum+tcp://127.0.0.1:1: Connection refused"
    assert absent["connect_ms"] is None
    assert table_code == 0
    assert "subscr" in table
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["ping", "stratum+sll://h:1"], "did you mean stratum+ssl?"),
        (["ping", "h:1", "--timeout", "0"], "--timeout: expected a time above 0s and up to 1h"),
        (["ping", "h:1", "--proxy", "socks5://u:s3cret@h"], "--proxy: proxy: expected socks5://"),
        (
            ["ping", "h:1", "--tls-ca", "x.pem"],
            "--tls-ca: expected a pool with TLS, stratum+ssl://HOST:PORT, got stratum+",
        ),
        (["tap", "1", "h:1", "--tls-key", "x.pem"], "--tls-key: expected a pool with TLS"),
        (["ping", "h:1", "-u", "\udcff"], "--user: expected a worker name of printable characters in UTF-8"),
        (["mine", "-o", "h:1", "-u", "\udcff"], "--user: expected a worker name of printable characters in UTF-8"),
        (["ping", "stratum+ssl://h:1", "--tls-ca", "/nowhere.pem"], "TLS CA file '/nowhere.pem': No such file"),
        (
            ["mine", "-o", "stratum+ssl://h:1", "-u", "w", "--tls-fingerprint", "ab"],
            "TLS fingerprint: expected SHA-256",
        ),
        (
            ["mine", "-o", "stratum+ssl://h:1", "-u", "w", "--tls-key", "k.pem"],
            "TLS key: expected a certificate (--tls-cert) with the key",
        ),
    ],
)
def test_how_to_reach_a_pool_is_checked_first(
    arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert needle in err
    assert err.count("\n") == 1
    assert "s3cret" not in err


def test_a_killed_miners_journal_is_continued_and_adds_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "shares.jsonl"
    options = ("-u", ADDRESS, "--journal", str(journal), *SIMULATED, "-q")
    with easy_pool() as address:
        with started("mine", "-o", address, *options) as first:
            while not journal.exists() or journal.read_bytes().count(b'"settled"') < 20:
                assert first.poll() is None
                time.sleep(0.05)  # looking without a pause would take a processor from the search
            first.kill()
            first.wait()
        code, out, err = run(capsys, "mine", "-o", address, *options, "--until-shares", "5", "--json")
    assert code == 0, err
    assert "journal_unclean" in err
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    found = {record["id"] for record in records if record["event"] == "found"}
    settled = [record["id"] for record in records if record["event"] == "settled"]
    assert sorted(settled) == sorted(found)  # each share has exactly one fate
    fates = [record["fate"] for record in records if record["event"] == "settled"]
    totals = json.loads(out.splitlines()[-1])["all_runs"]
    assert totals == {fate: fates.count(fate) for fate in ("accepted", "rejected", "stale", "lost")}
    assert len(settled) >= 25  # 20 of the first run, a stale one among them or not, and 5 of the second


def test_a_miner_goes_to_the_next_pool_when_the_first_dies() -> None:
    with easy_pool() as second:
        with easy_pool() as first:
            miner = Listened(
                *("mine", "-o", first, "-o", second, "-u", ADDRESS, *SIMULATED, "--until-shares", "40", "--json")
            )
            until_line(miner, "share_accepted")
        out, err = miner.communicate(timeout=120)
    assert miner.returncode == 0, err
    result = json.loads(out)
    one, two = result["pools"]
    assert one["accepted"] > 0
    assert two["accepted"] > 0
    assert two["active"]
    assert one["accepted"] + two["accepted"] == result["shares"]["accepted"]
    for fate in ("accepted", "rejected", "stale", "lost"):
        assert one[fate] + two[fate] == result["shares"][fate]
    assert "pool_chosen" in err


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (
            ["-o", "h:1", "-o", "h:2", "-o", "h:3", "-u", "a", "-u", "b"],
            "--user: expected one value for all pools, or one",
        ),
        (
            ["-o", "h:1", "-o", "h:2", "-u", "a", "--no-retry"],
            "--no-retry: expected one pool without retries, got several",
        ),
        (
            ["-o", "h:1", "-u", "a", "--quota", "3"],
            "--quota: expected several pools and one quota for each, got 1 for 1",
        ),
        (["-o", "h:1", "-o", "h:2", "-u", "a", "--quota", "0", "--quota", "0"], "at least one above 0"),
        (["-o", "h:1", "-O", "a", "-u", "b"], "--userpass: expected this or --user and --pass"),
        (["-o", "h:1", "-O", "nocolon"], "--userpass: expected USER:PASS"),
        (
            ["-o", "h:1", "-u", "a", "--journal", "/nowhere/j"],
            "--journal: cannot write '/nowhere/j': No such file or directory",
        ),
    ],
)
def test_several_pools_are_checked_first(arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "mine", *arguments)
    assert code in (1, 2)
    assert needle in err
    assert err.count("\n") == 1


def test_the_configuration_is_read_again_on_sighup_and_refused_where_it_is_wrong(tmp_path: Path) -> None:
    with easy_pool() as first, easy_pool() as second:
        file = tmp_path / "miner.toml"
        device = 'backend = "simulated"\nbackend_option = ["hash_rate=1MH"]\n'
        good = f'user = "{ADDRESS}"\n{device}[pools.first]\nurl = "{first}"\npass = "hunter2first"\n'
        file.write_text(good)
        with started("mine", "--config", str(file), "--log-format", "plain", "--debug") as mine:
            until_line(mine, "share_accepted")
            file.write_text(good.replace("backend =", "bakcend ="))
            mine.send_signal(signal.SIGHUP)
            assert "did you mean 'backend'" in until_line(mine, "configuration_refused")
            until_line(mine, "share_accepted")
            file.write_text(f'{good}[pools.second]\nurl = "{second}"\npriority = 0\n')
            mine.send_signal(signal.SIGHUP)
            assert "pools.second" in until_line(mine, "configuration_changed")
            faster = device.replace("1MH", "2MH")
            file.write_text(f'user = "{ADDRESS}"\n{faster}[pools.second]\nurl = "{second}"\n')
            mine.send_signal(signal.SIGHUP)
            assert "pools.first" in until_line(mine, "configuration_changed")
            assert "hash_rate=2MH" in until_line(mine, "configuration_takes_a_restart")
            until_line(mine, "share_accepted")
            mine.send_signal(signal.SIGINT)
            _, err = mine.communicate(timeout=60)
            assert mine.returncode == 0
            assert f"on stratum+tcp://{second}" in err
            assert "hunter2" not in err
