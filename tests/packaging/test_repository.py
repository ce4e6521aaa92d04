"""What is committed, and so what a source distribution carries: sources, and nothing that a tool left behind."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]

HIDDEN = frozenset({".ci", ".github", ".dockerignore", ".gitignore", ".npmrc"})
"""Names with a leading dot that a person wrote. Every other one is some tool's cache or its settings."""
LEFT_BEHIND = frozenset({"__pycache__", "build", "dist", "node_modules"})
COMPILED = frozenset({".a", ".o", ".pyc", ".so"})
CAPTURED = frozenset({".err", ".log", ".out"})
"""What somebody kept of a run that he looked at."""


def is_left_behind(path: PurePosixPath) -> bool:
    """Whether a tool or a run made this file: a cache, a build, a compiled module, an output."""
    return path.suffix in COMPILED | CAPTURED or any(
        part in LEFT_BEHIND or (part.startswith(".") and part not in HIDDEN) for part in path.parts
    )


def committed() -> list[PurePosixPath]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [PurePosixPath(name) for name in listing.split("\0") if name]


def test_nothing_that_a_tool_or_a_run_made_is_committed() -> None:
    files = committed()
    assert PurePosixPath("pyproject.toml") in files
    assert [str(path) for path in files if is_left_behind(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".schemathesis/default/cache/crashes/manifest.json",
        ".hypothesis/unicode_data/charmap.json.gz",
        "stratum_miner/__pycache__/config.cpython-311.pyc",
        "stratum_miner/backends/cpu/_native.abi3.so",
        "tests/realpool/node_modules/x/package.json",
        "http.err",
    ],
)
def test_what_tools_leave_is_recognised_and_ignored(path: str) -> None:
    assert is_left_behind(PurePosixPath(path))
    committed()
    assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode == 0
