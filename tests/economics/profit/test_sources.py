"""Answers of other programs: read, bounded, and shown in part where they are wrong."""

import json
from datetime import date
from typing import Any

import pytest

from stratum_miner.economics.profit import sources, terms
from stratum_miner.economics.profit.sources import SourceError

TODAY = date(2026, 11, 1)
WHERE = "http://127.0.0.1:1"


def price(answer: str, field: str | None = None) -> str:
    found = sources.price(answer.encode(), field, "--price-url", WHERE, TODAY)
    assert found["price_date"] == "2026-11-01"
    return found["price"]


@pytest.mark.parametrize("answer", ["90.125", '{"last": 90.125}', '{"last": "90.125"}'])
def test_a_price_with_three_decimals_keeps_its_point(answer: str) -> None:
    found = price(answer, "last" if answer.startswith("{") else None)
    assert terms.price("--price-url", found) == terms.price("--price-url", "90.1250")


@pytest.mark.parametrize(
    ("answer", "field", "found"),
    [
        ("90000", None, "90000"),
        (" 90000.5\n", None, "90000.5"),
        ("1000000000000", None, "1000000000000"),
        ('{"data": [{"last": 1}, {"last": 2}]}', "data.1.last", "2"),
        ('[3, 4]', "0", "3"),
        ('[3, 4]', "1", "4"),
        ('{"0": 5}', "0", "5"),
        ("90000", "", "90000"),
    ],
)  # fmt: skip
def test_a_price_is_found_where_the_field_says(answer: str, field: str | None, found: str) -> None:
    assert price(answer, field) == found


@pytest.mark.parametrize(
    ("answer", "field", "words"),
    [
        ("0", None, "got '0'; if the answer is JSON, name the field of the price with --price-field"),
        ("-1", None, "got '-1'; if"),
        ("1000000000001", None, "got '1000000000001'; if"),
        ("90_000", None, "got '90_000'; if"),
        ("٩٠", None, "got '٩٠'; if"),
        ("nan", None, "got 'nan'; if"),
        ("true", "", "got 'True'"),
        ("[true]", "0", "got 'True'"),
        ('{"a": 1}', None, "got \"{'a': 1}\"; if"),
        ("[1]", None, "got '[1]'; if"),
        ("", None, "got ''; if"),
        ("9" * 50 + "\x1b", None, f"got '{'9' * 40}…'; if"),
    ],
)
def test_what_is_no_price_is_shown_in_part(answer: str, field: str | None, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        price(answer, field)
    told = str(caught.value)
    assert told.startswith(f"--price-url: expected a price above 0 and up to 1,000,000,000,000 from {WHERE}, got ")
    assert words in told
    assert ("--price-field" in told) == (not field)


@pytest.mark.parametrize(
    ("answer", "field", "name"),
    [('{"a": 1}', "b", "b"), ("[1, 2]", "2", "2"), ("[1]", "x", "x"), ('{"a": 1}', "a.b", "b"), ("[1]", "-1", "-1")],
)
def test_a_field_that_is_missing_is_named(answer: str, field: str, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        price(answer, field)
    assert str(caught.value) == (
        f"--price-field: expected a field '{name}' in the answer of {WHERE}, but it is missing"
    )


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ("{", None),
        ("[", None),
        ("x", "last"),
        pytest.param("[" * 100_000, None, id="deep"),
        ('{"a": 1e99999999999999999999}', "a"),
    ],
)
def test_what_is_no_json_is_shown_in_part(answer: str, field: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        price(answer, field)
    told = str(caught.value)
    assert told.startswith(f"--price-url: expected JSON from {WHERE}, got ")
    assert len(told) < 120


def test_the_figures_of_a_node_keep_their_points() -> None:
    found = sources.chain_terms(
        difficulty=1.125, height=930_000, subsidy=312_500_000, average_fees=123_400_000, today=TODAY
    )
    parsed = {name: terms.PARSERS[name](name, text) for name, text in found.items()}
    assert parsed["difficulty"] == 1.125
    assert (float(parsed["subsidy"]), float(parsed["fees"])) == (3.125, 1.234)
    assert parsed["height"] == 930_000
    assert parsed["chain_date"] == TODAY


def miner(**summary: Any) -> dict[str, str]:
    return dict(sources.miner_terms(json.dumps(summary).encode(), "--api", WHERE))


@pytest.mark.parametrize(
    ("summary", "found"),
    [
        ({"hash_rate": 1.2e12}, {"hash_rate": "1.200000e+12H"}),
        ({"hash_rate": 1e12, "hash_rate_15m": 2e12}, {"hash_rate": "2.000000e+12H"}),
        ({"hash_rate": 1e12, "hash_rate_15m": None}, {"hash_rate": "1.000000e+12H"}),
        ({"hash_rate": 0.001}, {"hash_rate": "1.000000e-03H"}),
        ({"hash_rate": 9.99e20}, {"hash_rate": "9.990000e+20H"}),
        ({"hash_rate": 1e9, "power_w": 17.5}, {"hash_rate": "1.000000e+09H", "power": "17.500000W"}),
        ({"hash_rate": 1e9, "power_w": 0}, {"hash_rate": "1.000000e+09H", "power": "0.000000W"}),
        ({"hash_rate": 1e9, "power_w": 10**12}, {"hash_rate": "1.000000e+09H", "power": "1000000000000.000000W"}),
    ],
)
def test_a_running_miner_tells_its_hash_rate_and_power(summary: dict[str, Any], found: dict[str, str]) -> None:
    assert miner(**summary) == found
    for term, text in found.items():
        terms.PARSERS[term]("--api", text)


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "None"), (0, "0"), (0.00099, "0.00099"), (1e21, "1e+21"), (float("nan"), "nan"), (float("inf"), "inf"),
        (True, "True"), ("1e9", "1e9"), pytest.param(10**400, "1" + "0" * 39 + "…", id="huge"), ("\x1b[31m", ""),
    ],
)  # fmt: skip
def test_a_hash_rate_that_cannot_be_is_shown_in_part(rate: Any, shown: str) -> None:
    with pytest.raises(SourceError) as caught:
        miner(hash_rate=rate)
    told = str(caught.value)
    assert told.startswith(f"--api: expected a hash rate from 0.001 to 1e+21 H/s from {WHERE}, got {shown}")
    assert "\x1b" not in told
    assert len(told) < 130


@pytest.mark.parametrize("power", [-0.001, 10**12 + 1, "17", True, float("inf"), pytest.param(10**400, id="huge")])
def test_a_power_that_cannot_be_is_refused(power: Any) -> None:
    with pytest.raises(
        SourceError, match=rf"^--api: expected a power from 0 to 1,000,000,000,000 W from {WHERE}, got "
    ):
        miner(hash_rate=1e9, power_w=power)


@pytest.mark.parametrize("answer", [b"", b"[]", b"3", b"\xff", pytest.param(b"[" * 100_000, id="deep")])
def test_an_answer_that_is_no_object_is_refused(answer: bytes) -> None:
    with pytest.raises(SourceError, match=r"^--api: expected a JSON object, got '") as caught:
        sources.miner_terms(answer, "--api", WHERE)
    assert len(str(caught.value)) < 90


def test_a_long_answer_is_cut_after_forty_characters() -> None:
    with pytest.raises(SourceError) as caught:
        sources.miner_terms(b"x" * 41, "--api", WHERE)
    assert str(caught.value) == f"--api: expected a JSON object, got '{'x' * 40}…'"
    with pytest.raises(SourceError) as caught:
        sources.miner_terms(b"x" * 40, "--api", WHERE)
    assert str(caught.value) == f"--api: expected a JSON object, got '{'x' * 40}'"
