"""The workflows that test and publish: what they name is there, what they run is pinned, and only a tag publishes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.release_notes import notes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+\n")
BY_BRANCH = "uses: pypa/gh-action-pypi-publish@release/v1\n"
"""Its makers advise this branch; the workflow's first lines ask the owner to replace it."""


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def test_there_are_two() -> None:
    assert NAMES == ["release.yml", "test.yml"]


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_a_commit(name: str) -> None:
    text = (FOLDER / name).read_text()
    used = re.findall(r"uses: .*\n", text)
    assert len(used) > 2
    assert [line for line in used if not PINNED.fullmatch(line)] == ([BY_BRANCH] if name == "release.yml" else [])


@pytest.mark.parametrize("name", NAMES)
def test_every_job_has_a_time_limit_and_only_the_rights_that_it_needs(name: str) -> None:
    found = workflow(name)
    assert found["permissions"] in ({}, {"contents": "read"})
    writes = {
        job: sorted(right for right, value in wanted.get("permissions", {}).items() if value == "write")
        for job, wanted in found["jobs"].items()
    }
    assert all(job["timeout-minutes"] <= 90 for job in found["jobs"].values())
    expected = {"announce": ["contents"], "check": ["attestations", "id-token"], "publish": ["id-token"]}
    assert {job: rights for job, rights in writes.items() if rights} == (expected if name == "release.yml" else {})


@pytest.mark.parametrize("name", NAMES)
def test_files_and_targets_that_a_step_names_are_there(name: str) -> None:
    steps = [step["run"] for job in workflow(name)["jobs"].values() for step in job["steps"] if "run" in step]
    text = "\n".join(steps)
    files = set(re.findall(r"(?:requirements|tests|examples)/[\w./-]+", text))
    assert [file for file in files if not (ROOT / file).exists()] == []
    targets = set(re.findall(r"^make ([a-z-]+)$", text, re.MULTILINE))
    assert len(targets) > 1 or name == "release.yml"
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_only_a_tag_publishes_and_only_what_was_tested() -> None:
    jobs = workflow("release.yml")["jobs"]
    assert jobs["publish"]["if"] == "github.ref_type == 'tag'"
    assert jobs["publish"]["needs"] == "check"
    assert jobs["announce"]["needs"] == "publish"
    assert set(jobs["check"]["needs"]) == {"sdist", "wheels"}
    platforms = {item["platform"]: item["runner"] for item in jobs["wheels"]["strategy"]["matrix"]["include"]}
    assert platforms == {
        "linux-x86_64": "ubuntu-24.04",
        "linux-aarch64": "ubuntu-24.04-arm",
        "macos-arm64": "macos-15",
        "macos-x86_64": "macos-15-intel",
    }


def test_wheels_are_built_for_the_oldest_python_and_tested_with_the_newer_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    settings = project["tool"]["cibuildwheel"]
    assert settings["build"][0] == f"{project['tool']['scikit-build']['wheel']['py-api']}-*"
    assert settings["archs"] == ["native"]
    assert {text.partition("_")[0] for text in settings["linux"].values()} == {"manylinux", "musllinux"}
    for command in settings["test-command"]:
        files = re.findall(r"\{package\}/(\S+)", command)
        assert all((ROOT / file).exists() for file in files)
    assert set(settings["test-extras"]) <= set(project["project"]["optional-dependencies"])


# ---- the version -------------------------------------------------------------------------------------------------

CHANGELOG = """\
# Changes

## Unreleased

### Added

- x

## 1.2.3 - 2026-12-01

### Fixed

- y

## 1.2.2 - 2026-11-01

- z
"""


def test_the_notes_of_a_release_are_its_section() -> None:
    assert notes("v1.2.3", "1.2.3", CHANGELOG) == "### Fixed\n\n- y\n"
    assert notes("v1.2.2", "1.2.2", CHANGELOG) == "- z\n"


@pytest.mark.parametrize(
    ("tag", "version", "needle"),
    [
        ("v1.2.4", "1.2.3", "expected the tag v1.2.3"),
        ("1.2.3", "1.2.3", "expected the tag v1.2.3"),
        ("v1.3.0", "1.3.0", "expected a section '## 1.3.0 - YEAR-MONTH-DAY'"),
        ("v1.2", "1.2", "expected a section"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, version: str, needle: str) -> None:
    with pytest.raises(ValueError, match=re.escape(needle)):
        notes(tag, version, CHANGELOG)


def test_the_version_stands_in_one_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    for path in [*(ROOT / "stratum_miner").rglob("*.py"), ROOT / "Dockerfile", ROOT / "mkdocs.yml", *FOLDER.glob("*")]:
        assert version not in re.sub(r"#.*", "", path.read_text(encoding="utf-8")), path


def test_the_owner_fills_in_the_address_of_the_repository_in_one_place() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    urls = tomllib.loads(text)["project"].get("urls", {})
    assert ("# [project.urls]" in text) is not bool(urls)
    assert all("HOST/OWNER" not in url for url in urls.values())
