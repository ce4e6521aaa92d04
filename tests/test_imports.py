"""Who may import whom: the architecture as a table, and a walk over every import that holds the code to it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "stratum_miner"

EVERYTHING = frozenset(
    [
        "bitcoin",
        "stratum",
        "work",
        "network",
        "backends",
        "client",
        "miner",
        "pool",
        "proxy",
        "capture",
        "conformance",
        "loadtest",
        "monitoring",
        "economics",
        "plots",
        "config",
        "testing",
        "cli",
    ]
)
MAY_IMPORT: dict[str, frozenset[str]] = {
    "bitcoin": frozenset(),
    "stratum": frozenset({"bitcoin"}),
    "work": frozenset({"bitcoin"}),
    "network": frozenset(),
    "backends": frozenset({"work", "bitcoin"}),
    "client": frozenset({"stratum", "work", "bitcoin"}),
    "pool": frozenset({"stratum", "work", "network", "bitcoin"}),  # never client: the two are independent witnesses
    "miner": frozenset({"client", "backends", "work", "bitcoin"}),
    "proxy": frozenset({"client", "pool", "stratum", "work", "network", "bitcoin"}),
    "capture": frozenset({"stratum", "network", "bitcoin"}),
    "conformance": frozenset({"stratum", "work", "network", "bitcoin", "backends", "capture"}),
    "loadtest": frozenset({"stratum", "work", "network", "bitcoin", "backends", "capture"}),
    # of the rest only the modules with the frozen snapshots and events that they hand out
    "monitoring": frozenset(
        [
            "work",
            "bitcoin",
            "economics",
            "network",
            "backends.statistics",
            "client.difficulties",
            "client.fate",
            "client.pools",
            "miner.events",
            "miner.statistics",
            "pool.endings",
            "pool.snapshot",
            "proxy.snapshot",
            "stratum.errors",
        ]
    ),
    "economics": frozenset({"bitcoin"}),
    "plots": frozenset(),
    "config": frozenset(),
    "testing": EVERYTHING - {"cli"},
    "cli": EVERYTHING,
}
"""Package to the packages, or single modules, of ours that it may import besides itself."""

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


def imported_names(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, relative imports resolved against ``package``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """What is wrong with the imports of the module at ``path``, relative to the package's root."""
    parts = path.split("/")
    owner = parts[0] if len(parts) > 1 else ""
    package = ["stratum_miner", *parts[:-1]]
    found = []
    for number, name in imported_names(ast.parse(source), package):
        reason = _reason(owner, path, name.split("."))
        if reason:
            found.append(f"stratum_miner/{path}:{number}: {name}: {reason}")
    return found


def _reason(owner: str, path: str, name: list[str]) -> str | None:
    if name[0] != "stratum_miner":
        return _foreign_reason(owner, name[0])
    inner = name[1:]
    if any(part.startswith("_") and not part.startswith("__") for part in inner) and path != NATIVE_IMPORTER:
        return f"only {NATIVE_IMPORTER} may import the native module, and no module another's private names"
    if not owner or not inner or inner[0] not in EVERYTHING or inner[0] == owner:
        return None  # the root modules are the command's; the root itself holds the version only
    allowed = MAY_IMPORT[owner]
    if inner[0] in allowed or ".".join(inner[:2]) in allowed:
        return None
    return f"{owner} may import of ours only {sorted(allowed)}"


def _foreign_reason(owner: str, top: str) -> str | None:
    if owner in PURE and top in IMPURE:
        return f"{owner} has no clock, log, randomness or outside world"
    if owner in THIRD_PARTY and top not in sys.stdlib_module_names and top not in THIRD_PARTY[owner]:
        return f"{owner} may import from outside only {sorted(THIRD_PARTY[owner])}"
    return None


FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_imports_follow_the_table(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_every_package_is_in_the_table() -> None:
    packages = {path.split("/")[0] for path in FILES if "/" in path}
    assert packages <= set(MAY_IMPORT)
    assert set(MAY_IMPORT) == EVERYTHING


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
        ("client/session.py", "from stratum_miner.pool.server import serve"),
        ("pool/server.py", "from stratum_miner.client.connect import dial"),
        ("pool/server.py", "import stratum_miner.miner.miner"),
        ("pool/nodes/kernel.py", "from stratum_miner.backends import base"),
        ("miner/miner.py", "from stratum_miner.stratum import events"),
        ("conformance/probe.py", "from stratum_miner.client.session import Session"),
        ("loadtest/fleet.py", "from stratum_miner.pool.server import serve"),
        ("monitoring/http.py", "from stratum_miner.miner.miner import Miner"),
        ("monitoring/http.py", "from stratum_miner import miner"),
        ("economics/luck.py", "from stratum_miner.work.job import Job"),
        ("testing/fakes.py", "from stratum_miner.cli import main"),
        ("client/session.py", "from stratum_miner.client.connect import _dial"),
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
        ("client/session.py", "import trio\nimport time\nfrom stratum_miner import __version__"),
        ("monitoring/http.py", "from stratum_miner.miner.statistics import MinerSnapshot"),
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
