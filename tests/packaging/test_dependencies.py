"""Every dependency has its line in the document that says why it is one."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_imports import statements

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "explanation" / "dependencies.md"


def explained() -> dict[str, set[str]]:
    """The packages in the first column of the tables, by the heading above them."""
    sections = re.split(r"^## (.*)$", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    return {
        heading: set(re.findall(r"^\| ([a-z][a-z0-9-]*) \|", body, flags=re.MULTILINE)) - {"package", "file"}
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }


def names(texts: list[object]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in texts if isinstance(text, str)}


def names_of_extras(project: dict[str, Any]) -> set[str]:
    """The packages of all extras; the extra ``all`` names only the project itself."""
    return set().union(*(names(texts) for texts in project["optional-dependencies"].values())) - {project["name"]}


def test_the_document_lists_what_the_project_asks_for_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = names(project["project"]["dependencies"])
    extras = names_of_extras(project["project"])
    groups = set().union(*(names(texts) for texts in project["dependency-groups"].values()))
    document = explained()
    assert document["What a miner, a pool and a proxy need"] == runtime
    assert document["What some users need"] == extras
    assert document["What developers need"] == groups - runtime
    apart = set().union(*(names(project["dependency-groups"][name]) for name in ("docs", "fuzz", "release")))
    assert document["What they weigh"] == (runtime | extras | groups) - apart


def imported_by(path: Path) -> set[str]:
    """The packages that a module imports, wherever in it."""
    nodes = list(statements(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in plain | parts}


def test_what_is_imported_is_asked_for() -> None:
    """No import of ours rests on a package that comes only because another one needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = names(project["dependencies"]) | names_of_extras(project)
    modules = {name.replace("-", "_") for name in asked}
    imported = {name for path in (ROOT / "stratum_miner").rglob("*.py") for name in imported_by(path)}
    third_party = imported - sys.stdlib_module_names - {"stratum_miner"}
    assert third_party - modules == set()
    # the compiled module imports the one, and the node looks for the other by its own name when it is wanted
    assert modules - third_party == {"cffi", "py_bitcoinkernel"}
