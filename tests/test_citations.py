"""Citations lead to a paragraph: those of docs/reference from code, tests and pages, and ids of conformance checks."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from stratum_miner.conformance import ALL
from tests.test_documents import DOCUMENTS, anchor_of, anchors, prose

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path
    for folder in ("stratum_miner", "tests", "benchmarks", "examples", "native")
    for kind in ("*.py", "*.js", "*.c", "*.h")
    for path in (ROOT / folder).rglob(kind)
    if path != Path(__file__) and "node_modules" not in path.parts  # this file has examples of wrong citations
)
CHECKS = {case.id for case in ALL}
NO_CHECKS = {"FRM-99", "JOB-16", "VD-07", "LD-02", "LD-06", "LD-12", "LD-18"}
"""Ids of no check: a test makes one with the first; docs/explanation/verdicts.md says why the others do not exist."""
CONTEXT = {
    "asic.md": {
        "the-parts",
        "states-of-a-device",
        "unknowns-of-all-products",
    },
    "stratum.md": {"sources-and-marks"},
}
"""Sections of the cited references that no code cites, because they explain the others."""


anchors_of = cache(anchors)


@cache
def text_of(path: Path) -> str:
    """A file as it is."""
    return path.read_text(encoding="utf-8")


def sentences(path: Path) -> str:
    """The comments and strings of a Python file; any other file as it is."""
    return "\n".join(tokens_of(path)) if path.suffix == ".py" else text_of(path)


@cache
def citations_in(path: Path) -> tuple[tuple[str, str], ...]:
    """What the comments and strings of a file cite."""
    return tuple(cited(sentences(path))) if any(cited(text_of(path))) else ()


@cache
def tokens_of(path: Path) -> list[str]:
    """The comments and strings of a Python file."""
    tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
    return [token.string for token in tokens if token.type in {tokenize.COMMENT, tokenize.STRING}]


def cited(text: str) -> Iterator[tuple[str, str]]:
    """The document and the anchor of each citation; the anchor is empty where the whole document is meant."""
    for match in re.finditer(r"docs/reference/([\w-]+\.md)(?:#([\w-]+))?", text):
        yield match[1], match[2] or ""


def wrong_citations(text: str) -> Iterator[str]:
    """Each citation that leads nowhere."""
    for document, anchor in cited(text):
        page = ROOT / "docs" / "reference" / document
        if not page.exists() or (anchor and anchor not in anchors_of(page)):
            yield f"docs/reference/{document}#{anchor}"
    yield from re.findall(r"(?<![\w/-])(?:stratum2?|asic|peers|design)\.md\b", text)
    yield from re.findall(r"\.md(?:#[\w-]+)?,? (?:section |row )?\d+(?:\.\d+)*\b(?! (?:bytes|lines))", text)
    for check in re.findall(r"\b(?:FRM|HS|EXT|JOB|SH|ERR|VD|LD)-\d\d\b", text):
        if check not in CHECKS | NO_CHECKS:
            yield check
    yield from re.findall(r"(?<=\()D\d{1,2}(?=[),])|(?<=\.md )D\d{1,2}\b", text)


def test_citations_lead_somewhere() -> None:
    wrong = {
        str(path.relative_to(ROOT)): list(wrong_citations(sentences(path)))
        for path in [*CODE, *DOCUMENTS]
        if any(wrong_citations(text_of(path)))  # to find comments and strings in all files takes long
    }
    assert {path: found for path, found in wrong.items() if found} == {}


def test_no_number_of_a_section_stands_alone() -> None:
    """``(2.9)`` and ``(7, 32)`` in comments and docstrings once meant sections of a document."""
    found = {}
    number = re.compile(r"(?<= )\((?:\d\.\d+(?:\.\d+)?|\d, \d+)\)")
    for path in (ROOT / "stratum_miner").rglob("*.py"):
        if number.search(text_of(path)):
            comments = "\n".join(token for token in tokens_of(path) if token.startswith(("#", '"""')))
            found[str(path)] = number.findall(comments)
    assert {path: numbers for path, numbers in found.items() if numbers} == {}


@pytest.mark.parametrize(
    "text",
    [
        "as docs/reference/stratum.md#no-such-heading has it",
        "see docs/reference/nowhere.md#errors",
        "whatever shape it had on the wire (stratum.md 1.3)",
        "the frames of asic.md in",
        "docs/reference/asic.md 3.6",
        "docs/reference/asic.md#heat, row 20",
        "the id of the earlier session (D2)",
        "as ERR-99 demands",
    ],
)
def test_what_leads_nowhere_is_found(text: str) -> None:
    assert list(wrong_citations(text))


@pytest.mark.parametrize(
    "text", ["docs/reference/stratum.md#errors.", "Antminer D9", "ERR-14", "see docs/reference/asic.md for 10 lines"]
)
def test_what_leads_somewhere_is_not(text: str) -> None:
    assert list(wrong_citations(text)) == []


@pytest.mark.parametrize("name", CONTEXT)
def test_a_reference_holds_what_is_cited(name: str) -> None:
    """Each section is cited by code or tests, or one of its parts is, or ``CONTEXT`` has it: the pages stay short."""
    page = ROOT / "docs" / "reference" / name
    anchors_cited = {anchor for path in CODE for document, anchor in citations_in(path) if document == name}
    headings = re.findall(r"^(##|###) (.*)$", prose(page), re.MULTILINE)
    slugs = [anchor_of(heading) for _, heading in headings]
    assert len(slugs) == len(set(slugs)), "two headings with one anchor"
    needed = anchors_cited | CONTEXT[name]
    uncited = [
        slug
        for index, ((level, _), slug) in enumerate(zip(headings, slugs, strict=True))
        if slug not in needed and not (level == "##" and needed & set(parts_of(headings, slugs, index)))
    ]
    assert uncited == []
    assert CONTEXT[name] <= set(slugs), "no such section"
    assert CONTEXT[name] & anchors_cited == set(), "cited by now"


@pytest.mark.parametrize("name", CONTEXT)
def test_a_section_names_the_modules_that_cite_it(name: str) -> None:
    """So a reader of the page finds the code, and a maintainer who changes a section finds the code that follows it."""
    missing = []
    sections = sections_of(ROOT / "docs" / "reference" / name)
    for path in CODE:
        for document, anchor in citations_in(path):
            place = path.relative_to(ROOT)
            module = str(place).removeprefix("stratum_miner/").removeprefix("backends/asic/")
            if document == name and anchor and place.parts[0] == "stratum_miner" and module not in sections[anchor]:
                missing.append(f"{anchor}: `{module}`")
    assert missing == [], f"docs/reference/{name}: add these modules"


def sections_of(page: Path) -> dict[str, str]:
    """The text below each heading, up to the next one, by its anchor."""
    sections = re.split(r"^##+ (.*)$", prose(page), flags=re.MULTILINE)[1:]
    return {anchor_of(heading): text for heading, text in zip(sections[::2], sections[1::2], strict=True)}


def parts_of(headings: list[tuple[str, str]], slugs: list[str], index: int) -> Iterator[str]:
    """The anchors of the third level that follow a heading of the second."""
    for (level, _), slug in zip(headings[index + 1 :], slugs[index + 1 :], strict=True):
        if level == "##":
            return
        yield slug


def test_no_text_for_users_names_a_page_of_the_checkout() -> None:
    """pip installs no pages, so help and errors name a command instead."""
    found = []
    for path in (ROOT / "stratum_miner").rglob("*.py"):
        if "docs/" not in text_of(path):
            continue
        tree = ast.parse(text_of(path))
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
                found += [f"{path}:{node.lineno}"] if "docs/" in node.value else []
    assert found == []
