"""Two builds of one commit are the same two files, byte for byte, whatever the folder, the umask and the dates."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMITTED_AT = "1700000000"


def build(folder: Path, umask: int, file_date: int) -> dict[str, str]:
    """Both distributions, each made of a checkout in this folder: the digest of each file by its name."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True, umask=umask)
    for path in folder.rglob("*"):
        os.utime(path, (file_date, file_date))
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(folder / "dist")],
        cwd=folder, env={**os.environ, "SOURCE_DATE_EPOCH": COMMITTED_AT}, umask=umask, capture_output=True, check=True,
    )  # fmt: skip
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "dist").iterdir()}


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="builds twice, for a minute: in CI only")
def test_two_builds_of_one_commit_are_the_same_files(tmp_path: Path) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    first = build(tmp_path / "here", umask=0o022, file_date=1_600_000_000)
    second = build(tmp_path / "some" / "where" / "else", umask=0o077, file_date=1_650_000_000)
    assert len(first) == 2
    assert first == second
