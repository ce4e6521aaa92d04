"""Each figure in docs/measured has the commit that was measured and the command that measured it, and each table of
benchmarks is generated from a saved result."""

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.record import FIGURES
from tests.test_documents import prose

COMMIT = re.compile(r"\b[Cc]ommit (?P<said>[0-9a-f]{7,8})\b|\| (?P<listed>[0-9a-f]{7,8}) \|")
COMMAND = re.compile(r"`(python|stratum-miner|make|bfgminer)\b")
ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "measured").glob("*.md"))


def sections(page: Path) -> list[str]:
    """The sections of a page that have a table with figures."""
    parts = re.split(r"^(?=## )", prose(page), flags=re.MULTILINE)
    return [part for part in parts if re.search(r"^\|.*\d.*\|$", part, re.MULTILINE)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "computer.md"], ids=lambda page: page.name)
def test_a_table_of_figures_names_commit_and_command(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert sections(page)
    for section in sections(page):
        title = section.split("\n", 1)[0]
        whole = section if title.startswith("## ") else text
        assert COMMIT.search(whole), f"{page.name}, {title}: no commit"
        assert COMMAND.search(whole), f"{page.name}, {title}: no command"


def test_the_tables_are_those_of_the_saved_results() -> None:
    """After a new measurement or a change of the table's form: python -m benchmarks.tables."""
    pages = tables.documents()
    assert len(pages) >= 4
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert tables.filled(text) == text, page.name


def test_each_saved_result_has_its_table_and_its_origin() -> None:
    shown = [found["name"] for page in tables.documents() for found in tables.PLACE.finditer(page.read_text("utf-8"))]
    assert sorted(shown) == sorted(path.stem for path in FIGURES.glob("*.json"))
    for name in shown:
        result = tables.load(name)
        assert result["changed"] is False, f"{name}: measured with changes that are in no commit"
        assert re.fullmatch(r"[0-9a-f]{8}", result["commit"]), name
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", result["date"]), name
        assert COMMAND.match(f"`{result['command']}`"), name


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False, timeout=60)


def test_the_commits_belong_to_this_history() -> None:
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("this is no clone with its whole history")
    named = {
        found["said"] or found["listed"]: page.name
        for page in [*PAGES, ROOT / "docs" / "explanation" / "dependencies.md"]
        for found in COMMIT.finditer(page.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    for commit, page in named.items():
        assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{page}: {commit}"
