"""docs/explanation/architecture.md against the code, and the folders of the tests against those of the package."""

import re
from pathlib import Path

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


APART = frozenset({"audit", "benchmarks", "end_to_end", "examples", "fuzz", "native", "packaging", "realpool"})
"""Folders of tests that are not about one package of the program."""


def test_tests_stand_where_what_they_test_stands() -> None:
    tests = ROOT.parent / "tests"
    modules: dict[str, set[Path]] = {}
    for path in ROOT.rglob("*.py"):
        modules.setdefault(f"test_{path.stem}", set()).add(path.parent.relative_to(ROOT))
    for path in sorted(tests.rglob("test_*.py")):
        folder = path.parent.relative_to(tests)
        if not APART.intersection(folder.parts[:1]):
            assert (ROOT / folder).is_dir(), path
            # a name of one word is often a topic
            if path.stem.count("_") > 1 and path.stem in modules:
                assert folder in modules[path.stem], path
