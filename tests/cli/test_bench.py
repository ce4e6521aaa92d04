"""``bench`` on a busy computer, and which earlier measurements it keeps. No test depends on speed."""

import json
from pathlib import Path

import pytest

from stratum_miner.backends.cpu import choice, kernel_figures, kernels
from stratum_miner.backends.cpu.kernel_speed import MeasuredKernel, Speed
from stratum_miner.cli import bench, main


@pytest.fixture(autouse=True)
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer whose threads get a quarter of a processor, with measurements from before."""
    file = tmp_path / "kernels.json"
    monkeypatch.setattr(kernel_figures, "cache_file", lambda: file)
    monkeypatch.setattr(bench, "time_of", lambda *_, **__: Speed(20e6, 5e6))
    choice.conclude([MeasuredKernel(kernel, 19e6, 60e6, True) for kernel in kernels.available_kernels()])
    return file


@pytest.fixture(autouse=True)
def no_mining(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mine(*_: object) -> float:
        return 5e6

    monkeypatch.setattr(bench, "_mine", mine)


def test_a_busy_machine_is_told_with_both_rates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["bench", "--kernel", "scalar", "-t", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "The computer was busy: on average, a measuring thread had 25% of a processor." in out
    assert "scalar on 1 thread: 5.00 MH/s by the clock, 20.0 MH/s of processor time" in out
    assert main.run(["bench", "--kernel", "scalar", "-t", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["busy"], result["processor_share"]) == (True, 0.25)
    [row] = result["kernels"]
    assert (row["hash_rate"], row["wall_hash_rate"]) == (20e6, 5e6)


def test_only_what_is_better_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["bench", "-t", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "scalar: an earlier measurement is better and remains in use: 60.0 MH/s rolling of 20" in out
    known = kernel_figures.recall(kernels.available_kernels(), kernel_figures.cache_file())
    assert known is not None
    assert {(item.hash_rate, item.rolling_hash_rate) for item in known} == {(20e6, 60e6)}


def test_a_machine_that_was_not_busy_is_not_called_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "time_of", lambda *_, **__: Speed(20e6, 19.5e6))
    assert main.run(["bench", "--kernel", "scalar", "-t", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "busy" not in out
    assert "by the clock" not in out
