"""Who may import whom: the architecture as a table, and a walk over every import that holds the code to it."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "stratum_miner"

GROUND = frozenset({"bitcoin", "stratum", "work"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    # true without a clock or a socket
    "bitcoin": frozenset(),
    "stratum": frozenset({"bitcoin"}),
    "work": frozenset({"bitcoin"}),
    "stratum_job": frozenset({"stratum", "work"}),
    "network": frozenset(),
    # what hashes
    "backends": frozenset({"work", "bitcoin"}),
    # what runs
    "client": GROUND | {"stratum_job"},
    "miner": frozenset({"client", "backends", "work", "bitcoin"}),
    "downstream": GROUND | {"network"},
    "pool": GROUND | {"downstream", "network"},  # never client: the two are independent witnesses
    "proxy": GROUND | {"client", "downstream", "network"},
    # what tests others
    "capture": frozenset({"stratum", "network"}),
    "faults": GROUND | {"stratum_job", "capture", "backends"},
    "emulators": frozenset({"backends.cpu", "bitcoin"}),  # never backends.asic: they are the drivers' witness
    "conformance": GROUND | {"stratum_job", "backends", "network"},
    "loadtest": GROUND | {"stratum_job", "backends", "faults", "network"},
    # what counts, watches and draws; of what runs, only the frozen snapshots and events that it hands out
    "economics": frozenset({"bitcoin"}),
    "plots": frozenset(),
    "reports": frozenset({"conformance", "loadtest", "economics", "plots"}),
    "monitoring": frozenset(
        [
            "work",
            "bitcoin",
            "economics",
            "network",
            "backends.statistics",
            "client.group.status",
            "downstream.endings",
            "downstream.snapshot",
            "miner.events",
            "miner.snapshot",
            "pool.snapshot",
            "proxy.snapshot",
        ]
    ),
}
BELOW_THE_APPLICATION = frozenset(MAY_IMPORT)
MAY_IMPORT |= {
    # the application; nobody imports testing
    "testing": frozenset({"work", "bitcoin", "backends", "client", "miner", "pool", "capture", "faults", "emulators"}),
    "app": BELOW_THE_APPLICATION - {"reports", "conformance", "loadtest", "emulators"},
    "cli": BELOW_THE_APPLICATION | {"app"},
}
MAY_IMPORT |= {
    "app.process": frozenset({"network", "monitoring", "backends.registry", "backends.cpu.kernels"}),
    "app.config": frozenset(),
    "app.foreign": frozenset({"app.config", "backends", "client", "monitoring"}),
    "app.operation": frozenset({"app.process", "network", "monitoring"}),
    "app.settings": frozenset(
        [
            "monitoring",
            "app.process",
            "app.config",
            "app.options",
            "app.operation",
            "economics",
            "backends",
            "client",
            "miner",
            "network",
            "proxy",
            "pool",
            "downstream",
            "bitcoin",
        ]
    ),
    "app.daemon": frozenset(
        [
            "app.process",
            "app.config",
            "app.options",
            "app.operation",
            "app.settings",
            "economics",
            "monitoring",
            "plots",
            "faults",
            "capture",
            "pool",
            "proxy",
            "downstream",
            "miner",
            "client",
            "backends",
            "work",
            "bitcoin",
        ]
    ),
    "app.doctor": frozenset(
        [
            "app.process",
            "app.config",
            "app.options",
            "app.operation",
            "app.settings",
            "network",
            "monitoring",
            "client",
            "miner",
            "backends",
        ]
    ),
    "app.options": frozenset(
        {
            "app.process",
            "app.config",
            "network",
            "backends",
            "miner",
            "client",
            "pool",
            "capture",
            "economics",
            "bitcoin",
        }
    ),
}
"""Package to the packages, or single modules, of ours that it may import besides itself. The nearest row counts."""
ROOT_MODULES: dict[str, frozenset[str]] = {
    "callbacks": frozenset(),
    "exception_groups": frozenset(),
    "foreign_text": frozenset(),
    "installation": frozenset(),
    "nesting": frozenset(),
    "quantities": frozenset({"written_numbers"}),
    "secret_words": frozenset({"foreign_text"}),
    "spelling": frozenset(),
    "user_files": frozenset({"nesting"}),
    "user_folders": frozenset(),
    "written_numbers": frozenset(),
    "__init__": frozenset(),
    "__main__": frozenset({"cli"}),
}
"""The same for the modules beside the packages. Everybody may import them, but for ``NOT_FOR_PURE_CODE``."""
NOT_FOR_PURE_CODE = frozenset(
    {
        "callbacks",
        "exception_groups",
        "installation",
        "nesting",
        "quantities",
        "secret_words",
        "spelling",
        "user_files",
        "user_folders",
        "written_numbers",
        "__main__",
    }
)

DRIVERS = "stratum_miner.backends.asic"

IMPURE = frozenset(
    [
        "trio",
        "anyio",
        "asyncio",
        "structlog",
        "logging",
        "time",
        "random",
        "secrets",
        "uuid",
        "socket",
        "ssl",
        "select",
        "selectors",
        "threading",
        "multiprocessing",
        "subprocess",
        "signal",
        "importlib",
        "cffi",
        "os",
    ]
)
"""What gives a module a clock, a log, randomness or the outside world."""
PURE = frozenset({"bitcoin", "stratum", "work"})
THIRD_PARTY: dict[str, frozenset[str]] = {
    "bitcoin": frozenset(),
    "work": frozenset(),
    "stratum": frozenset({"msgspec"}),
}
"""Packages whose imports from outside the standard library are listed one by one."""
NATIVE_IMPORTER = "backends/cpu/kernels.py"
"""The only module that may import a name with a leading underscore, which is what our native module has."""


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements inside, however deep. Expressions, which are most of a tree, are not walked through."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, field, ()):
            yield inner
            yield from statements(inner)


@cache
def names_in(source: str, package: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """Line and name of everything that a module of ``package`` imports. Several tests ask about each module."""
    return tuple(imported_names(ast.parse(source), list(package)))


def imported_names(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, relative imports resolved against ``package``."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """What is wrong with the imports of the module at ``path``, relative to the package's root."""
    parts = path.removesuffix(".py").split("/")
    found = []
    for number, name in names_in(source, ("stratum_miner", *parts[:-1])):
        reason = _reason(parts, name.split("."))
        if reason:
            found.append(f"stratum_miner/{path}:{number}: {name}: {reason}")
    return found


def _row(module: list[str]) -> str:
    """The nearest row of the table for a module of ours, whose name is given in parts."""
    rows = (".".join(module[:length]) for length in range(len(module), 0, -1))
    return next((row for row in rows if row in MAY_IMPORT), module[0])


def _reason(module: list[str], name: list[str]) -> str | None:
    if name[0] != "stratum_miner":
        return _foreign_reason(module[0], name[0])
    inner = name[1:]
    is_native_importer = "/".join(module) + ".py" == NATIVE_IMPORTER
    if any(part.startswith("_") and not part.startswith("__") for part in inner) and not is_native_importer:
        return f"only {NATIVE_IMPORTER} may import the native module, and no module another's private names"
    if not inner or inner[0] == "__version__":
        return None
    if inner[0] in ROOT_MODULES:
        misplaced = inner[0] in NOT_FOR_PURE_CODE and module[0] in PURE
        return f"{module[0]} needs no {inner[0]}" if misplaced else None
    row = _row(module)
    allowed = ROOT_MODULES[row] if row in ROOT_MODULES else MAY_IMPORT[row]
    wanted = {".".join(inner[:length]) for length in range(1, len(inner) + 1)}
    if row in wanted or wanted & allowed:
        return None
    return f"{row} may import of ours only {sorted(allowed)}"


def _foreign_reason(owner: str, top: str) -> str | None:
    if owner in PURE and top in IMPURE:
        return f"{owner} has no clock, log, randomness or outside world"
    if owner in THIRD_PARTY and top not in sys.stdlib_module_names and top not in THIRD_PARTY[owner]:
        return f"{owner} may import from outside only {sorted(THIRD_PARTY[owner])}"
    return None


FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def test_imports_follow_the_table() -> None:
    assert [each for path in FILES for each in violations(path, (ROOT / path).read_text(encoding="utf-8"))] == []


def test_every_package_and_module_of_the_root_is_in_a_table() -> None:
    assert {path.split("/")[0] for path in FILES if "/" in path} <= set(MAY_IMPORT)
    assert {path.removesuffix(".py") for path in FILES if "/" not in path} <= set(ROOT_MODULES) | {"stratum_job"}


def modules_imported(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """All modules of ours that this file imports, at the top, inside functions or for their types only."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    own = ".".join(parts).removesuffix(".__init__")
    names = {name for _, name in names_in(path.read_text(encoding="utf-8"), parts[:-1])}
    found = {name if name in modules else name.rpartition(".")[0] for name in names}
    return {name for name in found if name in modules} - {own}


def test_no_command_imports_a_command() -> None:
    modules = {f"stratum_miner.cli.{path.stem}": path for path in (ROOT / "cli").glob("*.py")}
    found = {name.rpartition(".")[2]: modules_imported(path, modules) for name, path in modules.items()}
    assert found.pop("entry") == {"stratum_miner.cli.main"}
    assert not {name: others for name, others in found.items() if others}


def circles(imports: Mapping[str, set[str]]) -> list[str]:
    """What is left of the modules when those that import none of the others are taken away, again and again."""
    left = {module: set(names) for module, names in imports.items()}
    while free := {module for module, names in left.items() if not names & set(left)}:
        left = {module: names for module, names in left.items() if module not in free}
    users = Counter(name for names in left.values() for name in names if name in left)
    while unused := {module for module in left if not users[module]}:  # they only stand above a circle
        for module in unused:
            users.subtract(name for name in left.pop(module) if name in users)
    return sorted(left)


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each module of ours, by its dotted name, with those that it imports."""
    return all_imports()


@cache
def all_imports() -> dict[str, set[str]]:
    modules = {"stratum_miner." + path.removesuffix(".py").replace("/", "."): ROOT / path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items() if path != ROOT / "__init__.py"}
    return {name: modules_imported(path, modules) for name, path in modules.items()}


def test_no_module_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    assert circles(imports) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}) == ["b", "c"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    """The packages that the modules of ``start`` import, also through others."""
    seen, new = set[str](), {module for module in imports if module.split(".")[1] == start}
    while new:
        seen |= new
        new = set().union(*(imports[module] for module in new)) - seen
    return {module.split(".")[1] for module in seen} - {start}


@pytest.mark.parametrize(
    ("witness", "others"),
    [
        ("client", {"downstream", "pool", "proxy"}),
        ("pool", {"client", "miner", "backends"}),
        ("conformance", {"client", "downstream", "pool"}),
        ("loadtest", {"client", "downstream", "pool"}),
        ("faults", {"client", "downstream", "pool"}),
    ],
)
def test_who_judges_another_shares_no_code_with_it(
    witness: str, others: set[str], imports: dict[str, set[str]]
) -> None:
    assert not others & reached(witness, imports)


def test_the_emulators_share_no_code_with_the_drivers_that_they_judge(imports: dict[str, set[str]]) -> None:
    users = [name for name, others in imports.items() if any(other.startswith(DRIVERS) for other in others)]
    assert users
    assert not [name for name in users if name.startswith(("stratum_miner.emulators", "stratum_miner.backends.cpu"))]


def test_the_table_has_no_cycles() -> None:
    remaining = {owner: {name.split(".")[0] for name in allowed} - {owner} for owner, allowed in MAY_IMPORT.items()}
    while remaining:
        leaves = {owner for owner, allowed in remaining.items() if not allowed & set(remaining)}
        assert leaves, f"a cycle among {sorted(remaining)}"
        remaining = {owner: allowed for owner, allowed in remaining.items() if owner not in leaves}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bitcoin/target.py", "import msgspec"),
        ("bitcoin/target.py", "from stratum_miner.work import job"),
        ("stratum/events.py", "import trio"),
        ("stratum/events.py", "def f():\n    from time import monotonic"),
        ("stratum/extensions/info.py", "import logging.handlers"),
        ("stratum/events.py", "from stratum_miner.work.job import Job"),
        ("stratum/events.py", "from ..work.job import Job"),
        ("stratum/extensions/info.py", "from ...work import job"),
        ("stratum/events.py", "import rich"),
        ("work/job.py", "from stratum_miner.stratum.events import JobAnnounced"),
        ("work/job.py", "import random"),
        ("backends/base.py", "from stratum_miner.stratum import framing"),
        ("backends/reference.py", "from stratum_miner.backends.cpu import _sha256d"),
        ("cli/bench.py", "import stratum_miner.backends.cpu._sha256d"),
        ("client/connection.py", "from stratum_miner.pool.pool import serve"),
        ("pool/pool.py", "from stratum_miner.client.dialing.url import dial"),
        ("pool/pool.py", "import stratum_miner.miner.miner"),
        ("pool/nodes/kernel.py", "from stratum_miner.backends import base"),
        ("miner/miner.py", "from stratum_miner.stratum import events"),
        ("conformance/probe.py", "from stratum_miner.client.connection import Session"),
        ("loadtest/generator.py", "from stratum_miner.pool.pool import serve"),
        ("monitoring/http.py", "from stratum_miner.miner.miner import Miner"),
        ("monitoring/http.py", "from stratum_miner import miner"),
        ("economics/luck.py", "from stratum_miner.work.job import Job"),
        ("testing/fakes.py", "from stratum_miner.cli import main"),
        ("monitoring/http.py", "from stratum_miner.app.process import secrets"),
        ("app/process/logs.py", "from stratum_miner.cli import main"),
        ("app/settings/mine.py", "from stratum_miner.cli import main"),
        ("monitoring/view.py", "from stratum_miner.app.process import logs"),
        ("capture/tap.py", "from stratum_miner.testing import lab"),
        ("work/job.py", "from stratum_miner import quantities"),
        ("foreign_text.py", "from stratum_miner import work"),
        ("client/connection.py", "from stratum_miner.client.dialing.url import _dial"),
    ],
)
def test_the_walk_finds_what_is_forbidden(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("stratum/envelope.py", "import re\nimport msgspec\nfrom stratum_miner.bitcoin.target import MAX_TARGET"),
        ("stratum/extensions/info.py", "from .. import fields"),
        ("backends/cpu/kernels.py", "from stratum_miner.backends.cpu import _sha256d"),
        ("backends/cpu/kernels.py", "from ._sha256d import ffi, lib"),
        ("client/connection.py", "import trio\nimport time\nfrom stratum_miner import __version__"),
        ("monitoring/http.py", "from stratum_miner.miner.snapshot import MinerSnapshot"),
        ("__main__.py", "from stratum_miner.cli.main import entry_point"),
        ("bitcoin/target.py", "from __future__ import annotations"),
    ],
)
def test_the_walk_lets_the_rest_through(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_the_pure_packages_run_without_any_of_it() -> None:
    """Not even indirectly: a fresh interpreter in which the rest cannot be imported."""
    modules = [
        "stratum_miner." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for path in FILES
        if path.split("/")[0] in PURE
    ]
    assert len(modules) > 20
    blocked = ["trio", "structlog", "cffi", "rich", "cyclopts"]
    program = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
