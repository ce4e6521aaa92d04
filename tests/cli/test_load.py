"""``stratum-miner load`` as users call it: its errors, its output and its exit code."""

import errno
import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import chain, repeat
from pathlib import Path

import pytest

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.backends.cpu.kernel_speed import MeasuredKernel
from stratum_miner.backends.cpu.kernels import available_kernels
from stratum_miner.cli import main
from stratum_miner.loadtest.generator import LoadGenerator


def load(port: int, *arguments: str) -> int:
    """Run a load test with 10 miners for about half a second."""
    settings = ["--miners", "10", "--duration", "0.6", "--share-rate", "20"]
    return main.run(["load", f"127.0.0.1:{port}", *settings, *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["192.0.2.1:3333"], "192.0.2.1 is not this computer"),
        (["127.0.0.1:1", "--fail-if", "sumbit_p99>5ms"], "did you mean 'submit_p99'"),
        (["127.0.0.1:1", "--bad", "stael=1%"], "did you mean 'stale'"),
        (["127.0.0.1:1", "--bad", "stale"], "expected KIND=PERCENT"),
        (["127.0.0.1:1", "--miners", "50001"], "expected at most 50000 in one process"),
        (["127.0.0.1:1", "--miners", "0"], "miners: expected 1 to"),
        (
            ["127.0.0.1:1", "--duration", "90000"],
            "miner: --duration: expected a time from 100ms to 1d",
        ),
        (["127.0.0.1:1", "--slow-readers", "7"], "--slow-readers: expected a fraction"),
        (["127.0.0.1:1", "--hash-rate", "fast"], "--hash-rate: expected a hash rate"),
        (["stratum+ssl://127.0.0.1:1"], "expected stratum"),
        (["127.0.0.1"], "expected a port"),
        ([], "expected the URL of a pool"),
        (["127.0.0.1:1", "--compare", "/nonexistent"], "cannot read '/nonexistent'"),
        (["127.0.0.1:1", "--html", "/nonexistent/x.html"], "'/nonexistent/x.html': No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["load", *arguments]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_the_json_is_one_object_with_everything(
    pool_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = chain([1_000_000], repeat(1_040_960))  # before the first miner and after
    monkeypatch.setattr("stratum_miner.loadtest.generator._resident", lambda: next(sizes))
    assert load(pool_port, "--json", "--pass", "hunter2") == ExitCode.OK
    out = capsys.readouterr().out
    assert "hunter2" not in out
    result = json.loads(out.splitlines()[-1])  # the pool in this process may log before it
    assert result["miners"] == result["mining"] == 10
    assert result["duration_s"] >= 0.6
    assert result["shares"]["accepted"] == result["shares"]["sent"] > 0
    assert result["phases"]["submit"]["count"] == result["shares"]["accepted"]
    assert result["phases"]["connect"]["count"] == 10
    assert result["loop_lag_ms"]["p99"] is not None
    assert result["memory_per_miner_bytes"] == 4096


def test_a_run_that_this_machine_ends_early_prints_its_figures(
    pool_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(generator: LoadGenerator, _now: float) -> bool:
        if generator.metrics.accepted < 5:
            return False
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(LoadGenerator, "_ended", fail)
    assert load(pool_port, "--json") == ExitCode.FAILED
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["shares"]["accepted"] >= 5
    assert "Too many open files" in result["shards"][0]["reason"]
    assert load(pool_port) == ExitCode.FAILED
    assert "LOST this process with 10 miners after" in capsys.readouterr().out


def test_more_hashes_than_half_of_a_thread_are_a_note_that_says_when_that_was_measured(
    pool_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(pool_port, "--hash-rate", "1TH", "--json") == ExitCode.OK
    [doubt] = json.loads(capsys.readouterr().out.splitlines()[-1])["doubts"]
    assert f"measured on {date.today()} (to measure again, run stratum-miner bench)" in doubt
    assert load(pool_port, "--hash-rate", "1TH") == ExitCode.OK
    assert "MH/s is more than half of what one thread" in capsys.readouterr().out


def test_a_crossed_limit_fails_the_run_and_is_named(pool_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = load(pool_port, "--fail-if", "submit_p50>1us", "--fail-if", "errors>0")
    assert code == ExitCode.FAILED
    out = capsys.readouterr().out
    assert "FAILED submit_p50>1us: it was" in out
    assert "FAILED errors" not in out


def test_a_report_fits_eighty_columns_and_says_what_happened(
    pool_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(pool_port, "--bad", "wrong-job=30%") == ExitCode.OK
    out = capsys.readouterr().out
    assert "at most 10 mining" in out
    assert "faulty: wrong-job" in out
    table = [line for line in out.splitlines() if "ms" in line and line.startswith("  ")]
    assert table
    assert max(map(len, table)) <= 80


def test_a_run_beside_an_earlier_one(pool_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for path in (first, second):
        load(pool_port, "--json")
        path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load(pool_port, "--compare", str(first), "--seed", "7") == ExitCode.OK
    out = capsys.readouterr().out
    assert "different settings: seed: 0 then, 7 now" in out
    assert "submit_p99" in out
    assert main.run(["load", "--compare", str(first), "--compare", str(second)]) == ExitCode.OK
    assert "submit_p99" in capsys.readouterr().out


def test_the_page_needs_nothing_but_itself(pool_port: int, tmp_path: Path) -> None:
    path = tmp_path / "load.html"
    assert load(pool_port, "--html", str(path), "--fail-if", "submit_p50>1us") == ExitCode.FAILED
    html = path.read_text(encoding="utf-8")
    assert html.count("<figure>") >= 2
    assert "Failed: submit_p50&gt;1us" in html
    for foreign in ("<script", "http://", "https://", "@import", "url("):
        assert foreign not in html


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
def test_a_page_that_the_disk_has_no_room_for_is_told(pool_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(pool_port, "--html", "/dev/full") == ExitCode.FAILED
    assert "--html: cannot write" in capsys.readouterr().err


def test_a_dead_port_ends_it_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["load", "127.0.0.1:1", "--miners", "2", "--duration", "600"]) == ExitCode.POOL_UNREACHABLE
    told = capsys.readouterr().err
    assert "127.0.0.1:1: cannot connect: Connection refused" in told
    assert told.count("\n") == 1


def test_a_pool_that_refuses_all_miners_ends_it_with_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        with ThreadPoolExecutor() as pool:
            served = pool.submit(serve_and_hang_up, listener, 3)
            arguments = ["--miners", "3", "--duration", "600", "--ramp", "0", "--reconnect", "never", "--json"]
            assert main.run(["load", target, *arguments]) == ExitCode.POOL_UNREACHABLE
            served.result()
    result = json.loads(capsys.readouterr().out)
    assert result["connections"] == 3
    assert "no connection is left" in result["pool_failure"]


def serve_and_hang_up(listener: socket.socket, connections: int) -> None:
    """Accept so many connections, one after the other, and close each of them."""
    for _ in range(connections):
        listener.accept()[0].close()


def test_without_a_rate_the_run_gets_what_the_machine_reaches_and_says_which(
    pool_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = MeasuredKernel(available_kernels()[0], 2.0, 2.0, True)
    monkeypatch.setattr("stratum_miner.loadtest.run_state.survey", lambda _kernels, _seconds: (slow,))
    command = ["load", f"127.0.0.1:{pool_port}", "--miners", "10", "--duration", "0.3"]
    assert main.run([*command, "--json"]) == ExitCode.OK
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["hash_rate"]["simulated"] == pytest.approx(0.3 * 2, abs=0.5)  # for all ten miners together
    assert result["shares"]["chosen_rate"] < 0.1
    assert main.run(command) == ExitCode.OK
    assert "the highest rate that this computer reaches" in capsys.readouterr().out


def test_a_file_that_is_no_report_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("{}", "[]", "nonsense", '{"phases": 3}'):
        path = tmp_path / "report.json"
        path.write_text(content, encoding="utf-8")
        assert main.run(["load", "127.0.0.1:1", "--compare", str(path)]) == ExitCode.USAGE
        assert "--compare:" in capsys.readouterr().err


def test_a_second_interrupt_ends_it_at_once() -> None:
    """The command stops waiting for a cluster that does not answer."""
    pytest.importorskip("distributed", reason="needs the extra 'cluster' (dask.distributed)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheduler = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        command = ["load", "127.0.0.1:1", "--cluster", scheduler]
        with subprocess.Popen([sys.executable, "-m", "stratum_miner", *command], stderr=subprocess.PIPE) as process:
            connection, _ = listener.accept()  # and says nothing
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)  # another signal, so that the two cannot become one
            _, told = process.communicate(timeout=120)
            connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in told


def test_an_interrupt_ends_the_run_with_the_figures_so_far() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        command = ["load", target, "--miners", "3", "--duration", "600", "--ramp", "0", "--json"]
        with subprocess.Popen([sys.executable, "-m", "stratum_miner", *command], stdout=subprocess.PIPE) as process:
            connections = [listener.accept()[0] for _ in range(3)]
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=120)
            for connection in connections:
                connection.close()
    result = json.loads(out)
    assert process.returncode == ExitCode.OK
    assert result["interrupted"]
    assert result["connections"] == 3
    assert result["duration_s"] < 600
