"""docs/explanation/security.md against the code: each number of its table of limits, each file that it refers to."""

import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
UNITS = {"": 1, "bytes": 1, "characters": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def limits() -> list[tuple[str, str]]:
    """What the page says, and the name in the code."""
    table = PAGE.partition("<!-- limits -->\n")[2].partition("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "`" in line]
    return [(value, name.strip("`")) for _, value, name in rows if value]


def constant(name: str) -> Any:
    """A module's own, or the default of a field of a dataclass."""
    path, _, attribute = f"stratum_miner.{name}".rpartition(".")
    owner, _, of_class = path.rpartition(".")
    if of_class[0].isupper():
        kind = getattr(import_module(owner), of_class)
        assert is_dataclass(kind)
        return next(field.default for field in fields(kind) if field.name == attribute)
    return getattr(import_module(path), attribute)


@pytest.mark.parametrize(("value", "name"), limits(), ids=[name for _, name in limits()])
def test_the_page_tells_the_limit_that_holds(value: str, name: str) -> None:
    number = re.fullmatch(r"([\d ]+(?:\.\d+)?) ?([A-Za-z]*)", value)
    assert number is not None, value
    assert float(number[1].replace(" ", "")) * UNITS[number[2]] == constant(name)


def test_the_page_tells_many_limits() -> None:
    assert len(limits()) > 40
    assert len({name for _, name in limits()}) == len(limits())
