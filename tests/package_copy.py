"""A copy of the package that something is added to, for tests that adding it is one file and one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import stratum_miner
from stratum_miner.backends.cpu import _native

PACKAGE = Path(stratum_miner.__file__).parent
ROOT = Path(__file__).parents[1]


def copied(to: Path) -> Path:
    """The package once more, inside ``to``, with its compiled modules, which take a second and a half to make again.
    Python makes again those whose source a test changes.
    """
    copy = to / "stratum_miner"
    shutil.copytree(PACKAGE, copy)
    shutil.copy(_native.__file__, copy / "backends" / "cpu")
    return copy


def python(*arguments: str) -> list[str]:
    """A command: Python without site, which would put the package that is installed for development first."""
    return [sys.executable, "-S", *arguments]


def environment(copy: Path) -> dict[str, str]:
    """For that command: the copy in place of the package, what is installed beside it and these tests."""
    installed = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy.parent), *installed, str(ROOT)])}


def add_line(table: Path, opening: str, line: str, wanted: str = "") -> None:
    """Put a line after ``opening``, and the import that it needs before the first one of ours."""
    head, found, rest = table.read_text(encoding="utf-8").partition(opening)
    assert found, f"{table.name} has no {opening!r}"
    if wanted:
        before, marker, after = head.partition("\nfrom stratum_miner")
        head = f"{before}\n{wanted}{marker}{after}"
    table.write_text(f"{head}{found}{line}\n{rest}", encoding="utf-8")


def said(copy: Path, *arguments: str, fails: bool = False) -> str:
    """What such a command writes, to either of its outputs. It has to succeed unless ``fails``."""
    done = subprocess.run(
        python(*arguments), cwd=copy.parent, env=environment(copy), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) is fails, done.stdout
    return done.stdout
