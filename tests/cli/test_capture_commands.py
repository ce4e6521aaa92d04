"""tap, record and replay as a user runs them: real processes, real sockets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pbk", reason="needs the extra: pip install 'stratum-miner[regtest]'")

COMMAND = [sys.executable, "-m", "stratum_miner"]
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SIMULATED = ["--backend", "simulated", "--backend-option", "hash_rate=1MH"]


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """A command that listens; yields its address."""
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
    return ("pool", "--listen", "127.0.0.1:0", "--address", ADDRESS, "--difficulty", "1e-5", *options)


def mine(address: str, *options: str, shares: int = 5) -> dict[str, object]:
    done = run("mine", "-o", address, "-u", ADDRESS, *SIMULATED, "--until-shares", str(shares), "--json", *options)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, env={**os.environ}
    )


def test_a_tap_records_drops_and_hides_the_password(tmp_path: Path) -> None:
    path = tmp_path / "tap.jsonl"
    with running(*pool()) as upstream:
        rule = "drop method=mining.configure from=pool"
        with running("tap", "127.0.0.1:0", upstream, "--rule", rule, "--record", str(path)) as address:
            mine(address, "-p", "sup3rs3cret")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert "sup3rs3cret" not in path.read_text()
    assert records[0]["kind"] == "capture"
    lines = [json.loads(item["text"]) for item in records if item["kind"] == "line"]
    assert [line["method"] for line in lines if "method" in line][:2] == ["mining.configure", "mining.subscribe"]
    assert not any("version-rolling" in str(line.get("result")) for line in lines)
    [note] = [item for item in records if item["kind"] == "note"]
    assert note["text"].startswith("drop from=pool method=mining.configure: ")
    assert records[-1]["kind"] == "close"


def test_a_pool_that_misbehaves_on_cue(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    faults = ("--fault", "error-forms", "--fault", "bytewise", "--seed", "3", "--record", str(path))
    with running(*pool(*faults)) as address:
        result = mine(address)
    assert result["shares"]["rejected"] >= 1  # type: ignore[index]
    notes = [item["text"] for item in map(json.loads, path.read_text().splitlines()) if item["kind"] == "note"]
    assert any(note.startswith("error-forms: ") for note in notes)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pool", "--address", ADDRESS, "--fault", "slient"], "--fault: pool fault: expected a known name"),
        (["tap", "x", "127.0.0.1:1"], "LISTEN: expected HOST:PORT"),
        (["tap", "0", "127.0.0.1"], "pool URL: expected a port"),
        (["tap", "0", "127.0.0.1:1", "--rule", "dorp"], "did you mean 'drop'?"),
        (["tap", "0", "127.0.0.1:1", "--rules", "/nowhere.toml"], "rules '/nowhere.toml': No such file"),
        (["tap", "0", "127.0.0.1:1", "--record", "/nowhere/x"], "capture '/nowhere/x': No such file"),
        (["tap", "0", "127.0.0.1:1", "--record-secrets"], "--record-secrets: expected --record"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str) -> None:
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_miner_and_pool_record_the_same_conversation(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "miner.jsonl", tmp_path / "pool.jsonl"
    with running(*pool("--record", str(theirs))) as address:
        mine(address, "-p", "sup3rs3cret", "--record", str(ours))
    said = []
    for path in (ours, theirs):
        assert "sup3rs3cret" not in path.read_text()
        lines = [item for item in map(json.loads, path.read_text().splitlines()) if item["kind"] == "line"]
        said.append([[line["text"] for line in lines if line["from"] == side] for side in ("miner", "pool")])
    assert said[0][0] == said[1][0]
    assert said[0][1] == said[1][1][: len(said[0][1])]  # the last of what the pool says may come too late
    assert said[0][1]


def test_a_disk_that_is_full_from_the_start() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = run("mine", "-o", "127.0.0.1:1", "-u", "w", "--no-retry", "--record", "/dev/full")
    assert done.returncode == 1
    assert done.stderr == "stratum-miner: capture '/dev/full': No space left on device, after 0 lines\n"
