"""Command lines as a user types them: the output, its stream and the exit code."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from stratum_miner.backends.cpu import kernels
from tests.cli.one_command import run

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (["mien"], ["'mien'", "did you mean 'mine'"]),
        (["mine"], ["--url"]),
        (["mine", "-o", "h:1", "-u", "x", "--thread", "2"], ["--thread", "did you mean '--threads'"]),
        (["mine", "-o", "h:1", "-u", "x", "-t", "two"], ["-t: expected an integer, got 'two'"]),
        (["mine", "-o", "h:1", "-u", "x", "-t", "0"], ["threads", "of at least 1"]),
        (["mine", "-o", "h:1"], ["--user"]),
        (["mine", "-o", "h", "-u", "x"], ["pool URL", "port"]),
        (["mine", "-o", "ftp://h:1", "-u", "x"], ["stratum+ssl", "stratum+tcp"]),
        (["mine", "-o", "h:1", "-O", "nocolon"], ["--userpass", "USER:PASS"]),
        (["mine", "-o", "h:1", "-O", ":geheim"], ["--userpass", "without a worker name before the colon"]),
        (["mine", "-o", "h:1", "-u", "w", "--", "x"], ["expected only options, got 'x' as well"]),
        (["completion"], ["SHELL is needed: shell to print the script for (bash, zsh or fish)"]),
        (["solo", "--address", "a"], ["--node is needed", "http://USER:PASS@HOST:PORT"]),
        (["mine", "-o", "h:1", "-O", "a:b", "-u", "c"], ["--userpass", "expected this or --user and --pass"]),
        (["mine", "-o", "h:1", "-u", "x", "-p", "secret1", "--pass-file", "f"], ["--pass-file", "a password or a "
            "password file"]),
        (["mine", "-o", "h:1", "-u", "x", "--pass-file", "/nonexistent"], ["--pass-file", "No such file"]),
        (["mine", "-o", "h:1", "-u", "x", "--backend", "cpuu"], ["did you mean 'cpu'"]),
        (["mine", "-o", "h:1", "-u", "x", "--kernel", "scaler"], ["did you mean 'scalar'"]),
        (["mine", "-o", "h:1", "-u", "x", "--backend-option", "threds=2"], ["did you mean 'threads'"]),
        (["mine", "-o", "h:1", "-u", "x", "--backend-option", "threads"], ["KEY=VALUE"]),
        (["mine", "-o", "h:1", "-u", "x", "--until-shares", "0"], ["--until-shares", "above zero"]),
        (["mine", "-o", "h:1", "-u", "x", "--time-limit", "nan"], ["--time-limit: expected a time"]),
        (["mine", "-o", "h:1", "-u", "x", "--suggest-difficulty=-1"], ["--suggest-difficulty", "auto or off"]),
        (["mine", "-o", "h:1", "-u", "x", "--axeos-control", "10.0.0.0/8"], ["--axeos-control: needs --axeos-api"]),
        (["mine", "-o", "h:1", "-u", "x", "--suggest-difficulty", "1,024"], ["--suggest-difficulty", "1024 or 1.024"]),
        (
            ["mine", "-o", "h:1", "-u", "x", "--axeos-api", "127.0.0.1:0", "--axeos-control", "10.0.0.1/8"],
            ["--axeos-control: expected a network, such as 192.168.1.0/24, got '10.0.0.1/8'"],
        ),
        (["demo", "--blocks", "0"], ["--blocks", "above zero"]),
        (["demo", "--difficulty", "0"], ["--difficulty"]),
        (["bench", "--kernel", "sse"], ["expected one of", "'sse'"]),
        (["bench", "--seconds", "0"], ["--seconds"]),
        (["pool", "--address", "x", "--listen", "1.2.3.4:x"], ["--listen", "HOST:PORT"]),
        (["pool", "--address", "x", "--node", "kernell"], ["--node", "expected kernel"]),
        (["solo", "--address", "x"], ["--node is needed: "]),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str], needles: Sequence[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    for needle in needles:
        assert needle in err
    assert "secret1" not in err


def test_mine_alone_says_what_to_type_and_where_a_file_would_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("STRATUM_MINER_CONFIG", raising=False)
    code, _, err = run(capsys, "mine", "--device", "nonsense")
    assert code == 2
    first, *others = err.splitlines()
    assert "expected a pool, as in -o HOST:PORT -u WORKER" in first
    assert f"or [pools.NAME] in {tmp_path}/stratum-miner/config.toml" in first
    assert "'stratum-miner demo' tries everything without a pool" in first
    assert ["--device" in other for other in others] == [True]


def test_address_of_another_network(capsys: pytest.CaptureFixture[str]) -> None:
    pool = ("pool", "--listen", "0", "--network-difficulty", "1")
    code, _, err = run(capsys, *pool, "--address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert code == 2
    assert "expected one of regtest, got one of mainnet" in err


def test_unreachable_pool_without_retry(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "mine", "-o", "127.0.0.1:1", "-u", "x", "--no-retry", "--json", "-t", "1")
    assert code == 4
    assert json.loads(out)["shares"] == {"found": 0, "accepted": 0, "rejected": 0, "stale": 0, "lost": 0, "open": 0}
    assert err.splitlines()[-1] == "stratum-miner: stratum+tcp://127.0.0.1:1: Connection refused"


def test_unreachable_node(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("solo", "--node", "http://user:hunter22@127.0.0.1:1", "--address", ADDRESS, "--time-limit", "1")
    code, _, err = run(capsys, *given)
    assert code == 4
    assert "cannot connect" in err
    assert "hunter22" not in err


def test_bench_measures_every_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "bench", "--seconds", "0.02", "--json")
    result = json.loads(out)
    assert code == 0
    names = [kernel["name"] for kernel in result["kernels"]]
    assert result["chosen"] in names
    assert "scalar" in names
    for kernel in result["kernels"]:
        assert kernel["self_test"]
        assert kernel["hash_rate"] > 0
        assert kernel["rolling_hash_rate"] > 0
        assert kernel["lanes"] in (1, 2, 4, 8, 16)
    assert result["threads"][-1]["threads"] == result["mining"]["threads"]
    assert result["mining"]["hash_rate"] > 0


def test_bench_of_one_kernel_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "bench", "--seconds", "0.02", "--kernel", "scalar")
    assert code == 0
    assert "scalar" in out
    assert "passed" in out
    assert max(map(len, out.splitlines())) <= 80


def test_bench_checks_kernels_against_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum_miner.cli.bench.POINTS", 1 << 14)
    code, out, _ = run(capsys, "bench", "--check")
    assert code == 0
    assert "scalar: self-test passed; agrees with" in out
    monkeypatch.setattr("stratum_miner.backends.cpu.cross_check._headers", lambda mask: [bytes(80)])
    code, out, _ = run(capsys, "bench", "--check", "--kernel", "scalar", "--json")
    assert code == 5
    [row] = json.loads(out)["kernels"]
    assert "hits missed" in row["differences"][0]


def test_demo_reports_what_the_node_says(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pbk")
    code, out, _ = run(capsys, "demo", "--blocks", "3", "--difficulty", "1e-5", "--json", "-t", "1")
    result = json.loads(out)
    assert code == 0
    assert result["height"] >= 3
    assert [block["height"] for block in result["blocks"]] == list(range(1, result["height"] + 1))
    assert all(len(block["hash"]) == 64 for block in result["blocks"])
    assert result["shares"]["accepted"] >= 3
    assert result["hash_rate"] > 0
    assert result["devices"][0]["detail"]
    assert result["elapsed_s"] > 0


def test_demo_table_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pbk")
    code, out, err = run(capsys, "demo", "--blocks", "2", "--difficulty", "1e-6", "-t", "1")
    assert code == 0
    assert "2 of 2 blocks" in out or "of 2 blocks" in out
    assert "block 1 of 2" in err
    table = out.partition("\nNext, ")[0]
    assert max(map(len, table.splitlines())) <= 80


def test_solo_on_the_embedded_node(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pbk")
    code, out, err = run(
        capsys, "solo", "--node", "kernel", "--address", ADDRESS, "--until-blocks", "3", "-t", "1", "--json",
        "--difficulty", "1e-5",
    )  # fmt: skip
    assert code == 0
    assert len(json.loads(out)["blocks"]) >= 3
    assert "block_accepted" in err


def test_time_limit_decides_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pbk")
    slow = ["--backend", "simulated", "--backend-option", "hash_rate=1H"]
    common = ["solo", "--node", "kernel", "--address", ADDRESS, *slow, "--time-limit", "3"]
    assert run(capsys, *common)[0] == 0
    assert run(capsys, *common, "--until-shares", "1000000")[0] == 1


def test_help_lists_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for word in ("demo", "mine", "pool", "solo", "bench", "exit codes"):
        assert word in out


@pytest.mark.parametrize(
    "arguments",
    [["bench", "--seconds", "0.01"], ["mine", "-o", "127.0.0.1:1", "-u", "x"]],
    ids=lambda arguments: arguments[0],
)
def test_a_kernel_that_computes_wrongly_is_exit_code_5(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    code, _, err = run(capsys, *arguments)
    assert code == 5
    assert "do not mine on this computer" in err.splitlines()[-1]
