"""The locked requirements against pyproject.toml: whoever changes one has to change the other, with ``make lock``."""

import re
import tomllib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
NAMES = ("all.txt", "build.txt", "demo.txt", "release.txt", "runtime.txt")
OUT_OF_STEP = "pyproject.toml and requirements/ disagree: make lock"
OURS = re.compile(r"^ {4}#(?: via)? +stratum-miner \(pyproject\.toml(?::\w+)?\)$", re.MULTILINE)
"""The remark that pyproject.toml itself asks for what stands above it."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock file."""

    pin: Requirement
    hashes: frozenset[str]
    is_ours: bool
    """Whether pyproject.toml names it, rather than some other package."""

    @property
    def version(self) -> str:
        [specifier] = self.pin.specifier
        assert specifier.operator == "=="
        return specifier.version


def read(name: str) -> dict[str, Locked]:
    """The packages of a lock file by their name. AssertionError for a line that is none of a package's."""
    packages: dict[str, Locked] = {}
    text = re.sub(r"\A(#.*\n)+", "", (FOLDER / name).read_text())
    for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
        head, *rest = [line.rstrip(" \\") for line in entry.splitlines()]
        pin = Requirement(head)
        hashes = frozenset(line.strip() for line in rest if not line.startswith("    #"))
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), entry
        packages[canonicalize_name(pin.name)] = Locked(pin, hashes, OURS.search(entry) is not None)
    return packages


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group(name: str) -> list[Requirement]:
    found = []
    for item in project()["dependency-groups"][name]:
        found += group(item["include-group"]) if isinstance(item, dict) else [Requirement(item)]
    return found


def wanted(name: str) -> list[Requirement]:
    """What pyproject.toml asks for in the lock file of this name."""
    table = project()["project"]
    runtime = [Requirement(text) for text in table["dependencies"]]
    extras = {
        extra: [Requirement(text) for text in texts]
        for extra, texts in table["optional-dependencies"].items()
        if extra != "all"
    }
    return {
        "all.txt": [*runtime, *chain(*extras.values()), *group("dev")],
        "build.txt": group("build"),
        # the commands that the demo names at its end need the page
        "demo.txt": [*runtime, *extras["regtest"], *extras["page"], *group("build")],
        "release.txt": group("release"),
        "runtime.txt": [*runtime, *extras["page"], *extras["metrics"]],  # the container serves its page
    }[name]


@pytest.mark.parametrize("name", NAMES)
def test_all_that_the_project_asks_for_is_locked_in_a_version_that_fits(name: str) -> None:
    locked = read(name)
    for requirement in wanted(name):
        found = locked.get(canonicalize_name(requirement.name))
        assert found is not None, f"{requirement} is not in {name}. {OUT_OF_STEP}"
        assert requirement.specifier.contains(found.version, prereleases=True), f"{requirement}: {OUT_OF_STEP}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_locked_that_the_project_no_longer_asks_for(name: str) -> None:
    ours = {package for package, found in read(name).items() if found.is_ours}
    assert ours == {canonicalize_name(requirement.name) for requirement in wanted(name)}, OUT_OF_STEP


@pytest.mark.parametrize("name", NAMES)
def test_every_package_is_one_version_with_hashes(name: str) -> None:
    packages = read(name)
    assert len(packages) >= 10
    assert [package for package, found in packages.items() if not found.hashes or not found.version] == []


@pytest.mark.parametrize("name", ["build.txt", "demo.txt", "runtime.txt"])
def test_the_smaller_files_are_parts_of_the_whole_one(name: str) -> None:
    whole = read("all.txt")
    for package, found in read(name).items():
        assert (found.pin.specifier, found.hashes) == (whole[package].pin.specifier, whole[package].hashes)


@pytest.mark.parametrize("name", NAMES)
def test_no_registry_is_named(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert re.search(r"://|^\s*-(?!-hash=)", text, re.MULTILINE) is None


def test_what_builds_the_package_is_in_the_group_that_is_locked() -> None:
    locked = {canonicalize_name(item.name): item.specifier for item in group("build")}
    for text in project()["build-system"]["requires"]:
        requirement = Requirement(text)
        assert locked[canonicalize_name(requirement.name)] == requirement.specifier
