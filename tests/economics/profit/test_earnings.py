"""What the miner says of cost, income and luck: honest on a test chain, in money on mainnet, silent without a price."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stratum_miner.backends.statistics import DeviceStatistics, Hardware
from stratum_miner.bitcoin.target import TRIVIAL_TARGET, difficulty_from_target
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


@pytest.mark.parametrize("option", ["power", "price", "pool_fee", "mainnet_difficulty"])
def test_an_option_without_the_price_of_electricity_is_refused(option: str) -> None:
    given: dict[str, Any] = dict.fromkeys(("electricity", "power", "price", "pool_fee", "mainnet_difficulty"))
    with pytest.raises(TermError) as caught:
        tariff(**(given | {option: "1"}))
    assert str(caught.value) == (
        f"--{option.replace('_', '-')}: needs --electricity, the price of a kWh, as in --electricity 0.30"
    )


def test_a_tariff_of_electricity_and_power_alone() -> None:
    found = tariff(electricity="0.3", power="65W", price=None, pool_fee=None, mainnet_difficulty=None)
    assert found == Tariff(electricity=Decimal("0.3"), power=Decimal(65))
    assert found is not None
    assert [found.price, found.pool_fee, found.mainnet_difficulty] == [None, 0, 144.4e12]


@pytest.mark.parametrize(
    ("difficulty", "is_mainnet"), [(None, False), (999_999_999_999.0, False), (1e12, True), (144.4e12, True)]
)
def test_a_difficulty_of_a_trillion_is_that_of_mainnet(difficulty: float | None, is_mainnet: bool) -> None:
    """Mainnet is above it since 2017, and no test chain comes near."""
    earnings = Earnings(measured(network_difficulty=difficulty), TARIFF)
    assert earnings.on_mainnet == is_mainnet
    operation = earnings.operation
    assert operation is not None
    assert operation.difficulty == (difficulty if is_mainnet else 144.4e12)
    assert earnings.as_object()["mainnet_difficulty"] == operation.difficulty


@pytest.mark.parametrize(
    ("difficulty", "height", "subsidy"),
    [(144.4e12, 1_049_999, "3.125"), (144.4e12, 1_050_000, "1.5625"), (144.4e12, None, "3.125"), (1.0, 150, "3.125")],
)
def test_the_subsidy_is_that_of_the_height_on_mainnet(difficulty: float, height: int | None, subsidy: str) -> None:
    operation = Earnings(measured(network_difficulty=difficulty, height=height), TARIFF).operation
    assert operation is not None
    assert operation.block_reward == Decimal(subsidy)


@pytest.mark.parametrize(
    ("difficulty", "share_difficulty", "counted"),
    [
        (2.0**-31, 0.001, 0.001),  # regtest: every second hash is a block, but only shares are submitted
        (2.0**-31, 1e-10, 2.0**-31),
        (1.6e-5, 0.001, 1.6e-5),  # above that, every hash that is a block is submitted
        (1.0, None, 1.0),
    ],
)
def test_how_long_a_block_takes(difficulty: float, share_difficulty: float | None, counted: float) -> None:
    found = Earnings(measured(network_difficulty=difficulty, share_difficulty=share_difficulty), TARIFF)
    assert found.seconds_per_block == pytest.approx(counted * 2**48 / 65535 / 20e6)
    assert found.as_object()["seconds_per_block"] == found.seconds_per_block


def test_the_trivial_difficulty_itself_is_trivial() -> None:
    regtest = difficulty_from_target(TRIVIAL_TARGET)
    found = Earnings(measured(network_difficulty=regtest, share_difficulty=1.0), TARIFF).seconds_per_block
    assert found == pytest.approx(2**32 / 20e6, rel=1e-4)


def test_what_is_not_known_is_none() -> None:
    idle = Earnings(measured(hash_rate=0.0, network_difficulty=144.4e12), replace(TARIFF, power=None))
    assert (idle.operation, idle.power, idle.seconds_per_block) == (None, None, None)
    assert idle.line() == "no hash yet"
    told = idle.as_object()
    known = {"luck": told["luck"], "network_difficulty": 144.4e12, "mainnet": True, "mainnet_difficulty": 144.4e12}
    assert {name: value for name, value in told.items() if value is not None} == known
    assert Earnings(measured(network_difficulty=None), TARIFF).seconds_per_block is None
    assert Earnings(measured(network_difficulty=None), TARIFF).line().split("; ")[2].startswith("at this hash rate, ")


def test_half_a_hash_in_a_second_is_a_hash_rate() -> None:
    slow = Earnings(measured(hash_rate=0.5, network_difficulty=1.0), replace(TARIFF, price=None))
    assert slow.seconds_per_block == pytest.approx(2 * 2**48 / 65535)
    operation = slow.operation
    assert operation is not None
    assert (operation.hash_rate, float(operation.revenue_per_day)) == (0.5, 0)  # without a price


def test_every_figure_for_programs() -> None:
    """43,200 * 2^32 billion hashes in a block, 2^32 billion hashes in a second: two blocks a day."""
    earnings = Earnings(
        measured(network_difficulty=43200e9, hash_rate=2.0**32 * 1e9, elapsed=43200.0, height=0, luck=Luck(0, 0.0)),
        replace(TARIFF, price=Decimal(2), pool_fee=Decimal("0.5"), power=Decimal(500), electricity=Decimal("0.5")),
    )
    assert earnings.as_object() == {
        "power_w": 500, "electricity_per_day": 6, "electricity_so_far": 3,
        "joules_per_terahash": pytest.approx(500 / (2.0**32 * 1e9) * 1e12),
        "luck": {"found": 0, "expected": 0, "ratio": None, "low": None, "high": None},
        "network_difficulty": 43200e9, "seconds_per_block": pytest.approx(43200 * 65536 / 65535), "mainnet": True,
        "mainnet_difficulty": 43200e9, "mainnet_seconds_per_block": 43200, "mainnet_btc_per_day": 50,
        "income_per_day": 100, "profit_per_day": 94,
    }  # fmt: skip


def test_income_needs_a_price_and_profit_the_power_too() -> None:
    mainnet = measured(network_difficulty=144.4e12)
    told = Earnings(mainnet, replace(TARIFF, price=None)).as_object()
    assert (told["income_per_day"], told["profit_per_day"]) == (None, None)
    told = Earnings(mainnet, replace(TARIFF, power=None)).as_object()
    assert told["income_per_day"] > 0
    assert [told[name] for name in ("profit_per_day", "power_w", "electricity_so_far")] == [None] * 3


def test_nothing_earned_and_nothing_lost_is_no_loss() -> None:
    free = replace(TARIFF, power=Decimal(0), pool_fee=Decimal(1))
    assert Earnings(measured(network_difficulty=144.4e12), free).line().startswith("earns 0.00 per day; ")


def test_the_measured_power_costs_what_the_given_power_would() -> None:
    found = Earnings(measured(power=65.0), replace(TARIFF, power=None)).as_object()
    assert (found["power_w"], found["electricity_per_day"]) == (65, pytest.approx(0.468))
    assert Earnings(measured(power=20.0), TARIFF).power == 65  # the given one goes before


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
