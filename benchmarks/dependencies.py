"""Measures the sizes and import times of all dependencies, for the table of docs/explanation/dependencies.md.

    python -m benchmarks.dependencies [--rounds 7]

The packages are those of the environment that runs this script. uv reads the release dates from the package registry.
The cost of an import is the processor time of a process that imports the package, minus that of a process that imports
nothing. The two processes alternate, so that a computer whose speed drifts changes the result little.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.record import ROOT, Rows, add_save_option

IMPORTS = {
    "cffi": "_cffi_backend",
    "prometheus-client": "prometheus_client",
    "py-bitcoinkernel": "pbk",
    "python-socks": "python_socks.async_.trio",
    "rich": "rich.console",
    "starlette": "starlette.applications",
    "tomli-w": "tomli_w",
}
"""The module that stratum-miner imports from a package, if its name differs from that of the package."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, help="number of measurements of each import [default: 7]")
    add_save_option(parser)
    arguments = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    table = project["project"]
    runtime = [Requirement(text) for text in table["dependencies"]]
    extras = [
        Requirement(text) for extra, texts in table["optional-dependencies"].items() if extra != "all" for text in texts
    ]
    groups = project["dependency-groups"]
    tools = [Requirement(text) for name in ("build", "dev") for text in groups[name] if isinstance(text, str)]
    released = release_dates()
    columns = ("package", "release", "date", "only through it: packages", "MB", "import, ms of processor time")
    rows = Rows("dependencies", "python -m benchmarks.dependencies", columns)
    base: frozenset[str] = frozenset()
    for requirements, is_imported in ((runtime, True), (extras, True), (tools, False)):
        for requirement in unique(requirements):
            others = frozenset[str]().union(
                *(closure(other) for other in requirements if other.name != requirement.name)
            )
            alone = closure(requirement) - others - base
            name = canonicalize_name(requirement.name)
            milliseconds = f"{import_cost(name, arguments.rounds):.0f}" if is_imported else ""
            weight = f"{sum(size(package) for package in alone) / 1e6:.1f}"
            day = str(released.get(name, ""))
            rows.add(name, metadata.version(name), day, str(len(alone)), weight, milliseconds)
        base = base.union(*(closure(requirement) for requirement in requirements))
        rows.add("*all so far*", "", "", str(len(base)), f"{sum(size(package) for package in base) / 1e6:.1f}", "")
    if arguments.save:
        rows.save()


def unique(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Return the requirements sorted by name, each name once."""
    return [found for _, found in sorted({item.name: item for item in requirements}.items())]


def release_dates() -> dict[str, date]:
    """Return for each package the day on which the first file of its locked release was uploaded."""
    command = [
        "uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11",
        "--all-extras", "--group", "dev", "--constraint", "requirements/all.txt", "--format", "pylock.toml",
    ]  # fmt: skip
    command[0] = str(Path(sys.executable).with_name("uv"))
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for package in tomllib.loads(answer)["packages"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        found[package["name"]] = min(file["upload-time"] for file in files).date()
    return found


def closure(requirement: Requirement, extra: str = "") -> frozenset[str]:
    """Return the names of a package and of all packages that it needs, directly or indirectly.

    The set is empty if the environment marker of the requirement excludes this environment.
    """
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
        return frozenset()
    return brought(canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))


@cache
def brought(name: str, extras: tuple[str, ...]) -> frozenset[str]:
    found = {name}
    for text in metadata.requires(name) or []:
        for extra in extras or ("",):
            found |= closure(Requirement(text), extra)
    return frozenset(found)


@cache
def size(name: str) -> int:
    """Return the size of the installed files of a package in bytes, including the .pyc files that pip made."""
    paths = [file.locate() for file in metadata.files(name) or []]
    return sum(Path(str(path)).stat().st_size for path in paths if Path(str(path)).exists())


def import_cost(name: str, rounds: int) -> float:
    """Return how many milliseconds of processor time an import of the package takes (the median of all rounds).

    The start of the interpreter itself is not included.
    """
    module = IMPORTS.get(name, name.replace("-", "_"))
    return statistics.median(processor_ms(f"import {module}") - processor_ms("pass") for _ in range(rounds))


def processor_ms(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
