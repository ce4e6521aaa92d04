"""``profit``: the checked values through the command line, its output, and one line for each error."""

import json
from pathlib import Path

import pytest

from stratum_miner.cli.main import run

TERMS = {
    "--hash-rate": "1.2TH",
    "--power": "17W",
    "--electricity": "0.12",
    "--difficulty": "144.40e12",
    "--subsidy": "3.125",
    "--fees": "0.02",
    "--price": "90000",
    "--pool-fee": "2%",
    "--stale": "0.2%",
    "--uptime": "98%",
}


def profit(*more: str, **changed: str) -> int:
    terms = TERMS | {"--" + name.replace("_", "-"): value for name, value in changed.items()}
    return run(["profit", *(word for name, value in terms.items() if value for word in (name, value)), *more])


def test_words_and_a_table_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert profit(capex="200") == 0
    out = capsys.readouterr().out
    assert out.startswith("The purchase price is never repaid: mining costs more than it earns from the")
    assert "loses 0.08 per month at 0.12 per kWh. It breaks even at 0.1134 per kWh" in out
    words = " ".join(out.split())
    assert "Solo, a block takes 16,400 years on average. Within a year, a block is found in 1 of 16,400 cases." in words
    assert max(map(len, out.splitlines())) <= 80


def test_the_natural_question_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--machine", "bitaxe-gamma", "--electricity", "0.30"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert words.startswith(
        "Mining earns 1,590 satoshis per month and costs 3.94 per month to run. "
        "It only pays if 1 bitcoin is worth more than 248,077. Give the current price with --price"
    )
    assert "bitaxe-gamma: 1.20 TH/s and 18 W (dev.to/solosatoshi, Inside the Bitaxe, 2026-02-18)." in words
    assert (
        "Not given, so assumed: difficulty 144.4 T (mainnet on 2026-02-20), subsidy 3.125 bitcoin per block (since "
        "2024-04-20), no transaction fees. Give others with --difficulty, --subsidy, --fees or --node."
    ) in words


def test_the_defaults_are_dated_and_sourced_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--machine", "gamma", "--electricity", "0.30", "--fees", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inputs"]["difficulty"] == 144.4e12
    assert found["inputs"]["subsidy"] == 3.125
    assert {name: (item["value"], item["date"]) for name, item in found["defaults"].items()} == {
        "difficulty": (144.4e12, "2026-02-20"), "subsidy": (3.125, "2024-04-20"),
    }  # fmt: skip
    assert all(item["source"] for item in found["defaults"].values())
    assert run(["profit", "--machine", "gamma", "--electricity", "0.30", "--height", "1050000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inputs"]["subsidy"] == 1.5625
    assert set(found["defaults"]) == {"difficulty", "fees"}


def test_a_fee_of_everything_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert profit(pool_fee="100%") == 0
    out = capsys.readouterr().out
    words = " ".join(out.split())
    assert words.startswith("Mining earns nothing, because the pool fee is 100 %, and costs 1.46 per month to run.")
    assert "breaks even" not in out
    assert "0e-" not in out


def test_small_rates_are_in_satoshis_in_one_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert profit("--schemes", hash_rate="336MH", power="2.5W") == 0
    out = capsys.readouterr().out
    assert "bitcoin   revenue" not in out
    rows = [line.split()[:2] for line in out.splitlines() if line.split()[:1] and len(line.split()) > 4]
    assert [row for row in rows if row[0] in ("hour", "day", "year")] == [
        ["hour", "0.000588"], ["day", "0.014110"], ["year", "5.153705"], ["year", "mean"],
    ]  # fmt: skip
    assert "Amounts are in satoshis." in out
    for rate in ("100TH", "1000TH"):  # the first earns less than 0.01 bitcoin in a month, but more in a year
        assert profit("--schemes", hash_rate=rate) == 0
        assert "Amounts are in bitcoin." in capsys.readouterr().out


def test_the_currency_beside_an_amount_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert profit(electricity="0,12 €", capex="200 EUR") == 0
    assert "Mining loses 0.08 EUR per month" in capsys.readouterr().out
    assert profit(electricity="0.12 €", currency="€") == 0
    assert "Mining loses 0.08 € per month" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "needle"),
    [
        ("power", "17V", "--power: expected a power such as 17W or 3.5kW, got '17V'"),
        ("price", "-1", "--price: expected a number above 0"),
        ("uptime", "98", "--uptime: expected a percentage from 0% to 100%, such as 2%, got '98': write 98%"),
        ("price", "90,000", "got '90,000', which may be 90000 or 90.000: write 90000 or 90"),
        ("height", "930000", "--subsidy, --height: expected one of the two"),
        ("pric", "3", "did you mean '--price'"),
        ("power", "-3W", "--power: expected a power such as 17W or 3.5kW, got '-3W'"),
        ("lifetime", "0", "--lifetime: expected a number from 0.01 to 30"),
        ("price", "9" * 401, "--price: expected a number above 0 and up to 1,000,000,000,000, got '999"),
        ("lifetime", "3", "--lifetime: needs the purchase price"),
        ("machine", "bitaxe-gama", "unknown machine 'bitaxe-gama': did you mean 'bitaxe-gamma'?"),
        ("machine", "bitaxe-gamma", "--hash-rate: expected either machines, or a hash rate and a power, got both"),
        ("currency", "E U R", "--currency: expected a currency such as EUR"),
        ("scenario", "/nowhere.toml", "--scenario: cannot read '/nowhere.toml': No such file"),
        ("hardware", "/nowhere.toml", "--hardware: cannot read '/nowhere.toml': No such file"),
        ("only", "x", "--only needs --scenario"),
        ("price_field", "x", "--price-field needs --price-url"),
        (
            "price_url",
            "http://127.0.0.1:1/",
            "--price, --price-command, --price-url: expected at most one of them, got several",
        ),
        ("node", "kernel", "--node: expected the JSON-RPC URL of a node"),
        ("api", "file:///etc/passwd", "--api: expected a URL as in http://"),
    ],
)
def test_mistakes_are_told_in_one_line(
    option: str, value: str, needle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profit(**{option: value}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert needle in err
    assert len(err) < 1000
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("horizon", "height"),
    [("0.01", "930000"), ("0.5", "930000"), ("1", "998560")],
)
def test_every_horizon_can_be_drawn(
    horizon: str, height: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a halving falls on the last days, after the last point that is drawn."""
    page = tmp_path / "page.html"
    options = {"subsidy": "", "height": height, "capex": "0e-400000000", "horizon": horizon}
    assert profit("--plots", "--html", str(page), **options) == 0
    out, err = capsys.readouterr()
    assert "Total profit so far" in out
    assert err == ""
    assert page.stat().st_size < 1_000_000
    assert len(out) < 100_000


@pytest.mark.parametrize(
    "terms",
    [
        {"hash_rate": "0.001H", "difficulty": "1e30", "price": "1e-12", "uptime": "0.000001%"},
        {"hash_rate": "9e20H", "difficulty": "1e-12", "price": "1e12", "electricity": "1e12", "fees": "21000000"},
        {"difficulty_growth": "-50%", "growth_band": "100%", "price_growth": "1000%"},
        {"difficulty_growth": "1000%", "growth_band": "100%", "price_growth": "-50%", "pool_fee": "100%"},
        {"stale": "99.99999999%", "capex": "1e12", "cooling": "1000%", "share_difficulty": "1e30"},
    ],
)
def test_what_an_option_takes_can_be_computed_and_drawn(
    terms: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"horizon": "2", "capex": "300"} | terms
    assert profit("--plots", "--schemes", "--html", str(tmp_path / "page.html"), **given) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1000
