"""A command or an option that needs an extra says so in one line, before it does anything else."""

import sys
from pathlib import Path

import pytest

from stratum_miner import installation
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli import main

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
POOL = "-o 127.0.0.1:1 -u w"
HTTP = "--http 127.0.0.1:0"
CASES = {
    "demo": ("demo", "pbk", "regtest"),
    f"pool --address {ADDRESS}": ("--node kernel", "pbk", "regtest"),
    f"pool --address {ADDRESS} {HTTP}": ("--http", "starlette", "page"),
    f"solo --address {ADDRESS} --node kernel": ("--node kernel", "pbk", "regtest"),
    f"mine --no-config {POOL} {HTTP}": ("--http", "starlette", "page"),
    f"mine --no-config {POOL} --axeos-api 127.0.0.1:0": ("--axeos-api", "starlette", "page"),
    f"proxy --no-config {POOL} {HTTP}": ("--http", "starlette", "page"),
    f"config check --no-config {POOL} {HTTP}": ("--http", "starlette", "page"),
    "load 127.0.0.1:1 --cluster 127.0.0.1:2": ("--cluster", "distributed", "cluster"),
}


@pytest.mark.parametrize("line", CASES)
def test_the_command_ends_at_once_in_one_line(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    user, module, extra = CASES[line]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(installation, "NOT_SINCE", {})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main.run(line.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    [told] = err.splitlines()
    assert out == ""
    assert told.startswith(f"stratum-miner: {user}: expected the extra '{extra}' of stratum-miner")
    assert f"[{extra}]'" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("demo --blocks -1", "--blocks: expected a number above zero, got -1"),
        ("demo --difficulty 0", "--difficulty: expected a number from 1e-9"),
        ("demo --threads 0", "threads: expected"),
        ("demo --kernel fastest", "kernel: expected"),
        ("pool --address nobody", "--address: "),
        (f"pool --address {ADDRESS} --listen 1.2.3.4:x", "--listen: expected HOST:PORT"),
        (f"pool --address {ADDRESS} --fault kindness", "--fault: pool fault: expected a known name"),
        (f"pool --address {ADDRESS} --record /", "--record: cannot write '/'"),
        (f"pool --address {ADDRESS} --record-secrets", "--record-secrets needs --record"),
        (f"pool --address {ADDRESS} --node-cookie cookie", "--node: the embedded node (kernel) has neither"),
        (f"pool --address {ADDRESS} --http 0.0.0.0:0", "--http-network"),
        ("solo --address nobody --node kernel", "--address: "),
        (f"solo --address {ADDRESS} --node kernel --until-shares 0", "--until-shares: expected"),
        (f"solo --address {ADDRESS} --node kernel --backend gpu", "expected one of"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_before_the_missing_node(
    line: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pbk", None)
    assert main.run(line.split()) == ExitCode.USAGE
    [error] = capsys.readouterr().err.splitlines()
    assert complaint in error


def test_a_recording_is_not_emptied_without_a_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pbk", None)
    record = tmp_path / "record.jsonl"
    record.write_text("of yesterday\n")
    pool = ["pool", "--listen", "0", "--record", str(record)]
    for address in (ADDRESS, "nobody"):
        assert main.run([*pool, "--address", address]) == ExitCode.USAGE
        assert record.read_text() == "of yesterday\n"


def test_an_option_from_the_file_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    file = tmp_path / "miner.toml"
    file.write_text('url = "127.0.0.1:1"\nuser = "w"\nhttp = "127.0.0.1:0"\n')
    file.chmod(0o600)
    assert main.run(["mine", "--config", str(file)]) == ExitCode.USAGE
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith(f"stratum-miner: {file}:3: http: expected the extra 'page'")
