"""tap, record and replay as a user runs them: real processes, real sockets."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.cli import main

from .one_command import run
from .test_process import SIMULATED, easy_pool

COMMAND = [sys.executable, "-m", "stratum_miner"]
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Run a command that listens, and yield its address."""
    process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if " ready " in line:
                yield line.split("stratum+tcp://", 1)[1].split()[0]
                break
        else:
            raise AssertionError("it ended before it was ready")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def pool(*options: str) -> tuple[str, ...]:
    chain = ("--network-difficulty", "5e-10", "--difficulty", "1e-5")
    return ("pool", *chain, "--listen", "127.0.0.1:0", "--address", ADDRESS, *options)


def mine(capsys: pytest.CaptureFixture[str], address: str, *options: str, shares: int = 5) -> dict[str, Any]:
    """Mine in this process, and return what ``mine`` printed."""
    words = ("mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--until-shares", str(shares), "--json", *options)
    code, out, err = run(capsys, *words)
    assert code == 0, err
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def test_faults_that_were_interrupted_are_not_said_to_be_survived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen([*COMMAND, "misbehave", address], stderr=subprocess.PIPE, text=True)
        with silent.accept()[0] as connection:
            assert connection.recv(1000)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.startswith("stratum-miner: interrupted after 0 of ")


def test_a_tap_records_drops_and_hides_the_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tap.jsonl"
    with easy_pool() as upstream:
        rule = "drop method=mining.configure from=pool"
        with running("tap", "127.0.0.1:0", upstream, "--rule", rule, "--record", str(path)) as address:
            mine(capsys, address, "-p", "sup3rs3cret")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert "sup3rs3cret" not in path.read_text()
    assert records[0]["kind"] == "capture"
    lines = [json.loads(item["text"]) for item in records if item["kind"] == "line"]
    assert [line["method"] for line in lines if "method" in line][:2] == ["mining.configure", "mining.subscribe"]
    assert not any("version-rolling" in str(line.get("result")) for line in lines)
    [note] = [item for item in records if item["kind"] == "note"]
    assert note["text"].startswith("drop from=pool method=mining.configure: ")
    assert records[-1]["kind"] == "close"


def test_a_pool_that_misbehaves_on_cue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pool.jsonl"
    faults = ("--fault", "error-forms", "--fault", "bytewise", "--seed", "3", "--record", str(path))
    with running(*pool(*faults)) as address:
        result = mine(capsys, address)
    assert result["shares"]["rejected"] >= 1
    notes = [item["text"] for item in map(json.loads, path.read_text().splitlines()) if item["kind"] == "note"]
    assert any(note.startswith("error-forms: ") for note in notes)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pool", "--address", ADDRESS, "--fault", "slient"], "--fault: pool fault: expected a known name"),
        (
            ["misbehave", "192.0.2.1:1"],
            "192.0.2.1 is not this computer: faults of miners can harm a pool. If the pool is yours, add "
            "--i-own-this-pool",
        ),
        (["misbehave", "127.0.0.1:1", "--fault", "slow"], "--fault: expected a known name, got 'slow'"),
        (["misbehave", "127.0.0.1:1", "--hold", "0"], "--hold: expected a time above 0s and up to"),
        (["tap", "x", "127.0.0.1:1"], "LISTEN: expected HOST:PORT"),
        (["tap", "a..b:1", "127.0.0.1:1"], "LISTEN: expected a host name of 1 to 63 characters between dots"),
        (["tap", "3388", "127.0.0.1:3388"], "UPSTREAM: expected the URL of another program"),
        (["tap", "0.0.0.0:3388", "localhost:3388"], "UPSTREAM: expected the URL of another program"),
        (["tap", "0", "127.0.0.1"], "pool URL: expected a port"),
        (["tap", "0", "127.0.0.1:1", "--rule", "dorp"], "did you mean 'drop'?"),
        (["tap", "0", "127.0.0.1:1", "--rules", "/nowhere.toml"], "rules '/nowhere.toml': No such file"),
        (["tap", "0", "127.0.0.1:1", "--record", "/nowhere/x"], "--record: cannot write '/nowhere/x': No such file"),
        (["tap", "0", "127.0.0.1:1", "--record-secrets"], "--record-secrets needs --record"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) in (1, 2)
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count("\n") == 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two recordings of the same connection: one of the miner, one of the pool."""
    directory = tmp_path_factory.mktemp("recorded")
    ours, theirs = directory / "miner.jsonl", directory / "pool.jsonl"
    with running(*pool("--record", str(theirs))) as address:
        words = ("mine", "-o", address, "-u", ADDRESS, "-p", "sup3rs3cret", *SIMULATED, "--backend-option", "seed=5")
        assert main.run([*words, "--until-shares", "1", "--record", str(ours)]) == 0
    return ours, theirs


def test_miner_and_pool_record_the_same_conversation(recorded: tuple[Path, Path]) -> None:
    said = []
    for path in recorded:
        assert "sup3rs3cret" not in path.read_text()
        lines = [item for item in map(json.loads, path.read_text().splitlines()) if item["kind"] == "line"]
        said.append([[line["text"] for line in lines if line["from"] == side] for side in ("miner", "pool")])
    assert said[0][0] == said[1][0]
    assert said[0][1] == said[1][1][: len(said[0][1])]  # the last of what the pool says may come too late
    assert said[0][1]


def test_a_disk_that_is_full_from_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    code, _, err = run(capsys, "mine", "-o", "127.0.0.1:1", "-u", "w", "--no-retry", "--record", "/dev/full")
    assert code == 1
    assert err == "stratum-miner: recording '/dev/full': No space left on device, after 0 lines\n"


def test_faults_against_a_pool_and_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    with easy_pool() as address:
        assert main.run(["misbehave", address, "--fault", "below-target", "--fault", "garbage", "--json"]) == 0
        first, second = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert main.run(["misbehave", address, "--fault", "wrong-job"]) == 0
    assert (first["fault"], first["verdict"]) == ("below-target", "refused")
    assert first["answer"].startswith("23: low difficulty share")
    assert second["verdict"] in ("served", "closed")
    shown = capsys.readouterr().out
    assert shown.startswith("ok   wrong-job                  rejected, as expected\n       21: job not found")


def test_a_record_is_played_to_a_miner(recorded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = recorded
    arguments = ["replay", str(path), "--listen", "127.0.0.1:0", "--json"]
    player = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert player.stderr is not None
    address = next(line for line in player.stderr if " ready " in line).split("stratum+tcp://", 1)[1].split()[0]
    # what it finds differs from what was recorded: each process counts from a place of its own
    words = ("mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--backend-option", "seed=5", "--until-shares", "1")
    run(capsys, *words, "--no-retry")
    out, err = player.communicate(timeout=100)
    result = json.loads(out)
    assert result["departures"] == [], err
    assert player.returncode == 0
    assert result["connections"] == 1


def test_a_record_is_played_to_a_pool_that_judges_for_itself(
    recorded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = recorded
    ignored = ("--ignore", "mining.submit", "--ignore", "mining.notify")
    with easy_pool() as address:
        assert main.run(["replay", str(path), "--to", address, "--pace", "0", "--json"]) == 1
        # another pool's jobs make other coinbases: the recorded nonces are worth nothing there
        texts = [departure["text"] for departure in json.loads(capsys.readouterr().out.splitlines()[-1])["departures"]]
        assert any(text.startswith("reply to mining.submit: recorded accepted, got rejected (") for text in texts), (
            texts
        )
        assert main.run(["replay", str(path), "--to", address, "--pace", "0", *ignored]) == 0
    assert "1 of 1 connections replayed to their end, as recorded\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        (None, ["--to", "h:1"], "No such file"),
        (b"", ["--to", "h:1"], "expected a recording, got an empty file"),
        (b"\x00\xff\n", ["--to", "h:1"], "line 1: expected a record as a JSON object"),
        (
            b'{"kind":"capture","format":1}\n',
            ["--to", "h:1"],
            "expected protocol messages of a miner and a pool, found none",
        ),
        (b"", [], "expected either --listen HOST:PORT or --to URL"),
        (b"", ["--to", "h:1", "--listen", "1"], "expected either"),
        (
            b'{"kind":"capture","format":1}\n{"kind":"line","t":0,"conn":1,"from":"miner","text":"x"}\n',
            ["--to", "127.0.0.1:1", "--ignore", "mining.notfy"],
            "--ignore: expected a method, got 'mining.notfy': did you mean 'mining.notify'?",
        ),
        (b"", ["--to", "h:1", "--pace", "-1"], "--pace: expected a number from 0 to 1000"),
        (
            b'{"kind":"capture","format":1}\n{"kind":"line","t":0,"conn":1,"from":"miner","text":"x"}\n',
            ["--to", "192.0.2.1:1"],
            "192.0.2.1 is not this computer: replaying a recording disturbs a pool",
        ),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(
    tmp_path: Path, content: bytes | None, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert main.run(["replay", str(path), *arguments]) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count("\n") == 1
