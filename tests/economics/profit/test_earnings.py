"""What the miner says of cost, income and luck: honest on a test chain, in money on mainnet, silent without a price."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.economics.odds import Luck
from stratum_miner.economics.profit.earnings import Earnings, MeasuredRun, Tariff, tariff
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.miner.snapshot import BackendSnapshot
from stratum_miner.monitoring.devices import measured_power

TARIFF = Tariff(electricity=Decimal("0.30"), power=Decimal(65), price=Decimal(90_000), pool_fee=Decimal("0.02"))


def measured(**changes: Any) -> MeasuredRun:
    base = MeasuredRun(
        elapsed=3600.0, hash_rate=20e6, height=17, network_difficulty=4.6565e-10, share_difficulty=0.001,
        luck=Luck(10, 8.0), power=None,
    )  # fmt: skip
    return replace(base, **changes)


def test_on_a_test_chain_it_promises_nothing() -> None:
    line = Earnings(measured(), TARIFF).line()
    assert line == (
        "earns nothing, because the coins of a test chain have no price; costs 0.4680 per day, 3.25 million J/TH; luck "
        "1.25 (95 % interval: 0.60 to 2.30); a block takes 215 milliseconds on average; at this hash rate, mainnet "
        "(difficulty 144.4T on 2026-02-20) would pay 0.000853 satoshis per day (7.7e-07) on average, and a block would "
        "take 983 million years"
    )
    other = Earnings(measured(), replace(TARIFF, mainnet_difficulty=1e14)).line()
    assert "mainnet (difficulty 100T) would pay" in other  # a difficulty of the user has no date
    told = Earnings(measured(), TARIFF).as_object()
    assert told["income_per_day"] is None
    assert told["profit_per_day"] is None
    assert told["mainnet"] is False
    assert told["seconds_per_block"] == pytest.approx(0.001 * 2**32 / 20e6, rel=0.001)  # each share is a block
    assert told["electricity_so_far"] == pytest.approx(0.468 / 24)


def test_where_blocks_below_the_share_target_are_handed_in_too_they_take_less_than_a_share() -> None:
    testnet = measured(network_difficulty=1.0, share_difficulty=8.0)
    assert Earnings(testnet, TARIFF).seconds_per_block == pytest.approx(2**32 / 20e6, rel=0.001)
    assert Earnings(measured(share_difficulty=None), TARIFF).seconds_per_block is None


def test_on_mainnet_it_counts_in_money() -> None:
    earnings = Earnings(measured(network_difficulty=144.4e12, height=930_000, hash_rate=1.2e12), TARIFF)
    told = earnings.as_object()
    assert told["income_per_day"] == pytest.approx(1.6717e-7 * 3.125 * 0.98 * 90_000, rel=1e-4)
    assert told["profit_per_day"] == pytest.approx(told["income_per_day"] - 0.468)
    assert told["luck"] == {
        "found": 10,
        "expected": 8.0,
        "ratio": 1.25,
        "low": pytest.approx(0.599, abs=1e-3),
        "high": pytest.approx(2.299, abs=1e-3),
    }
    income = "mines 51.2 satoshis per day (0.0461) on average; a block takes 16,400 years on average"
    assert earnings.line().endswith(income)


def test_the_line_begins_with_the_profit_or_the_loss() -> None:
    mainnet = measured(network_difficulty=144.4e12, height=930_000, hash_rate=1.2e12)
    assert Earnings(mainnet, TARIFF).line().startswith("loses 0.4219 per day; costs 0.4680 per day, ")
    cheap = replace(TARIFF, electricity=Decimal("0.01"))
    assert Earnings(mainnet, cheap).line().startswith("earns 0.0305 per day; costs 0.0156 per day, ")
    assert Earnings(mainnet, replace(TARIFF, price=None)).line().startswith("costs 0.4680 per day, ")
    assert Earnings(mainnet, replace(TARIFF, power=None)).line().startswith("costs not known")


def test_before_the_first_hash_and_without_a_price() -> None:
    bare = replace(TARIFF, price=None)
    assert Earnings(measured(hash_rate=0.0), bare).line() == "costs 0.4680 per day; no hash yet"
    assert Earnings(measured(hash_rate=0.0), bare).as_object()["joules_per_terahash"] is None
    fresh = Earnings(measured(luck=Luck(0, 0.0), network_difficulty=None), bare)
    assert "luck" not in fresh.line()
    assert "(" not in fresh.line().replace("(difficulty 144.4T on 2026-02-20)", "")
    assert fresh.line().startswith("costs ")  # before the first job, the chain is not known
    assert fresh.as_object()["luck"]["ratio"] is None


def test_options_make_sense_together_only() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("electricity", "power", "price", "pool_fee", "mainnet_difficulty"))
    assert tariff(**nothing) is None
    full = tariff(electricity="0.3", power="65W", price="90000", pool_fee="2%", mainnet_difficulty=None)
    assert full == TARIFF
    as_typed = tariff(
        electricity="30ct/kWh", power="0,065 kW", price="90k", pool_fee="2 %", mainnet_difficulty="144,4T"
    )
    assert as_typed == TARIFF
    for given, needle in (
        ({"power": "65W"}, "--power: needs --electricity"),
        ({"electricity": "0.3"}, "--electricity: needs the power: add --power, .* a --device that measures its power"),
        ({"electricity": "-1", "power": "65W"}, "--electricity: expected a number"),
        ({"electricity": "0.3", "power": "65V"}, "--power: expected a power such as 17W"),
        ({"electricity": "0.3 EUR", "power": "65", "price": "$90000"}, "--price: expected EUR, .* got USD"),
        ({"electricity": "0.3", "power": "65W", "mainnet_difficulty": "0"}, "--mainnet-difficulty: expected a number"),
    ):
        with pytest.raises(TermError, match=needle):
            tariff(**(nothing | given))


def test_power_that_the_devices_measure_needs_no_option() -> None:
    terms = tariff(
        electricity="0.3", power=None, price="90000", pool_fee=None, mainnet_difficulty=None, may_measure=True
    )
    assert terms is not None

    def on(*hardware: Hardware | None) -> Earnings:
        devices = tuple(DeviceStatistics(f"d{index}", 10, 0, hardware=item) for index, item in enumerate(hardware))
        power, is_partial = measured_power((BackendSnapshot("asic", "", devices, label="asic"),))
        return Earnings(measured(power=None if is_partial else power), terms)

    bitaxe, off = Hardware(product="Bitaxe", power=15.0), Hardware(product="Bitaxe", state="off")
    known = on(bitaxe, bitaxe, off)
    assert "; costs 0.2160 per day, 1.5 million J/TH; " in known.line()
    told = known.as_object()
    assert (told["power_w"], told["electricity_per_day"]) == (30.0, pytest.approx(0.216))
    assert told["electricity_so_far"] is None  # nobody knows what the power was before
    for unknown in (on(bitaxe, None), on(off), on()):  # a processor does not measure its power
        assert "; costs not known, because not every device measures its power" in unknown.line()
        told = unknown.as_object()
        assert [told[key] for key in ("power_w", "electricity_per_day", "joules_per_terahash", "profit_per_day")] == (
            [None] * 4
        )
