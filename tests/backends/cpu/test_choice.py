"""Which kernel is used, and that figures are remembered where they hold."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import choice, kernels, processors
from stratum_miner.backends.cpu.choice import Measured, choose, conclude, recall
from stratum_miner.backends.cpu.kernels import Kernel, available_kernels

KERNELS = available_kernels()
QUICK = 0.005


def made_up(*rates: tuple[str, float, float]) -> list[Measured]:
    return [Measured(Kernel(name, 4, 16, 0), plain, rolling, plain > 0) for name, plain, rolling in rates]


def test_the_fastest_is_chosen_for_each_kind_of_work_and_said() -> None:
    found = conclude(made_up(("wide", 9e6, 12e6), ("narrow", 10e6, 10e6)), Path("/dev/null/none"))
    assert (found.kernel.name, found.rolling.kernel.name) == ("narrow", "wide")
    assert found.hash_rate == 10e6
    assert found.names == "wide and narrow"
    assert found.reason == (
        "wide, without rolling narrow is fastest: 12.0 MH/s a thread, 10.0 without version rolling; next narrow 10.0"
    )


def test_figures_are_measured_once_and_then_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "kernels.json"
    first = choose(cache=file, seconds=QUICK)
    assert "is fastest" in first.reason
    monkeypatch.setattr(choice, "measure", lambda *_, **__: pytest.fail("measured again"))
    second = choose(cache=file)
    assert "was fastest on 20" in second.reason
    assert (second.plain, second.rolling) == (first.plain, first.rolling)
    assert [path.name for path in file.parent.iterdir()] == ["kernels.json"]


def test_figures_of_another_cpu_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    choose(cache=file, seconds=QUICK)
    assert recall(KERNELS, file) is not None
    assert recall(KERNELS[:-1], file) is None
    monkeypatch.setattr(processors, "model", lambda: "another")
    assert recall(KERNELS, file) is None
    choose(cache=file, seconds=QUICK)
    assert len(json.loads(file.read_text())) == 2, "the first one's are kept"


@pytest.mark.parametrize(("days", "counts"), [(0, True), (30, True), (31, False), (-1, False)])
def test_old_figures_and_those_of_the_future_do_not_count(tmp_path: Path, days: int, counts: bool) -> None:
    file = tmp_path / "kernels.json"
    choose(cache=file, seconds=QUICK)
    then = date.today() - timedelta(days=days)
    file.write_text(file.read_text().replace(str(date.today()), str(then)))
    assert (recall(KERNELS, file) is not None) is counts


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"measured_at": 1, "rates": {}}}', "\0" * 100_000])
def test_a_file_that_makes_no_sense_is_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kernels.json"
    file.write_text(text)
    assert choose(cache=file, seconds=QUICK).kernel in KERNELS
    assert recall(KERNELS, file) is not None


def test_a_place_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert choose(cache=tmp_path / "file" / "kernels.json", seconds=QUICK).kernel in KERNELS


def test_remembered_figures_do_not_spare_the_self_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    choose(cache=file, seconds=QUICK)
    monkeypatch.setattr(kernels, "self_test", lambda kernel: kernel.name == "scalar")
    assert choose(cache=file, seconds=QUICK).kernel.name == "scalar"


def test_an_interruption_does_not_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kernel's best of several rounds counts, so one slow round of the fastest changes nothing."""
    rates = {kernel.name: 1e6 + index for index, kernel in enumerate(KERNELS)}
    calls: list[str] = []

    def measure(kernel: Kernel, seconds: float, *, rolling: bool = False) -> float:
        calls.append(kernel.name)
        return rates[kernel.name] / (100 if calls.count(kernel.name) <= 4 else 1)

    monkeypatch.setattr(choice, "measure", measure)
    assert choose(cache=tmp_path / "kernels.json").kernel == KERNELS[-1]
    assert len(calls) == 2 * choice.ROUNDS * len(KERNELS)


def test_forced_choice(tmp_path: Path) -> None:
    found = choose("scalar", seconds=QUICK)
    assert found.kernel.name == found.rolling.kernel.name == "scalar"
    assert "as asked for" in found.reason
    with pytest.raises(BackendOptionError, match="did you mean 'scalar'"):
        choose("scaler")


def test_broken_kernels_are_left_out_and_none_left_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    monkeypatch.setattr(kernels, "self_test", lambda kernel: kernel.name == "scalar")
    assert choose(cache=file, seconds=QUICK).kernel.name == "scalar"
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    with pytest.raises(SelfTestError, match="do not mine here"):
        choose(cache=file)
    with pytest.raises(SelfTestError):
        choose("scalar")
