"""Each figure in docs/measured has the commit that was measured and the command that measured it."""

import re
from pathlib import Path

import pytest

from tests.test_documents import prose

COMMIT = re.compile(r"\b[Cc]ommit [0-9a-f]{7,8}\b|\| [0-9a-f]{7,8} \|")
COMMAND = re.compile(r"`(python|stratum-miner|make|bfgminer)\b")
PAGES = sorted((Path(__file__).parents[1] / "docs" / "measured").glob("*.md"))


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
        assert re.search(r"\b[Cc]ommit `?[0-9a-f]{7,8}\b|\| [0-9a-f]{7,8} \|", whole), (
            f"{page.name}, {title}: no commit"
        )
        assert re.search(r"`(python|stratum-miner|make|bfgminer)\b", whole), f"{page.name}, {title}: no command"
