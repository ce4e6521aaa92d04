"""Scenario files, hardware, comparisons and the forms of output."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stratum_miner.cli.main import run

FARM = """
electricity = 0.07
difficulty = 144.40e12
height = 930000
fees = 0.02
price = 90000
price_date = 2026-01-15
currency = "EUR"
difficulty_growth = "0.5%"

[scenarios.garage]
machines = ["3xbitaxe-gamma", { name = "antminer-s19-pro", capex = 300 }]
electricity = 0.12

[scenarios.farm]
machines = [{ name = "antminer-s21", count = 10, capex = 2000 }]
hosting = 300
maintenance = 65.25
cooling = "5%"
lifetime = 4
resale = 2000
"""
ALONE = ["--electricity", "0.1", "--difficulty", "144.40e12", "--subsidy", "3.125"]


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    path = tmp_path / "farm.toml"
    path.write_text(FARM)
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["profit", *arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["profit", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_scenarios_of_a_file_side_by_side(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "--scenario", str(farm))["scenarios"]
    assert isinstance(found, list)
    garage, big = found
    assert [garage["name"], big["name"]] == ["garage", "farm"]
    assert garage["inputs"]["electricity"] == 0.12  # its own table goes before the top of the file
    assert big["inputs"]["electricity"] == 0.07
    assert garage["hash_rate"] == pytest.approx(3 * 1.2e12 + 110e12)
    assert garage["power_w"] == 3 * 18 + 3250
    assert garage["inputs"]["capex"] == 300
    assert big["inputs"]["capex"] == 20_000
    assert big["other_costs_per_day"] == pytest.approx(365.25 * 12 / 365.25)
    assert big["depreciation_per_day"] == pytest.approx(18_000 / (4 * 365.25))
    assert big["profit_after_depreciation_per_day"] == pytest.approx(
        big["profit_per_day"] - big["depreciation_per_day"]
    )
    assert big["electricity_per_day"] == pytest.approx(35 * 1.05 * 24 * 0.07)
    assert big["inputs"]["price_date"] == "2026-01-15"
    machines = garage["machines"]
    assert [(machine["name"], machine["count"]) for machine in machines] == [
        ("bitaxe-gamma", 3),
        ("antminer-s19-pro", 1),
    ]
    assert sum(machine["profit_per_day"] for machine in machines) == pytest.approx(garage["profit_per_day"])
    assert all(machine["source"] and machine["date"] for machine in machines)


def test_a_flag_goes_before_the_file(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(
        capsys, "--scenario", str(farm), "--only", "garage", "--electricity", "0.01", "--machine", "avalon-6"
    )
    assert found["power_w"] == 1100
    inputs = found["inputs"]
    assert isinstance(inputs, dict)
    assert inputs["electricity"] == 0.01


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("electricty = 0.1", "unknown key 'electricty': did you mean 'electricity'?"),
        ("electricity = \nfees = 1", "bad.toml:1: expected TOML: invalid value"),
        ("[scenarios.a]\nuptime = 98", "scenarios.a: uptime: expected a percentage"),
        ("price = " + "9" * 401, "price: expected a number above 0 and up to 1,000,000,000,000, got '999"),
    ],
)
def test_mistakes_in_a_file_are_told_in_one_line(
    text: str, needle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    told = complaint(capsys, "--scenario", str(path), *ALONE[2:4])
    assert needle in told
    assert "bad.toml" in told


def test_a_file_too_large_or_not_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "big.toml"
    path.write_bytes(b"#" * (1 << 21))
    assert "expected a file of at most 1048576 bytes" in complaint(capsys, "--scenario", str(path))
    path.write_bytes(b"\xff\xfe")
    assert ":1: expected UTF-8" in complaint(capsys, "--scenario", str(path))


def test_an_unknown_scenario_is_told(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected a scenario of garage, farm" in complaint(capsys, "--scenario", str(farm), "--only", "barn")


def test_without_a_price_it_speaks_of_bitcoin(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--machine", "bitaxe-gamma", *ALONE]
    found = answer(capsys, *arguments)
    assert found["profit_per_day"] is None
    assert found["break_even_electricity"] is None
    assert isinstance(found["break_even_price"], float)
    assert run(["profit", *arguments, "--plots"]) == 0
    out = capsys.readouterr().out
    assert "Mining earns 1,590 satoshis per month and costs 1.31 per month to run." in out
    assert "Give the current price with --price" in " ".join(out.split())
    assert "probability of no block so far" in out
    assert "tornado" not in out


def test_csv_has_a_row_for_each_scenario(farm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--scenario", str(farm), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == ["garage", "farm"]
    found = answer(capsys, "--scenario", str(farm), "--only", "garage")
    assert float(rows[0]["profit_per_day"]) == found["profit_per_day"]
    assert float(rows[0]["co2_kg_per_year.best"]) > 0
    assert complaint(capsys, "--scenario", str(farm), "--csv", "--json").startswith("stratum-miner: --csv, --json")


@pytest.mark.parametrize("width", ["80", "120"])
def test_everything_fits_the_terminal(
    width: str, farm: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert run(["profit", "--scenario", str(farm), "--schemes", "--plots"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= int(width)
    assert "…" not in out
    for words in ("side by side", "Profit per day with each input", "halving", "PPLNS", "After depreciation", "EUR"):
        assert words in out


def test_the_page_is_self_contained_and_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "evil.toml", tmp_path / "page.html"
    source.write_text(FARM + '\n[scenarios."<script>alert(1)</script>"]\nmachines = ["bitaxe-gamma"]\n')
    assert run(["profit", "--scenario", str(source), "--html", str(target)]) == 0
    capsys.readouterr()
    page = target.read_text()
    for forbidden in ("<script", "http://", "https://", "src=", "@import", "url("):
        assert forbidden not in page
    assert "prefers-color-scheme: dark" in page
    assert "&lt;script&gt;" in page
    body = page[page.index("<main>") : page.index("</main>") + len("</main>")]
    root = ET.fromstring(body)
    assert len(root.findall(".//svg")) == 15
    assert len(root.findall(".//section")) == 3


def test_a_page_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--machine", "bitaxe-gamma", *ALONE, "--html", "/nowhere/page.html"]) == 2
    assert capsys.readouterr().err == (
        "stratum-miner: --html: cannot write '/nowhere/page.html': No such file or directory\n"
    )


def test_monte_carlo_prints_seed_interval_and_agreement(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum_miner.cli.profit.RUNS", 400)
    assert run(["profit", "--machine", "antminer-s21", *ALONE, "--monte-carlo", "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert "Seed 5, 400 simulation runs of 30 days" in out
    assert out.count("agrees") == 12
    assert "DIFFERS" not in out


def test_what_looks_like_a_slip_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--hash-rate", "1.2PH", "--power", "17W", *ALONE, "--json"]) == 0
    assert "0.0142 J/TH is better than any machine" in capsys.readouterr().err
    assert run(["profit", "--hash-rate", "1ZH", "--power", "17GW", *ALONE, "--json"]) == 2
    assert run(["profit", "--hash-rate", "999EH", "--power", "17GW", *ALONE[:2], "--difficulty", "1", *ALONE[4:]]) == 0
    assert "exceeds that of the whole network" in capsys.readouterr().err
    assert run(["profit", "--hash-rate", "1TH", "--power", "3GW", *ALONE, "--json"]) == 0
    assert "3 billion J/TH is worse than any machine" in capsys.readouterr().err
