"""The choice of a kernel, and the remembered rates of kernels."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import kernel_figures, kernel_speed, kernels, processors
from stratum_miner.backends.cpu.choice import Choice, choose, conclude, correct
from stratum_miner.backends.cpu.kernel_figures import MAX_AGE, recall
from stratum_miner.backends.cpu.kernel_speed import FASTEST, MeasuredKernel, time_of
from stratum_miner.backends.cpu.kernels import Kernel, available_kernels

KERNELS = available_kernels()
QUICK = 0.005


def remember(file: Path, rates: Mapping[str, tuple[float, float]], day: date | None = None) -> None:
    """A file as an earlier run left it: these kernels' rates, 5 and 6 MH/s for every other."""
    on = str(day or date.today())
    both = {item.name: rates.get(item.name, (5e6, 6e6)) for item in KERNELS}
    entry = {
        name: {
            way: {"hash_rate": rate, "measured_on": on} for way, rate in zip(("plain", "rolling"), pair, strict=True)
        }
        for name, pair in both.items()
    }
    file.write_text(json.dumps({kernel_figures._key(KERNELS): {"processor_time": entry}}))


def known(file: Path) -> dict[str, tuple[float, float]]:
    found = recall(KERNELS, file)
    assert found is not None
    return {item.kernel.name: (item.hash_rate, item.rolling_hash_rate) for item in found}


def mined(plain: int = 0, rolling: int = 0) -> Choice:
    """A miner that uses these two kernels, by their places."""
    of = {item.name: MeasuredKernel(item, 1.0, 1.0, True) for item in KERNELS}
    return Choice(of[KERNELS[plain].name], of[KERNELS[rolling].name], "", ())


def made_up(*rates: tuple[str, float, float]) -> list[MeasuredKernel]:
    return [MeasuredKernel(Kernel(name, 4, 16, 0), plain, rolling, plain > 0) for name, plain, rolling in rates]


def test_the_fastest_is_chosen_for_each_kind_of_work_with_a_reason() -> None:
    found = conclude(made_up(("wide", 9e6, 12e6), ("narrow", 10e6, 10e6)), Path("/dev/null/none"))
    assert (found.kernel.name, found.rolling.kernel.name) == ("narrow", "wide")
    assert found.hash_rate == 10e6
    assert found.names == "wide and narrow"
    assert found.reason == (
        f"fastest kernel: wide (narrow without version rolling), measured on {date.today()}: "
        "12.0 MH/s per thread, 10.0 without version rolling; next narrow 10.0"
    )


def test_figures_are_measured_once_and_then_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "kernels.json"
    first = choose(cache=file, seconds=QUICK)
    monkeypatch.setattr(kernel_speed, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert choose(cache=file) == first
    assert f"measured on {date.today()}: " in first.reason
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


KEY = kernel_figures._key(KERNELS)
OF_BEFORE = {"measured_at": str(date.today()), "rates": {item.name: {"plain": 9e6, "rolling": 8e6} for item in KERNELS}}
"""What an earlier version wrote, by the clock."""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"a": 1}',
        "\0" * 100_000,
        json.dumps({KEY: OF_BEFORE}),
        json.dumps({KEY: {"processor_time": {}}}),
        json.dumps({KEY: {"processor_time": {item.name: 1 for item in KERNELS}}}),
    ],
)
def test_a_file_that_makes_no_sense_is_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kernels.json"
    file.write_text(text)
    assert recall(KERNELS, file) is None
    assert choose(cache=file, seconds=QUICK).kernel in KERNELS
    assert recall(KERNELS, file) is not None


@pytest.mark.parametrize("rate", [0.0, -1.0, 2 * FASTEST])
def test_a_figure_that_cannot_be_is_measured_again(tmp_path: Path, rate: float) -> None:
    file = tmp_path / "kernels.json"
    remember(file, {KERNELS[0].name: (rate, 1e6)})
    assert recall(KERNELS, file) is None


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

    monkeypatch.setattr(kernel_speed, "measure", measure)
    assert choose(cache=tmp_path / "kernels.json").kernel == KERNELS[-1]
    assert len(calls) == 2 * kernel_speed.ROUNDS * len(KERNELS)


def test_forced_choice(tmp_path: Path) -> None:
    found = choose("scalar", seconds=QUICK)
    assert found.kernel.name == found.rolling.kernel.name == "scalar"
    assert "requested kernel" in found.reason
    with pytest.raises(BackendOptionError, match="did you mean 'scalar'"):
        choose("scaler")


def test_broken_kernels_are_left_out_and_none_left_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    monkeypatch.setattr(kernels, "self_test", lambda kernel: kernel.name == "scalar")
    assert choose(cache=file, seconds=QUICK).kernel.name == "scalar"
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    with pytest.raises(SelfTestError, match="do not mine on this computer"):
        choose(cache=file)
    with pytest.raises(SelfTestError):
        choose("scalar")


class Machine:
    """A processor that does ``hash_rate`` and gives a thread one part in ``load`` of its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hash_rate: float, load: float) -> None:
        self.processor = self.wall = 100.0
        self.hash_rate, self.wall_per_second = hash_rate, load
        self.processor_per_second = 1.0
        clocks = SimpleNamespace(perf_counter=lambda: self.wall, thread_time=lambda: self.processor)
        monkeypatch.setattr(kernel_speed, "time", clocks)
        monkeypatch.setattr(kernels, "Search", lambda _kernel: self)

    def load(self, *_: object, **__: object) -> int:
        return 1 << 32

    def run(self, _position: int, count: int) -> SimpleNamespace:
        self.processor += count / self.hash_rate * self.processor_per_second
        self.wall += count / self.hash_rate * self.wall_per_second
        return SimpleNamespace(done=count)


@pytest.mark.parametrize("load", [1.0, 3.0, 20.0, 1000.0])
def test_other_programs_do_not_lower_what_is_measured(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    machine = Machine(monkeypatch, hash_rate=32e6, load=load)
    began = machine.wall
    found = time_of(KERNELS[0], 0.2)
    assert found.hash_rate == pytest.approx(32e6)
    assert found.wall_hash_rate == pytest.approx(32e6 / load)
    assert machine.wall - began <= 0.2 * kernel_speed.PATIENCE + 4096 / 32e6 * load, "nobody waits much longer for it"


def test_a_clock_too_coarse_for_processor_time_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, hash_rate=32e6, load=1.0)
    machine.processor_per_second = 0.0
    found = time_of(KERNELS[0], 0.01)
    assert found.hash_rate == found.wall_hash_rate == pytest.approx(32e6)


def test_the_better_of_old_and_new_is_kept_each_with_its_day(tmp_path: Path) -> None:
    file, first = tmp_path / "kernels.json", KERNELS[0]
    yesterday = date.today() - timedelta(days=1)
    remember(file, {first.name: (31.8e6, 20e6)}, yesterday)
    new = [
        MeasuredKernel(item, 9.9e6, 41e6, True) if item == first else MeasuredKernel(item, 1.0, 1.0, True)
        for item in KERNELS
    ]
    found = conclude(new, file)
    assert (found.plain.hash_rate, found.plain.measured_on) == (31.8e6, yesterday)
    assert (found.rolling.rolling_hash_rate, found.rolling.rolling_measured_on) == (41e6, date.today())
    assert f"measured on {yesterday} and {date.today()}: 41.0 MH/s per thread, 31.8 without" in found.reason
    assert known(file) == {item.name: (31.8e6, 41e6) if item == first else (5e6, 6e6) for item in KERNELS}


def test_a_figure_too_old_does_not_outlive_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "kernels.json"
    remember(file, {KERNELS[0].name: (900e6, 900e6)}, date.today() - MAX_AGE - timedelta(days=1))
    assert conclude([MeasuredKernel(item, 2e6, 3e6, True) for item in KERNELS], file).hash_rate == 2e6
    assert set(known(file).values()) == {(2e6, 3e6)}


def test_mining_raises_what_it_exceeds_and_lowers_nothing(tmp_path: Path) -> None:
    file, last = tmp_path / "kernels.json", len(KERNELS) - 1
    remember(file, {})
    correct(mined(0, last), plain=5.5e6, rolling=5.9e6, cache=file)
    assert known(file) == {item.name: (5.5e6 if item == KERNELS[0] else 5e6, 6e6) for item in KERNELS}
    before = file.read_bytes()
    correct(mined(0, last), plain=2.3e6, rolling=2.5e6, cache=file)  # a hot processor, all hardware threads at work
    correct(mined(0, last), plain=0.0, rolling=0.0, cache=file)  # nothing was searched
    assert file.read_bytes() == before


def test_figures_of_a_slow_moment_are_measured_again_and_what_mining_reached_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the kernel that mines would look the fastest for good: its figure alone is corrected."""
    file, last = tmp_path / "kernels.json", len(KERNELS) - 1
    remember(file, {KERNELS[0].name: (5.1e6, 6.1e6)})
    correct(mined(), plain=0.0, rolling=12e6, cache=file)
    assert recall(KERNELS, file) is None
    monkeypatch.setattr(kernel_speed, "measure", lambda kernel, *_, **__: 40e6 if kernel == KERNELS[last] else 10e6)
    found = choose(cache=file)
    assert found.rolling.kernel == KERNELS[last]
    assert known(file)[KERNELS[0].name] == (10e6, 12e6)
    assert choose(cache=file) == found, "which is remembered again"


def test_figures_of_another_machine_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "kernels.json"
    remember(file, {KERNELS[0].name: (500e6, 500e6)})
    correct(mined(), plain=0.0, rolling=30e6, cache=file)
    assert recall(KERNELS, file) is None
    assert choose(cache=file, seconds=QUICK).hash_rate < 500e6


def test_mining_corrects_nothing_that_was_never_measured(tmp_path: Path) -> None:
    correct(mined(), plain=5e6, rolling=6e6, cache=tmp_path / "kernels.json")
    assert list(tmp_path.iterdir()) == []


def test_a_rate_is_doubted_beyond_half_of_a_thread_and_the_doubt_says_when_that_was_measured() -> None:
    found = conclude(made_up(("wide", 10e6, 12e6)), Path("/dev/null/none"))
    assert found.doubt(5e6) is None
    assert found.doubt(5.1e6) == (
        "5.1 MH/s is more than half of what one thread of this computer reaches, 10.0 MH/s measured on "
        f"{date.today()} (to measure again, run stratum-miner bench)"
    )
