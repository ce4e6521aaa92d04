"""``stratum-miner emulate`` as a process: its output, its answers to a driver, and its end."""

import json
import os
import select
import signal
import subprocess
import sys
import termios
import tty
from pathlib import Path

import pytest

from .one_command import run

COMMAND = [sys.executable, "-m", "stratum_miner", "emulate"]
GOLDEN = bytes.fromhex(
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a" + "00" * 20 + "87320b1a1426674f2fa722ce"
)


def ask_golden(path: str) -> bytes:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(fd)
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = termios.B115200
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        os.write(fd, GOLDEN)
        data = b""
        while len(data) < 4 and select.select([fd], [], [], 60)[0]:
            data += os.read(fd, 4)
        return data
    finally:
        os.close(fd)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_answers_until_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    link = tmp_path / "stick"
    with subprocess.Popen(
        [*COMMAND, "erupter", "--link", str(link)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{link}\n"
        assert ask_golden(str(link)) == bytes.fromhex("000187a2")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == ""
    assert "works=1 commands=0 nonces=1 bad_frames=0" in err
    assert not link.is_symlink()


def test_tells_everything_as_json(tmp_path: Path) -> None:
    link = tmp_path / "stick"
    arguments = ["icarus", "--link", str(link), "--json", "--fault", "wrong-nonces=1", "garbage=0", "--seed", "3"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready == {
            "event": "ready",
            "kind": "icarus",
            "path": str(link),
            "ports": {"": str(link)},
            "hash_rate": 1e6,
            "chips": 2,
            "nonce_difficulty": 1.0,
            "seed": 3,
        }
        assert ask_golden(str(link)) != bytes.fromhex("000187a2")
        events = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert sorted(event["event"] for event in events) == ["driven", "fault"]
    end = json.loads(out.splitlines()[-1])
    assert end["event"] == "end"
    assert end["works"] == end["nonces"] == 1
    assert end["faults"] == {"wrong-nonces": 1}


def test_a_limit_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "emulate", "erupter", "--time-limit", "0.1", "--quiet")
    assert code == 0
    assert out.startswith("/")
    assert err == ""
    assert "works=0" in run(capsys, "emulate", "erupter", "--time-limit", "0.1")[2]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["eruptor"], "emulate: kind: expected one of "),
        (["erupter", "--fault", "unplugg"], "emulate: fault: unknown name 'unplugg': did you mean 'unplug'?"),
        (["erupter", "--hash-rate", "9TH"], "emulate: hash rate: expected more than 0 and at most "),
        (["erupter", "--hash-rate", "9"], "--hash-rate: expected a hash rate with its unit"),
        (["erupter", "--time-limit", "0"], "--time-limit: expected a time above 0s and up to 100y, got 0s"),
        (["erupter", "--link", "/"], "emulate: link: expected a free name or an old link to a terminal, got '/'"),
    ],
)
def test_mistakes(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "emulate", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(f"stratum-miner: {error}")
    assert err.count("\n") == 1


def test_a_link_that_was_taken_meanwhile(tmp_path: Path) -> None:
    link = tmp_path / "stick"
    arguments = [*COMMAND, "erupter", "--link", str(link), "--json", "--fault", "unplug@0.5+4"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        events = iter(process.stdout.readline, "")
        assert any('"unplugged"' in event for event in events)
        link.write_text("precious")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (
        err == f"stratum-miner: emulate: link: expected a free name or an old link to a terminal, got {str(link)!r}\n"
    )
