"""TOML files of users: their size, their numbers, their keys."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.economics.profit import files
from stratum_miner.economics.profit.terms import TermError


def test_a_file_has_at_most_a_mebibyte(tmp_path: Path) -> None:
    path = tmp_path / "full.toml"
    path.write_bytes(b"x = 1.50\n#".ljust(1_048_576, b"#"))
    assert files.read_toml(path, "--it") == {"x": Decimal("1.50")}
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(TermError, match=r"full.toml: expected a file of at most 1048576 bytes"):
        files.read_toml(path, "--it")


def test_a_file_that_cannot_be_read_names_its_option(tmp_path: Path) -> None:
    with pytest.raises(TermError, match=r"^--it: cannot read '.*/none.toml': No such file or directory$"):
        files.read_toml(tmp_path / "none.toml", "--it")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("30ct", "30ct"), (17, "17"), (Decimal("0.12"), "0.12"), (date(2026, 1, 15), "2026-01-15"),
        (Decimal("1.234"), "1.2340"), (Decimal("90.000"), "90"),  # a point of TOML separates no thousands
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_would_be_typed(value: Any, text: str) -> None:
    assert files.text(value, "it") == text


@pytest.mark.parametrize(("value", "kind"), [(True, "true or false"), ({}, "a table"), ([], "a list"), (1.5, "float")])
def test_what_is_no_value_is_named(value: Any, kind: str) -> None:
    with pytest.raises(TermError) as caught:
        files.text(value, "farm.toml: price")
    assert str(caught.value) == f"farm.toml: price: expected a string or a number, got {kind}"


def test_a_table_is_a_table() -> None:
    assert files.table({"a": 1}, "it") == {"a": 1}
    with pytest.raises(TermError, match=r"^it: expected a table, got \[1\]$"):
        files.table([1], "it")


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    files.check_keys({"price": 1}, ["power", "price"], "it")
    with pytest.raises(TermError, match=r"^it: unknown key 'prise': did you mean 'price'\?$"):
        files.check_keys({"power": 1, "prise": 1}, ["power", "price"], "it")
    with pytest.raises(TermError, match=r"^it: unknown key 'colour'; known keys: power, price$"):
        files.check_keys({"colour": 1}, ["price", "power"], "it")
