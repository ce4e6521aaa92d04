"""Every checked value of the sheet, to the digits given there, from the command line alone."""

import json
from typing import Any

import pytest

from stratum_miner.cli.main import run

STICK = [
    "--hash-rate", "1.2TH", "--power", "17W", "--electricity", "0.12", "--difficulty", "144.40e12",
    "--subsidy", "3.125", "--fees", "0.02", "--price", "90000",
]  # fmt: skip
TERMS = ["--pool-fee", "2%", "--stale", "0.2%", "--uptime", "98%"]
S21 = [
    "--hash-rate", "200TH", "--power", "3500W", "--electricity", "0.06", "--difficulty", "144.40e12", "--subsidy",
    "3.125", "--fees", "0.02", "--difficulty-growth", "0.5%",
]  # fmt: skip


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def same(value: float, printed: str) -> bool:
    """Whether a value equals a printed one to all of its significant digits."""
    digits = len(printed.split("e", maxsplit=1)[0].replace(".", "").replace("-", "").lstrip("0"))
    return f"{value:.{digits - 1}e}" == f"{float(printed):.{digits - 1}e}"


def test_network_and_income(capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "profit", *STICK, *TERMS)
    for name, printed in (
        ("hashes_per_block", "6.2019e23"),
        ("network_hash_rate", "1033.7e18"),
        ("blocks_per_day", "1.6717e-7"),
        ("btc_per_day_gross", "5.2576e-7"),
        ("btc_per_day_net", "5.0393e-7"),
        ("hash_price_per_ph_day", "39.432"),
        ("electricity_per_day", "0.04798"),
        ("break_even_electricity", "0.11343"),
        ("break_even_price", "95213"),
        ("break_even_difficulty", "1.3649e14"),
        ("solo_probability_year", "6.106e-5"),
        ("solo_one_in_year", "16378"),
        ("solo_mean_wait_years", "16377"),
        ("solo_median_wait_years", "11352"),
    ):
        assert same(found[name], printed), name


def test_energy(capsys: pytest.CaptureFixture[str]) -> None:
    dear = [*STICK, "--power", "21W", "--electricity", "0.06"]
    found = ask(
        capsys, "profit", *(word for pair in dict(zip(dear[::2], dear[1::2], strict=True)).items() for word in pair)
    )
    assert found["joules_per_terahash"] == pytest.approx(17.5)
    assert same(found["energy_cost_per_btc"], "57517")
    full = ask(capsys, "profit", *STICK)
    assert same(full["kwh_per_year"], "149")
    assert same(full["co2_kg_per_year"]["best"], "43")


def test_best_share_and_seconds_per_share(capsys: pytest.CaptureFixture[str]) -> None:
    best = ask(capsys, "luck", "--hash-rate", "1.2TH", "--difficulty", "1e9")["best_share"]
    assert same(best["median"], "34.8e6")
    assert same(best["chance"], "0.02385")
    shares = ask(capsys, "luck", "--hash-rate", "1.2TH", "--difficulty", "1000")["best_share"]
    assert same(shares["seconds_per_share"], "3.579")
    assert same(ask(capsys, "profit", *STICK, "--share-difficulty", "1000")["seconds_per_share"], "3.579")


@pytest.mark.parametrize(("found", "low", "high"), [(0, "0", "3.689"), (10, "4.80", "18.39"), (100, "81.4", "121.6")])
def test_intervals(found: int, low: str, high: str, capsys: pytest.CaptureFixture[str]) -> None:
    count = ask(capsys, "luck", "--found", str(found))["count"]
    assert count["low"] == 0 if found == 0 else same(count["low"], low)
    assert same(count["high"], high)


def test_spread(capsys: pytest.CaptureFixture[str]) -> None:
    spread = ask(capsys, "profit", *STICK, "--pool-hash-rate", "30EH")["relative_spread_30_days"]
    assert 446 <= spread["solo"] < 447  # the sheet cuts 446.53
    assert same(spread["PPLNS"], "0.089")


@pytest.mark.parametrize(("blocks", "times", "printed"), [(1, 2, "0.1353"), (10, 1.5, "0.0699")])
def test_pool_luck(blocks: int, times: float, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert same(ask(capsys, "luck", "--blocks", str(blocks), "--times", str(times))["pool"]["chance"], printed)


def test_growth(capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "profit", *STICK, "--difficulty-growth", "2%")
    assert same(found["difficulty_growth_year"], "0.676")
    assert same(found["income_days_first_year"], "287.93")


def test_payback(capsys: pytest.CaptureFixture[str]) -> None:
    revenue = ask(capsys, "profit", *S21, "--price", "90000")["revenue_per_day"]
    price = repr(90000 * 7.73 / revenue)
    back = ask(capsys, "profit", *S21, "--price", price, "--capex", "1500")
    assert back["revenue_per_day"] == pytest.approx(7.73)
    assert back["electricity_per_day"] == pytest.approx(5.04)
    assert back["shut_off_day"] == pytest.approx(1201, abs=1)
    assert back["payback_days"] == 1064
    assert same(back["most_earned"], "1519")
    never = ask(capsys, "profit", *S21, "--price", price, "--capex", "2000")
    assert never["payback_days"] is None
    assert "when 1,519" in never["payback_reason"] or "when 1,518" in never["payback_reason"]


def test_subsidy(capsys: pytest.CaptureFixture[str]) -> None:
    at_height = ["--height" if word == "--subsidy" else "930000" if word == "3.125" else word for word in STICK]
    found = ask(capsys, "profit", *at_height, "--horizon", "3")
    assert found["inputs"]["subsidy"] == 3.125
    assert found["inputs"]["next_halving"] == 1_050_000
