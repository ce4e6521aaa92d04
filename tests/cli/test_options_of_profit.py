"""Each option of ``profit`` and ``luck`` has its effect, in round numbers, and a new option needs a test of its own."""

import csv
import io
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.cli.main import run
from tests.reference import all_commands

ROUND = {
    "--hash-rate": f"{2**32 * 10}H", "--power": "500W", "--electricity": "0.5", "--difficulty": "86400",
    "--subsidy": "4", "--fees": "1", "--price": "4",
}  # fmt: skip
"""Ten blocks of 5 coins a day: a revenue of 200, and 6 for electricity."""


def profit(*more: str, **changed: str) -> int:
    """Run ``profit`` with the round terms; a term that is changed to an empty text is left out."""
    terms = ROUND | {"--" + name.replace("_", "-"): value for name, value in changed.items()}
    return run(["profit", *(word for name, value in terms.items() if value for word in (name, value)), *more])


def figure(capsys: pytest.CaptureFixture[str], path: str) -> Any:
    found = json.loads(capsys.readouterr().out)
    for name in path.split("."):
        found = found[name]
    return found


EFFECTS: dict[str, tuple[dict[str, str], str, Any]] = {
    "--hash-rate": ({"hash_rate": f"{2**32 * 20}H"}, "btc_per_day_gross", 100),
    "--power": ({"power": "1kW"}, "electricity_per_day", 12),
    "--machine": ({"machine": "2xbitaxe-gamma", "hash_rate": "", "power": ""}, "power_w", 36),
    "--uptime": ({"uptime": "50%"}, "btc_per_day_net", 25),
    "--stale": ({"stale": "50%"}, "btc_per_day_net", 25),
    "--cooling": ({"cooling": "100%"}, "electricity_per_day", 12),
    "--electricity": ({"electricity": "1"}, "electricity_per_day", 12),
    "--hosting": ({"hosting": "365.25"}, "other_costs_per_day", 12),
    "--maintenance": ({"maintenance": "365.25"}, "other_costs_per_day", 12),
    "--capex": ({"capex": "194"}, "payback_days", 1),
    "--resale": ({"capex": "1461", "lifetime": "2", "resale": "730.5"}, "depreciation_per_day", 1),
    "--lifetime": ({"capex": "1461", "lifetime": "2"}, "depreciation_per_day", 2),
    "--currency": ({"currency": "EUR"}, "inputs.currency", "EUR"),
    "--price": ({"price": "8"}, "revenue_per_day", 400),
    "--price-date": ({"price_date": "2026-01-15"}, "inputs.price_date", "2026-01-15"),
    # 194 a day are 100,000 after 516 days; with a price that doubles in a year, after 358
    "--price-growth": ({"capex": "100000", "price_growth": "100%"}, "payback_days", 358),
    "--difficulty": ({"difficulty": "43200"}, "btc_per_day_gross", 100),
    "--difficulty-growth": ({"difficulty_growth": "100%"}, "difficulty_growth_year", 2 ** (365 / 14) - 1),
    "--subsidy": ({"subsidy": "9"}, "btc_per_day_gross", 100),
    "--height": ({"height": "210000", "subsidy": ""}, "btc_per_day_gross", 260),
    "--fees": ({"fees": "6"}, "btc_per_day_gross", 100),
    "--chain-date": ({"chain_date": "2026-01-15"}, "inputs.chain_date", "2026-01-15"),
    "--pool-fee": ({"pool_fee": "50%"}, "btc_per_day_net", 25),
    # 144 blocks a day of the whole network: a month of 30 days has 4,320, and the pool of the network pays for each
    "--pool-hash-rate": (
        {"pool_hash_rate": f"{2**32 * 144}H", "share_difficulty": "0.0001"},
        "relative_spread_30_days.PPLNS", pytest.approx(4320**-0.5, rel=1e-4),
    ),
    "--share-difficulty": ({"share_difficulty": "864"}, "seconds_per_share", 86.4),
}  # fmt: skip
"""For each option whose value is a term: the terms that are given, and the figure of --json that follows."""

TOLD: dict[str, tuple[list[str], Sequence[str]]] = {
    "--growth-band": (["--plots", "--growth-band", "3%"], ["band ±3.0%"]),
    "--horizon": (["--plots", "--horizon", "2"], ["Profit in 2 years by"]),
    "--schemes": (["--schemes"], ["PPLNS", "solo", "no income"]),
    "--plots": (["--plots"], ["Profit per day with each input 10 % lower and 10 % higher", "Total profit so far"]),
    "--monte-carlo": (["--monte-carlo"], ["Seed 1, 100 simulation runs of 30 days", "agrees"]),
    "--seed": (["--monte-carlo", "--seed", "7"], ["Seed 7, 100 simulation runs of 30 days"]),
    "--machines": (["--machines"], ["bitaxe-gamma", "antminer-s21"]),
    "--currency": (["--currency", "Taler"], ["Taler per month"]),
}
"""For each option with an effect on the text alone: the words of the command line, and what is printed more."""

ELSEWHERE = {
    "--json": "test_forms_of_output", "--csv": "test_forms_of_output", "--html": "test_forms_of_output",
    "--scenario": "test_scenarios_and_devices_of_files", "--only": "test_scenarios_and_devices_of_files",
    "--hardware": "test_scenarios_and_devices_of_files",
    "--node": "test_a_node_tells_difficulty_height_subsidy_and_average_fees",
    "--node-cookie": "test_how_the_node_is_told_who_asks",
    "--node-password-file": "test_how_the_node_is_told_who_asks",
    "--api": "test_a_running_miner_tells_its_hash_rate_and_power",
    "--price-url": "test_a_price_from_a_url_is_read_and_dated",
    "--price-command": "test_a_price_from_a_command",
    "--price-field": "test_a_price_from_a_url_is_read_and_dated",
}  # fmt: skip
"""For each other option, the test that has it."""


@pytest.fixture(scope="module")
def base() -> Any:
    """All figures of the round terms alone."""
    output = io.StringIO()
    with redirect_stdout(output):
        assert profit("--json") == 0
    return json.loads(output.getvalue())


@pytest.mark.parametrize("option", EFFECTS)
def test_a_term_has_its_effect(option: str, base: Any, capsys: pytest.CaptureFixture[str]) -> None:
    given, path, expected = EFFECTS[option]
    assert option.removeprefix("--").replace("-", "_") in given
    assert profit("--json", **given) == 0
    found = figure(capsys, path)
    assert found == (pytest.approx(expected) if isinstance(expected, int | float) else expected)
    for name in path.split("."):
        base = base[name]
    assert found != base


@pytest.mark.parametrize("option", TOLD)
def test_an_option_changes_the_text(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum_miner.cli.profit.RUNS", 100)
    assert profit() == 0
    plain = " ".join(capsys.readouterr().out.split())
    words, told = TOLD[option]
    assert profit(*words) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in told:
        assert part in text
        assert part not in plain


def test_forms_of_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert profit("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["profit_per_day"] == 194
    assert profit("--csv") == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["profit_per_day"]) == 194
    page = tmp_path / "page.html"
    assert profit("--html", str(page)) == 0
    assert "Mining earns 5,904.88 per month" in capsys.readouterr().out
    assert "Mining earns 5,904.88 per month" in page.read_text(encoding="utf-8")


def test_scenarios_and_devices_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenarios, devices = tmp_path / "farm.toml", tmp_path / "own.toml"
    scenarios.write_text('[scenarios.a]\nmachines = ["rig"]\n[scenarios.b]\nuptime = "50%"\n[scenarios.c]\n')
    devices.write_text('[machines.rig]\nhash_rate = "1TH"\npower = 7\n')
    both = ["--scenario", str(scenarios), "--hardware", str(devices), "--json"]
    assert profit(*both, hash_rate="", power="", machine="2 rig") == 0
    assert [item["name"] for item in figure(capsys, "scenarios")] == ["a", "b", "c"]
    assert profit(*both, "--only", "b") == 0
    assert figure(capsys, "btc_per_day_net") == 25
    assert profit(*both, "--only", "b", "--only", "c") == 0
    assert [item["name"] for item in figure(capsys, "scenarios")] == ["b", "c"]
    assert profit(*both, "--only", "a", hash_rate="", power="") == 0
    assert figure(capsys, "power_w") == 7


LUCK: dict[str, tuple[list[str], str, Any]] = {
    "--found": (["--found", "0"], "count.high", 3.688879),
    "--expected": (["--found", "0", "--expected", "3"], "luck.chance", 0.049787),  # exp(-3)
    "--confidence": (["--found", "0", "--confidence", "50%"], "count.high", 1.386294),  # ln 4
    "--blocks": (["--blocks", "2", "--times", "2"], "pool.chance", 0.091578),  # 5 exp(-4)
    "--times": (["--blocks", "1", "--times", "3"], "pool.chance", 0.049787),
    "--hash-rate": (["--hash-rate", "1TH"], "best_share.hash_rate", 1e12),
    "--time": (["--hash-rate", "1TH", "--time", "1h"], "best_share.seconds", 3600),
    "--seconds": (["--hash-rate", "1TH", "--seconds", "90"], "best_share.seconds", 90),
    "--days": (["--hash-rate", "1TH", "--days", "1.5"], "best_share.seconds", 129_600),
    "--difficulty": (["--hash-rate", f"{2**32}H", "--difficulty", "9"], "best_share.seconds_per_share", 9),
    "--json": (["--hash-rate", "1TH", "--json"], "best_share.seconds", 86_400),
}


@pytest.mark.parametrize("option", LUCK)
def test_an_option_of_luck_has_its_effect(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, path, expected = LUCK[option]
    assert option in words
    assert run(["luck", *words, *([] if option == "--json" else ["--json"])]) == 0
    assert figure(capsys, path) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("command", "held"), [("profit", {*EFFECTS, *TOLD, *ELSEWHERE}), ("luck", {*LUCK})])
def test_every_option_has_a_test(command: str, held: set[str]) -> None:
    named = {name for item in dict(all_commands())[command].assemble_argument_collection() for name in item.names}
    assert named - held == set()
    assert held - named == set()


def test_the_tests_elsewhere_exist() -> None:
    texts = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__), Path(__file__).parents[1] / "app" / "settings" / "test_asked_terms.py")
    )
    for option, name in ELSEWHERE.items():
        assert f"def {name}(" in texts, option
        start = texts.index(f"def {name}(")
        assert f'"{option}"' in texts[max(0, start - 500) : start + 3000], option
