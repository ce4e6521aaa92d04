"""docs/explanation/glossary.md against the code: the types that it names exist, the words that it rules out do not."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_citations import tokens_of
from tests.test_documents import DOCUMENTS, HISTORY, prose

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "explanation" / "glossary.md"


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of each row below a heading, without the first two lines of the table."""
    section = GLOSSARY.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def words() -> list[list[str]]:
    """All rows that explain a word."""
    headings = re.findall(r"^## .*$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return [row for heading in headings for row in rows(heading) if len(row) == 4]


@cache
def types() -> frozenset[str]:
    """The names of all classes of the package."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "stratum_miner").rglob("*.py"))
    return frozenset(name for text in texts for name in re.findall(r"^ *class (\w+)[(:]", text, re.MULTILINE))


def test_it_explains_each_word_once() -> None:
    explained = [row[0] for row in words()]
    assert len(explained) > 60
    assert len(explained) == len(set(explained))
    assert all(row[1].endswith(".") for row in words()), "a meaning is a sentence"


@pytest.mark.parametrize("row", words(), ids=lambda row: row[0])
def test_the_types_and_modules_that_it_names_exist(row: list[str]) -> None:
    named = re.findall(r"(?<!\()`([\w.]+)`", row[2])
    assert named, "expected a type or a module"
    for name in named:
        if name.startswith("stratum_miner."):
            import_module(name)
        else:
            assert name in types()


@cache
def texts() -> list[tuple[str, str]]:
    """What people read: comments, docstrings and sentences of the package, and the documents without their code."""
    modules = {
        path: "\n".join(token for token in tokens_of(path) if token.startswith("#") or " " in token)
        for path in (ROOT / "stratum_miner").rglob("*.py")
    }
    pages = {path: prose(path) for path in DOCUMENTS if path != GLOSSARY and path.name != HISTORY}
    return [
        *((str(path), re.sub(r"``.*?``", "", text, flags=re.DOTALL)) for path, text in modules.items()),
        *((str(path), re.sub(r"`[^`\n]+`", "", text)) for path, text in pages.items()),
    ]


RULED_OUT = [(phrase, write) for unused, write in rows("## Words that are not used") for phrase in unused.split(", ")]


@pytest.mark.parametrize(("phrase", "write"), RULED_OUT, ids=[phrase for phrase, _ in RULED_OUT])
def test_words_that_are_ruled_out_do_not_occur(phrase: str, write: str) -> None:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    pattern = re.compile(rf"(?<![\w-]){words}(?![\w-])", re.IGNORECASE)
    assert [path for path, text in texts() if pattern.search(text)] == [], f"write {write}"


@pytest.mark.parametrize("row", list(rows("## Names in JSON, metrics and logs that are older")), ids=lambda row: row[0])
def test_older_names_are_still_written(row: list[str]) -> None:
    """A row whose name is gone says something untrue."""
    for name in re.findall(r"`(\w+)`", row[0]):
        written = re.compile(rf"\b{name}\b")
        assert any(written.search(path.read_text(encoding="utf-8")) for path in (ROOT / "stratum_miner").rglob("*.py"))
