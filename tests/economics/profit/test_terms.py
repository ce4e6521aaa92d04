"""Terms as people type them: every unit, every bound from both sides, and one line for each mistake."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stratum_miner.economics.profit import terms
from stratum_miner.economics.profit.terms import TermError

D = Decimal


def read(term: str, text: str) -> Any:
    return terms.PARSERS[term]("--it", text)


def mistake(term: str, text: str) -> str:
    with pytest.raises(TermError) as caught:
        read(term, text)
    where, _, rest = str(caught.value).partition(": ")
    assert where == "--it"
    assert "\n" not in rest
    assert len(rest) < 400
    return rest


@pytest.mark.parametrize(
    ("term", "value", "texts"),
    [
        ("hash_rate", 1.2e12, ["1.2TH", "1,2 TH/s", "1.2T", "1200gh/s"]),
        ("power", D(17), ["17", " 17W ", "17 w", "17watt", "17 watts", "0,017kW", "0.017 KW", "+17W"]),
        ("power", D("0.017"), ["17mW"]),
        ("power", D(17_000_000), ["17MW"]),
        ("power", D(17_000_000_000), ["17GW", "17 gw"]),
        ("electricity", D("0.12"), [
            "0,12", ".12", "12ct", "12 ct/kWh", "$0.12", "0.12 USD / kWh", "USD 0.12", "120/MWh", "0.12 per kWh", "12¢",
            "12p", "12 cents", "12c", "12cts", "12 cent", "12pence", "12rp", "0.12€", "0.12 euro", "0.12 zł",
        ]),
        ("electricity", D(0), ["0", "0.00"]),
        ("price", D(90_000), [
            "90k", "90'000", "90 000", "90.000,00", "90,000.00", "90K USD", "90000 EUR/BTC", "90kEUR", "0.09M",
            "0.09MUSD", "US$90000", "90000 dollars", "90000 per bitcoin", "9000000 ct",
        ]),
        ("hosting", D(60), ["60", "60/month", "60 per mo", "720/year", "720 EUR/yr"]),
        ("maintenance", D(60), ["60", "60/month", "60 per mo", "720/year", "720 EUR/yr"]),
        ("capex", D(1500), ["1500", "1.5k", "£1500", "1 500"]),
        ("resale", D(150), ["150", "0.15k"]),
        ("cooling", D("0.1"), ["10%", "10 %", "10percent", "10pct"]),
        ("pool_fee", D("0.02"), ["2%", "2 %", "2percent"]),
        ("stale", D("0.002"), ["0,2%"]),
        ("growth_band", D("0.01"), ["1%"]),
        ("subsidy", D("3.125"), [
            "3,125", "3.125 BTC", "3.125bitcoin", "3.125 bitcoins", "3.125₿", "312500000sat", "312500000 sats",
            "312500000 satoshi", "312500000 satoshis",
        ]),
        ("fees", D("0.02"), ["0,02", "2000000 sats"]),
        ("lifetime", D("2.5"), ["2.5", "2,5y", "2.5 yr", "2.5yrs", "2.5 years"]),
        ("lifetime", D(1), ["1 year"]),
        ("horizon", D("0.25"), ["3 months"]),
        ("horizon", D(2), ["24month"]),
        ("difficulty", 144.4e12, [
            "144.4T", "144,4 T", "144.4t", "144400G", "144,400,000,000,000", "0.1444P", "144.4e12", "0.00014440E",
        ]),
        ("difficulty", 2e6, ["2M", "2000k", "0.002G"]),
        ("share_difficulty", 0.5, ["0.5"]),
        ("height", 930_000, ["930000", "930 000", "9.3e5"]),
        ("difficulty_growth", 0.005, ["0.5%"]),
        ("price_growth", -0.01, ["-1%"]),
        ("chain_date", date(2026, 1, 15), ["2026-01-15"]),
        ("currency", "EUR", ["EUR"]),
    ],
)  # fmt: skip
def test_what_people_type_is_read(term: str, value: Any, texts: list[str]) -> None:
    for text in texts:
        assert (
            float(read(term, text)) == pytest.approx(float(value))
            if isinstance(value, D)
            else (read(term, text) == value)
        ), text


@pytest.mark.parametrize(
    ("term", "allowed", "refused", "expected"),
    [
        ("power", ["0", "0W", "1000GW"], ["-0.001W", "17V", "x17", "W"], "expected a power such as 17W or 3.5kW, got"),
        ("power", ["1e12"], ["1000000000001W"], "expected at most 1,000,000,000,000 W, got"),
        ("electricity", ["0", "1e12"], ["-0.01", "1000000000001"], "expected a number from 0 to 1,000,000,000,0"),
        ("price", ["1e-12", "1e12"], ["0", "-1", "1000000000001", "nan", "inf"], "expected a number above 0 and up"),
        ("subsidy", ["0", "50"], ["-0.1", "50.1"], "expected a number from 0 to 50, got"),
        ("fees", ["0", "21000000"], ["-0.1", "21000000.1"], "expected a number from 0 to 21,000,000, got"),
        ("pool_fee", ["0", "0%", "100%"], ["-0.1%", "100.1%"], "expected a percentage from 0% to 100%, such as 2%"),
        ("growth_band", ["0%", "100%"], ["-1%", "101%"], "expected a percentage from 0% to 100%"),
        ("uptime", ["0.001%", "100%"], ["0%"], "expected more than 0%, got '0%': a machine that never runs"),
        ("stale", ["0%", "99.9%"], ["100%"], "expected less than 100%, got '100%': a miner whose every share is stale"),
        ("difficulty_growth", ["-50%", "1000%"], ["-50.1%", "1000.1%"], "expected a percentage from -50% to 1000%"),
        ("price_growth", ["-50%", "1000%"], ["-51%", "1001%"], "expected a percentage from -50% to 1000%, such as 2%"),
        ("cooling", ["0%", "1000%"], ["-1%", "1000.1%"], "expected a percentage from 0% to 1000%, such as 10%, got"),
        ("lifetime", ["0.01", "30"], ["0.0099", "0", "30.01"], "expected a number from 0.01 to 30, got"),
        ("horizon", ["0.01", "30y"], ["0.0099", "31"], "expected a number from 0.01 to 30, got"),
        ("difficulty", ["1e-12", "1e30"], ["0", "-1", "1.01e30", "inf"], "expected a number above 0 and up to 1e+30"),
        ("height", ["0", "100000000"], ["-1", "100000001", "1.5", "9 blocks"], "expected an integer from 0 to 100,000"),
        ("currency", ["E", "Schillin", "$", "₿"], ["", "Schilling", "EU1", "E R", "$$"], "expected a currency"),
        ("price_date", ["2009-01-03"], ["1.11.2026", "2026-13-01", ""], "expected a date such as 2026-11-01, got"),
        ("hash_rate", ["0.001H", "999EH"], ["1.2", "fast", "1ZH", "0TH"], "expected a hash rate"),
    ],
)  # fmt: skip
def test_bounds(term: str, allowed: list[str], refused: list[str], expected: str) -> None:
    for text in allowed:
        read(term, text)
    for text in refused:
        assert mistake(term, text).startswith(expected), text


def test_a_date_may_be_today_but_not_tomorrow() -> None:
    today = datetime.now(UTC).date()
    assert read("price_date", today.isoformat()) in (today, datetime.now(UTC).date())
    tomorrow = today + timedelta(days=2)
    assert mistake("price_date", tomorrow.isoformat()).startswith("expected a date that is not after today (")


@pytest.mark.parametrize(
    ("term", "text", "got"),
    [
        ("electricity", "0.30 TH", "'0.30 TH'"),
        ("electricity", "0.30/BTC", "'0.30/BTC'"),
        ("electricity", "0.30 EUR USD", "'0.30 EUR USD'"),  # one kind of word twice
        ("electricity", "0.30 kWh kWh", "'0.30 kWh kWh'"),
        ("electricity", "30 ct k EUR", "'30 ct k EUR'"),
        ("electricity", "cheap", "'cheap'"),
        ("electricity", "sNaN", "'sNaN'"),
        ("electricity", "", "''"),
        ("capex", "0.01BTC", "'0.01BTC'"),
        ("capex", "1 kBTC", "'1 kBTC'"),
        ("capex", "100xau1", "'100xau1'"),
        ("capex", "100 kEURO", "'100 kEURO'"),
        ("capex", "100 sat", "'100 sat'"),
        ("price", "90000BTC", "'90000BTC'"),  # an amount of bitcoin is no price
        ("price", "90000 bitcoin", "'90000 bitcoin'"),
        ("price", "1e400000000", "'1e400000000'"),
        ("price", "1e99999999999999999999", "'1e99999999999999999999'"),
        ("price", "9" * 60, repr("9" * 60)),
        ("price", "9" * 61, repr("9" * 60 + "…")),
        ("price", "0." + "1" * 100, repr("0." + "1" * 58 + "…")),
    ],
)
def test_what_is_no_amount_is_shown_as_it_was_typed(term: str, text: str, got: str) -> None:
    assert mistake(term, text).startswith("expected a number ")
    assert mistake(term, text).endswith(f", got {got}")


def test_an_amount_of_bitcoin_beside_a_price_of_one() -> None:
    assert read("price", "90000/BTC") == read("price", "90000 EUR per BTC") == 90_000


@pytest.mark.parametrize(
    ("term", "text", "words"),
    [
        ("uptime", "98", "got '98': write 98%"),
        ("pool_fee", "2", "got '2': write 2%"),
        ("pool_fee", "0.02", "got '0.02': write 2% or 0.02%"),
        ("pool_fee", "1", "got '1': write 100% or 1%"),
        ("pool_fee", "1.5", "got '1.5': write 1.5%"),
        ("cooling", "0.5", "got '0.5': write 50% or 0.5%"),
        ("cooling", "1.5", "got '1.5': write 1.5%"),
        ("difficulty_growth", "-0.5", "got '-0.5': write -0.5%"),
        ("difficulty_growth", "-50", "got '-50': write -50%"),
        ("difficulty_growth", "1000", "got '1000': write 1000%"),
        ("cooling", "0.1", "got '0.1': write 10% or 0.1%"),
        ("price", "90,000", "got '90,000', which may be 90000 or 90.000: write 90000 or 90"),
        ("price", "90.000 EUR", "got '90.000 EUR', which may be 90000 or 90.000: write 90000 EUR or 90 EUR"),
        ("price", "90.000 EUR  ", "got '90.000 EUR', which may be 90000 or 90.000: write 90000 EUR or 90 EUR"),
        ("capex", "1.234", "got '1.234', which may be 1234 or 1.234: write 1234 or 1.2340"),
        ("capex", "€1,234", "got '€1,234', which may be 1234 or 1.234: write €1234 or €1.2340"),
        ("power", "3,500W", "got '3,500W', which may be 3500 or 3.500: write 3500W or 3.500W"),
        ("hash_rate", "1,234TH", "got '1,234TH', which may be 1234 or 1.234: write 1234TH or 1.234TH"),
        ("difficulty", "8.192", "got '8.192', which may be 8192 or 8.192: write 8192 or 8.1920"),
    ],
)
def test_a_text_with_two_meanings_is_answered_with_both(term: str, text: str, words: str) -> None:
    assert mistake(term, text).endswith(words)


def test_a_reading_that_is_not_allowed_is_not_meant() -> None:
    assert read("height", "930,001") == read("height", "930.001") == 930_001  # a height is no fraction
    assert read("lifetime", "1,234") == D("1.234")  # and a lifetime has at most 30 years
    assert read("power", "3.500W") == D("3.5")  # with a unit of physics, a point is a decimal point


@pytest.mark.parametrize(
    ("term", "text"),
    [("price", "9e-13"), ("capex", "1e-13"), ("difficulty", "1e-300"), ("price", "1e-400000000"),
     ("difficulty_growth", "-9e-13%"), ("power", "1e-10mW")],
)  # fmt: skip
def test_a_number_too_small_to_be_meant(term: str, text: str) -> None:
    assert mistake(term, text) == f"expected 0 or a number of at least 1e-12, got {text!r}"


def test_the_smallest_numbers_that_are_meant() -> None:
    assert read("capex", "1e-12") == read("power", "1e-9mW") == D("1e-12")
    assert read("difficulty_growth", "-1e-12%") == pytest.approx(-1e-14)
    zero = read("capex", "0e-400000000")
    assert (zero, str(zero)) == (0, "0")  # and not 400,000,000 digits


def test_a_power_of_sixty_characters_is_read_and_no_longer_one() -> None:
    assert read("power", "17." + "0" * 57) == 17
    assert mistake("power", "17." + "0" * 58) == f"expected a power such as 17W or 3.5kW, got '17.{'0' * 57}…'"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("30", ""), ("30ct", ""), ("30 cents/kWh", ""), ("30k", ""), ("30 €", "EUR"), ("30 euros", "EUR"),
        ("$30", "USD"), ("US$30", "USD"), ("30 dollar", "USD"), ("30 dollars", "USD"), ("30 euro", "EUR"),
        ("£30", "GBP"), ("¥30", "JPY"), ("₹30", "INR"), ("₽30", "RUB"), ("₩30", "KRW"), ("30zł", "PLN"),
        ("30 Fr", "CHF"), ("30p", "GBP"), ("30 pence", "GBP"), ("30 Rp", "CHF"), ("30 sek", "SEK"), ("30kSEK", "SEK"),
        ("30 MNOK", "NOK"), ("CHF 30 / kWh", "CHF"), ("30 ct / kWh", ""),
    ],
)  # fmt: skip
def test_the_currency_beside_an_amount(text: str, name: str) -> None:
    assert terms.currency_in(text, "electricity") == name


@pytest.mark.parametrize(
    ("texts", "stated", "found"),
    [
        ({"electricity": "0.30", "price": "90000"}, "", ""),
        ({"electricity": "0.30 €", "price": "90000"}, "", "EUR"),
        ({"electricity": "0.30", "price": "$90000"}, "", "USD"),
        ({"electricity": "0.30 EUR", "price": "90000 €"}, "", "EUR"),
        ({"electricity": "0.30 EUR"}, "eur", "eur"),  # printed as it was stated
        ({"electricity": "0.30 EUR"}, "€", "€"),
        ({"electricity": "0.30"}, "Taler", "Taler"),
        ({"subsidy": "3.125 BTC", "power": "17W", "currency": "EUR"}, "", ""),  # no amounts of money
    ],
)
def test_one_currency_for_all_amounts(texts: dict[str, str], stated: str, found: str) -> None:
    given = {term: ("--" + term, text) for term, text in texts.items()}
    assert terms.check_same_currency(given, stated) == found


@pytest.mark.parametrize(
    ("texts", "stated", "words"),
    [
        (
            {"electricity": "0.3 EUR", "price": "$9"},
            "",
            "--price: expected EUR, the currency of --electricity, got USD",
        ),
        (
            {"electricity": "0.3", "capex": "9 SEK", "price": "$9"},
            "",
            "--price: expected SEK, the currency of --capex, got USD",
        ),
        (
            {"electricity": "0.3 EUR", "capex": "9 EUR", "price": "$9"},
            "",
            "--price: expected EUR, the currency of --electricity, got USD",  # of the first amount that has one
        ),
        ({"electricity": "0.3 EUR"}, "USD", "--electricity: expected USD, the currency of --currency, got EUR"),
        ({"electricity": "0.3 EUR"}, "£", "--electricity: expected GBP, the currency of --currency, got EUR"),
    ],
)
def test_two_currencies_are_refused(texts: dict[str, str], stated: str, words: str) -> None:
    given = {term: ("--" + term, text) for term, text in texts.items()}
    with pytest.raises(TermError) as caught:
        terms.check_same_currency(given, stated)
    assert str(caught.value) == words


def test_the_price_of_a_machine_has_no_currency() -> None:
    assert terms.capex_of_machine("it", "300") == 300
    with pytest.raises(TermError, match="it: expected a number without a currency, which --currency names, got EUR"):
        terms.capex_of_machine("it", "300 EUR")
    with pytest.raises(TermError, match="it: expected a number from 0"):
        terms.capex_of_machine("it", "-300")


@pytest.mark.parametrize(
    ("text", "count", "name"),
    [
        ("gamma", 1, "gamma"), ("3xgamma", 3, "gamma"), ("3 x gamma", 3, "gamma"), ("3×gamma", 3, "gamma"),
        ("3*gamma", 3, "gamma"), ("3 gamma", 3, "gamma"), ("2pac", 1, "2pac"), ("3x2pac", 3, "2pac"),
        ("2 Compac F", 2, "Compac F"), ("1,000,000xr606", 1_000_000, "r606"), ("1xgamma", 1, "gamma"),
    ],
)  # fmt: skip
def test_machines_and_their_number(text: str, count: int, name: str) -> None:
    assert terms.machine_and_count("--machine", text) == (count, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0xgamma", "expected an integer from 1 to 1,000,000, got '0'"),
        ("1,000,001xgamma", "expected an integer from 1 to 1,000,000, got '1,000,001'"),
        ("9" * 401 + "xgamma", "expected an integer from 1 to 1,000,000, got "),
        ("xx?", "expected NAME or COUNTxNAME of a machine, such as 3xbitaxe-gamma, got 'xx?'"),
        ("", "expected NAME or COUNTxNAME of a machine, such as 3xbitaxe-gamma, got ''"),
    ],
)
def test_a_wrong_number_of_machines(text: str, words: str) -> None:
    with pytest.raises(TermError) as caught:
        terms.machine_and_count("--machine", text)
    assert str(caught.value).startswith(f"--machine: {words}")


def test_a_number_between_two_bounds() -> None:
    """As ``luck`` reads --times."""
    assert terms.number("--times", "1,5", D(1), D(2)) == D("1.5")
    assert terms.number("--times", "1", D(1), D(2)) == 1
    for text in ("0.9", "2.1", "1 x"):
        with pytest.raises(TermError, match="--times: expected a number from 1 to 2, got"):
            terms.number("--times", text, D(1), D(2))
