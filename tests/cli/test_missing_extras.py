"""A command or an option that needs an extra says so in one line, before it does anything else."""

import sys
from pathlib import Path

import pytest

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
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main.run(line.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    [told] = err.splitlines()
    assert out == ""
    assert told.startswith(f"stratum-miner: {user}: expected the extra '{extra}' of stratum-miner")
    assert f"[{extra}]'" in told
    assert list(tmp_path.iterdir()) == []


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
