"""Every module that is shipped is there for somebody: what only our own tests import stays out of the wheel."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "stratum_miner"


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def begins() -> Iterator[str]:
    """What others start or import: the entry points of the installed package, and the modules that documents name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for table in (project["scripts"], *project["entry-points"].values()):
        yield from (target.partition(":")[0] for target in table.values())
    yield "stratum_miner.__main__"
    for document in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        yield from re.findall(r"stratum_miner(?:\.[a-z_0-9]+)+", document.read_text(encoding="utf-8"))


def mentioned(module: str) -> Iterator[str]:
    """What a module imports, or names in a text as things are named that are imported when they are wanted."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(base)):
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.]+(:\w+)?", text):
                # the table of commands, in cli.parser, names modules of the package above it
                yield from (text.partition(":")[0], f"{package}.{text}", f"{package.rpartition('.')[0]}.{text}")
            case ast.ImportFrom():
                raise AssertionError(f"{path}:{node.lineno}: expected an absolute import")


def test_every_module_is_reached_from_what_others_start_or_import() -> None:
    seen: set[str] = set()
    waiting = list(begins())
    while waiting:
        module = waiting.pop()
        while module not in MODULES and "." in module:  # what is named may be in a module
            module = module.rpartition(".")[0]
        if module in MODULES and module not in seen:
            seen.add(module)
            waiting += [module.rpartition(".")[0], *mentioned(module)]
    assert set(MODULES) - seen == set()
