"""The audit is a second witness only while it shares no line with the program."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here, so that this test can read them"
            yield node.module or ""


def forbidden(source: str) -> list[str]:
    """Imports of the program, or of tests outside this folder, which may import it."""
    return [name for name in imports(source) if name.startswith(("stratum_miner", "tests")) and not _own(name)]


def _own(name: str) -> bool:
    return name == "tests.audit" or name.startswith("tests.audit.")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_nothing_of_the_program_is_imported(path: Path) -> None:
    assert not forbidden(path.read_text())


@pytest.mark.parametrize(
    "line",
    ["import stratum_miner.work", "from stratum_miner import work", "from tests.conftest import own_cache"],
)
def test_an_import_of_the_program_is_seen(line: str) -> None:
    assert forbidden(line)
