"""Scenarios from options, files and answers: the source of each term, the defaults, and what contradicts itself."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from stratum_miner.economics import chain
from stratum_miner.economics.mainnet import DIFFICULTY, FEES, SUBSIDY
from stratum_miner.economics.profit.machines import Machine, known_machines
from stratum_miner.economics.profit.scenario import (
    RawScenario,
    Scenario,
    complete_scenario,
    from_answers,
    from_file,
    from_flags,
    merged,
)
from stratum_miner.economics.profit.terms import TermError

D = Decimal
KNOWN = known_machines() | {
    "rig": Machine(name="rig", hash_rate=5e12, power=D(100), capex=D(50), source="a scale", date="2026-01-01")
}
STICK = {"hash_rate": "1TH", "power": "20W", "electricity": "0.10"}


def flags(given: Mapping[str, str | None], *machines: str) -> RawScenario:
    return from_flags(given, machines, KNOWN)


def scenario(*machines: str, **given: str) -> Scenario:
    base = {} if machines else STICK
    return complete_scenario(flags({"electricity": "0.10", **base, **given}, *machines))


def refused(*machines: str, **given: str | None) -> str:
    with pytest.raises(TermError) as caught:
        complete_scenario(flags({**STICK, **given}, *machines))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def file(tmp_path: Path, text: str) -> list[RawScenario]:
    path = tmp_path / "farm.toml"
    path.write_text(text, encoding="utf-8")
    return list(from_file(path, KNOWN))


def test_what_is_not_given_has_its_documented_default() -> None:
    found = scenario()
    assert found.defaults == {"difficulty": DIFFICULTY, "subsidy": SUBSIDY, "fees": FEES}
    assert [found.operation.difficulty, found.subsidy, found.fees] == [144.4e12, D("3.125"), 0]
    assert found.operation.block_reward == D("3.125")
    assert [found.price, found.operation.price, found.currency, found.height] == [None, 0, "", None]
    operation = found.operation
    assert [operation.pool_fee, operation.stale, operation.uptime, operation.cooling] == [0, 0, 1, 0]
    assert operation.other_costs_per_day == 0
    assert [found.capex, found.resale, found.lifetime] == [None, 0, None]
    assert (found.depreciation_per_day, found.payback) == (None, None)
    assert (found.assumptions.growth, found.assumptions.price_growth, found.assumptions.halvings) == (0, 0, ())
    assert found.assumptions.subsidy_share == 1
    assert found.band == 0.01
    assert found.horizon_days == 1095  # three years of 365.25 days, and no day that is not whole
    # a pool of 3 % of the network, and a share of the own machine every ten seconds
    assert found.pool.hash_rate == pytest.approx(0.03 * 144.4e12 * 2**32 / 600)
    assert found.pool.share_difficulty == pytest.approx(1e12 * 10 / 2**32)
    assert found.dates == {}
    assert found.warnings == ()


def test_what_is_given_is_taken() -> None:
    found = scenario(
        electricity="0.30 EUR", difficulty="100T", subsidy="6.25", fees="0.25", price="90000", pool_fee="2%",
        stale="1%", uptime="98%", cooling="5%", hosting="100", maintenance="22", capex="1461", resale="365.25",
        lifetime="3", difficulty_growth="2%", price_growth="5%", growth_band="3%", horizon="2", pool_hash_rate="1EH",
        share_difficulty="1024", price_date="2026-01-15", chain_date="2026-01-16",
    )  # fmt: skip
    operation = found.operation
    assert [operation.hash_rate, operation.power, operation.electricity] == [1e12, 20, D("0.30")]
    assert [operation.difficulty, operation.block_reward, operation.price] == [1e14, D("6.5"), 90_000]
    assert [found.subsidy, found.fees, found.price, found.currency] == [D("6.25"), D("0.25"), 90_000, "EUR"]
    assert [operation.pool_fee, operation.stale, operation.uptime, operation.cooling] == [
        D("0.02"), D("0.01"), D("0.98"), D("0.05"),
    ]  # fmt: skip
    assert operation.other_costs_per_day == D(122) * 12 / D("365.25")
    assert [found.capex, found.resale, found.lifetime] == [1461, D("365.25"), 3]
    assert found.depreciation_per_day == 1  # (1461 - 365.25) / (3 * 365.25)
    assert (found.assumptions.growth, found.assumptions.price_growth) == (0.02, 0.05)
    assert found.assumptions.subsidy_share == D("6.25") / D("6.5")
    assert (found.band, found.horizon_days) == (0.03, 730)
    assert (found.pool.hash_rate, found.pool.share_difficulty) == (1e18, 1024)
    assert found.defaults == {}
    assert found.dates == {"price": date(2026, 1, 15), "chain": date(2026, 1, 16)}
    payback = found.payback
    assert payback is not None


@pytest.mark.parametrize(("term", "cost"), [("hosting", D("30.4375")), ("maintenance", D("30.4375"))])
def test_monthly_costs_alone(term: str, cost: Decimal) -> None:
    assert scenario(**{term: str(cost)}).operation.other_costs_per_day == 1


def test_the_subsidy_and_the_halvings_follow_from_the_height() -> None:
    found = scenario(height="1049000", fees="0")
    assert (found.subsidy, found.height) == (D("3.125"), 1_049_000)
    assert found.defaults == {"difficulty": DIFFICULTY}
    assert found.assumptions.halvings == chain.halving_days(1_049_000, 30 * 365)
    assert found.assumptions.halvings[:2] == (6, 1465)
    assert len(found.assumptions.halvings) == 8
    assert scenario(height="1050000").subsidy == D("1.5625")


def test_a_large_operation_is_a_pool_of_its_own() -> None:
    found = scenario(hash_rate="100EH", power="2GW", difficulty="144.4T")
    assert found.pool.hash_rate == 1e20  # more than 3 % of the network


def test_payback_needs_an_outlay_and_a_price() -> None:
    assert scenario(capex="10").payback is None
    assert scenario(price="90000").payback is None
    found = scenario(capex="10", price="900000").payback
    assert found is not None
    # per day: 86400e12 / (144.4e12 * 2^32) * 3.125 * 900,000 - 0.02 * 24 * 0.1
    assert found.days == 30  # 29.1: a day begun counts
    assert scenario(capex="0", price="900000").payback is not None


def test_depreciation_needs_an_outlay_and_a_lifetime() -> None:
    assert scenario(capex="10").depreciation_per_day is None
    found = scenario(capex="365.25", lifetime="2").depreciation_per_day
    assert found == D("0.5")


def test_machines_of_several_kinds_add_up() -> None:
    found = scenario("3xrig", "2 rig", "bitaxe-gamma")
    assert found.operation.hash_rate == 5 * 5e12 + 1.2e12
    assert found.operation.power == 518
    assert found.capex == 250  # of those whose price is known
    assert [(machine.name, machine.count) for machine in found.machines] == [
        ("rig", 3),
        ("rig", 2),
        ("bitaxe-gamma", 1),
    ]
    assert (found.machines[0].source, found.machines[0].date) == ("a scale", "2026-01-01")
    assert scenario("bitaxe-gamma").capex is None
    assert scenario("3xrig", capex="7").capex == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"hash_rate": None},
            "--hash-rate is needed: a hash rate, as in --hash-rate 1.2TH (or --machine NAME, or --api",
        ),
        ({"power": None}, "--power is needed: the power that the devices take from the mains, as in --power 17W"),
        ({"electricity": None}, "--electricity is needed: the price of 1 kWh, as in --electricity 0.30"),
        ({"subsidy": "0"}, "--subsidy, --fees: expected a sum above 0, got 0"),
        (
            {"subsidy": "3", "height": "4"},
            "--subsidy, --height: expected one of the two, got both: the subsidy follows",
        ),
        ({"lifetime": "3"}, "--lifetime: needs the purchase price of the machine (--capex)"),
        ({"resale": "3"}, "--resale: expected at most the purchase price (--capex), which must be given as well"),
        (
            {"resale": "3", "capex": "2.99"},
            "--resale: expected at most the purchase price (--capex), which must be given",
        ),
        ({"electricity": "0.3 EUR", "price": "$9"}, "--price: expected EUR, the currency of --electricity, got USD"),
        (
            {"electricity": "0.3 EUR", "currency": "USD"},
            "--electricity: expected USD, the currency of --currency, got EUR",
        ),
        ({"pool_fee": "2"}, "--pool-fee: expected a percentage"),
    ],
)
def test_what_is_missing_or_contradicts(given: dict[str, str | None], words: str) -> None:
    assert refused(**given).startswith(words)


def test_a_resale_of_the_whole_price_and_a_reward_of_fees_alone() -> None:
    assert scenario(resale="3", capex="3", lifetime="1").depreciation_per_day == 0
    assert scenario(subsidy="0", fees="0.1").operation.block_reward == D("0.1")
    assert scenario(subsidy="3", fees="3").operation.block_reward == 6
    assert scenario(subsidy="0", fees="0.1").assumptions.subsidy_share == 0


@pytest.mark.parametrize("given", [{}, {"hash_rate": None}, {"power": None}])
def test_machines_or_figures_but_not_both(given: dict[str, str | None]) -> None:
    words = ": expected either machines, or a hash rate and a power, got both"
    where = "--power" if "hash_rate" in given else "--hash-rate"
    assert refused("rig", **given) == where + words


def test_an_unknown_machine_names_its_option() -> None:
    assert refused("rog").startswith("--machine: unknown machine 'rog'; known machines: 2pac, ")
    assert refused("0xrig").startswith("--machine: expected an integer from 1")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"power": "4.9W"}, ["4.90 J/TH is better than any machine; check the units of the hash rate and the power"]),
        ({"power": "0.5W"}, ["0.500 J/TH is better than any machine; check the units of the hash rate and the power"]),
        ({"power": "5W"}, []),
        ({"power": "0W"}, []),
        ({"power": "1GW"}, []),
        ({"power": "1.1GW"}, [
            "1.1 billion J/TH is worse than any machine; check the units of the hash rate and the power"
        ]),
        # 2^32 hashes in 600 s
        ({"hash_rate": "7158278.82H", "power": "1W", "difficulty": "1"}, []),
        ({"hash_rate": "7158278.83H", "power": "1W", "difficulty": "1"}, [
            "the hash rate exceeds that of the whole network at this difficulty, so the difficulty would rise"
        ]),
    ],
)  # fmt: skip
def test_values_that_are_probably_mistakes(given: dict[str, str], words: list[str]) -> None:
    assert list(scenario(**given).warnings) == words


def test_a_network_of_exactly_the_own_hash_rate_is_no_mistake() -> None:
    assert scenario(hash_rate="4294967296H", power="1W", difficulty="600").warnings == ()


def test_the_first_source_of_a_term_is_taken() -> None:
    upper, lower = flags({"price": "1", "stale": "1%"}), from_answers({"price": "2", "fees": "3"}, "--node")
    found = merged([upper, lower, flags({"fees": "4", "uptime": "5%"})], "all")
    assert found.name == "all"
    assert {term: value.text for term, value in found.values.items()} == {
        "price": "1", "stale": "1%", "fees": "3", "uptime": "5%",
    }  # fmt: skip
    assert (found.values["price"].where, found.values["fees"].where) == ("--price", "--node")


@pytest.mark.parametrize(
    ("upper", "lower", "machines", "terms"),
    [
        (("rig", {}), ("", STICK), ["rig"], {"electricity"}),
        (("", {"hash_rate": "1TH"}), ("rig", {}), [], {"hash_rate"}),
        (("", {"power": "1W"}), ("rig", {}), [], {"power"}),
        (("", {"price": "1"}), ("rig", {}), ["rig"], {"price"}),
        (("rig", {}), ("bitaxe-gamma", {}), ["rig"], set()),
        (("", {"height": "1"}), ("", {"subsidy": "1"}), [], {"height"}),
        (("", {"subsidy": "1"}), ("", {"height": "1"}), [], {"subsidy", "height"}),  # the halvings still follow from it
    ],
)  # fmt: skip
def test_a_source_hides_what_contradicts_it(
    upper: tuple[str, dict[str, str]], lower: tuple[str, dict[str, str]], machines: list[str], terms: set[str]
) -> None:
    found = merged([flags(given, *filter(None, [name])) for name, given in (upper, lower)], "x")
    assert [machine.name for machine in found.machines] == machines
    assert found.values.keys() == terms


def test_a_file_without_tables_is_one_scenario_by_its_name(tmp_path: Path) -> None:
    (found,) = file(tmp_path, 'machines = ["rig"]\nelectricity = 0.1\n')
    assert found.name == "farm"
    assert complete_scenario(found).operation.power == 100


def test_a_table_goes_before_the_top_of_its_file(tmp_path: Path) -> None:
    garage, barn = file(
        tmp_path,
        'electricity = 0.1\nprice = 90.125\nmachines = ["rig"]\n[scenarios.garage]\nelectricity = 0.2\n'
        '[scenarios.barn]\nhash_rate = "1TH"\npower = "5W"\n',
    )
    assert (garage.name, barn.name) == ("garage", "barn")
    assert complete_scenario(garage).operation.electricity == D("0.2")
    assert complete_scenario(garage).price == D("90.125")  # a point of TOML is a decimal point
    assert complete_scenario(barn).operation.power == 5


def test_machines_of_a_file(tmp_path: Path) -> None:
    (found,) = file(
        tmp_path,
        'machines = ["2xrig", { name = "rig", count = 3, capex = 7 }, { name = "rig" }, '
        '{ hash_rate = "1TH", power = 9, capex = 1 }, { name = "own", hash_rate = "2TH", power = 8, count = 2 }]\n',
    )
    assert [(m.name, m.count, m.hash_rate, int(m.power), m.capex) for m in found.machines] == [
        ("rig", 2, 5e12, 100, 50), ("rig", 3, 5e12, 100, 7), ("rig", 1, 5e12, 100, 50),
        ("machine", 1, 1e12, 9, 1), ("own", 2, 2e12, 8, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("electricty = 0.1", "farm.toml: unknown key 'electricty': did you mean 'electricity'?"),
        ("electricity = true", "farm.toml: electricity: expected a string or a number, got true or false"),
        ("power = '17V'", "farm.toml: power: expected a power such as 17W or 3.5kW, got '17V'"),
        ("electricity = \nfees = 1", "farm.toml:1: expected TOML: invalid value"),
        ("[scenarios.a]\nuptime = 98", "farm.toml: scenarios.a: uptime: expected a percentage"),
        ("[scenarios.a]\nscenarios = 1", "farm.toml: scenarios.a: unknown key 'scenarios'"),
        ("[scenarios]\na = 3", "farm.toml: scenarios.a: expected a table, got 3"),
        ("scenarios = 3", "farm.toml: scenarios: expected a table, got 3"),
        ("machines = 3", "farm.toml: machines: expected a list, got 3"),
        ("machines = [3]", "farm.toml: machines[0]: expected a table, got 3"),
        ("machines = ['rig', 'rog']", "farm.toml: machines[1]: unknown machine 'rog'; known machines:"),
        ("machines = [{ name = 'rog' }]", "farm.toml: machines[0]: unknown machine 'rog'; known machines:"),
        ("machines = ['0xrig']", "farm.toml: machines[0]: expected an integer from 1"),
        ("machines = [{ name = 'rig', count = 0 }]", "farm.toml: machines[0]: count: expected an integer from 1"),
        ("machines = [{ name = 'rig', count = [] }]", "farm.toml: machines[0]: count: expected a string or a number"),
        ("machines = [{ name = [] }]", "farm.toml: machines[0]: name: expected a string or a number, got a list"),
        ("machines = [{ name = 'x', hash_rate = '1TH' }]", "farm.toml: machines[0]: expected the key power, but"),
        ("machines = [{ name = 'rig', watts = 3 }]", "farm.toml: machines[0]: unknown key 'watts'"),
        ("machines = [{ name = 'rig', capex = '3 EUR' }]", "farm.toml: machines[0]: capex: expected a number without"),
        ("machines = [{ name = 'rig', capex = [] }]", "farm.toml: machines[0]: capex: expected a string or a number"),
        ("price_date = 2999-01-01", "farm.toml: price_date: expected a date that is not after today"),
        ("subsidy = 3\nheight = 4", "expected one of the two, got both: the subsidy follows from the height"),
        pytest.param("[" * 5000, "expected TOML", id="deep"),
        ("price = 1e99999999999999999999", "expected TOML: a number in it is too large"),
        pytest.param("price = " + "9" * 5000, "expected TOML: a number in it is too large", id="digits"),
        ("price = 1e400000000", "price: expected a number above 0 and up to 1,000,000,000,000, got '1E+400000000'"),
        ("horizon = inf", "horizon: expected a number from 0.01 to 30, got 'Infinity'"),
        ('electricity = "12.345"', "electricity: expected a number with one meaning, got '12.345', which"),
    ],
)
def test_mistakes_in_a_file_name_the_file_and_the_key(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TermError) as caught:
        complete_scenario(merged([*file(tmp_path, text), flags(STICK)], "x"))
    told = str(caught.value)
    assert words in told
    assert told.startswith(str(tmp_path))
    assert told.count("\n") == 0
    assert len(told) < 500
