"""The documents against the checkout: links lead somewhere, what is named is there, commands take the options."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from stratum_miner.cli.parser.arguments import HELP
from stratum_miner.cli.parser.page import arguments_of
from stratum_miner.cli.parser.program import command_line

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("native/*.md")})
FOLDERS = "stratum_miner|tests|benchmarks|docs|native|examples|requirements"

HISTORY = "CHANGELOG.md"
"""Names what there was before, too."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def prose(document: Path) -> str:
    """A document without its blocks of code, in which ``#`` and brackets mean other things."""
    return re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def code_of(document: Path) -> str:
    """Return the blocks and the spans of code of a document, without its sentences."""
    pieces = re.findall(r"^ *```.*?^ *```|`[^`\n]+`", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "\n".join(pieces)


def anchors(document: Path) -> set[str]:
    """What a link may name behind ``#``: headings as the hosts of repositories write them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            target = document.parent / path if path else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != HISTORY], ids=lambda path: path.name)
def test_files_and_modules_that_are_named_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path in re.findall(rf"(?<![\w./<-])((?:{FOLDERS})/[a-z_*][a-z0-9_./*-]*[a-z0-9_/*-])(?![A-Z])", text):
        assert list(ROOT.glob(path.strip("/"))) or (ROOT / f"{path}.py").exists(), path
    for file, test in re.findall(r"`([a-z_/]+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
    assert not re.search(r"`test_\w+\.py", text), "a test is named with its folder"
    # in sentences the folders that a paragraph is about are left out
    for path in re.findall(r"`([a-z0-9_]+/[a-z0-9_/]+\.(?:py|js|toml))`", text):
        assert list((ROOT / "stratum_miner").rglob(path)) or (ROOT / path).exists(), path
    for name in re.findall(r"\b(?:stratum_miner|tests|benchmarks)(?!\.md)(?:\.[a-zA-Z_]\w*)+", text):
        assert is_importable(name), name


def is_importable(name: str) -> bool:
    """Whether it is a module, or what a module has."""
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return hasattr(import_module(module), attribute)
    return True


def test_commands_take_the_options_that_are_shown() -> None:
    shown: dict[tuple[str, ...], set[str]] = {}
    for document in DOCUMENTS:
        text = code_of(document).replace("\\\n", " ")
        for line in re.findall(r"stratum-miner +([a-z][^`|&;<>\n]*)", text):
            words = line.split()
            if words[0] == "help":  # it takes the name of a command and no option
                continue
            nested = words[0] in {"config", "device"} and words[1:] and words[1].isalpha()
            shown.setdefault(tuple(words[: 2 if nested else 1]), set()).update(
                re.findall(r"(?<!\S)--[a-z-]+", line.partition(" # ")[0])
            )
    assert len(shown) > 20
    app = command_line()
    for words, options in shown.items():
        command = app[words[0]] if len(words) == 1 else app[words[0]][words[1]]
        assert options <= {name for each in arguments_of(command) for name in each.names} | HELP, words
