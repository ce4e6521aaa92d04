"""docs/explanation/architecture.md against the code: its table, and every file and package that it names."""

import re

from tests.structure import rooms, table
from tests.test_imports import ROOT

PAGE = (ROOT.parent / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def test_the_table_of_who_may_import_whom_is_the_one_that_is_enforced() -> None:
    assert table() in PAGE


def test_every_file_that_is_named_with_its_folder_is_there() -> None:
    named = set(re.findall(r"`([a-z0-9_]+/[a-z0-9_/]+(?:\.py)?)`", PAGE))
    assert len(named) > 30
    roots = (ROOT, ROOT.parent)
    lost = {
        name
        for name in named
        if not any((root / name).exists() or (root / f"{name.removesuffix('.py')}.py").exists() for root in roots)
    }
    assert lost == set()


def test_every_package_is_explained() -> None:
    house = PAGE.partition("## The house")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", house, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(rooms())
