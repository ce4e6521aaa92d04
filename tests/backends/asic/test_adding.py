"""A chip, a board and an emulated device are each one file and one line more: a copy of the package is given them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stratum_miner
from stratum_miner.backends.cpu import _native
from tests.backends.asic.added.drive import NONCES

PACKAGE = Path(stratum_miner.__file__).parent
ADDED = Path(__file__).parent / "added"
ROOT = Path(__file__).parents[3]
ADDITIONS = [
    ("bm1371", "backends/asic/chips", "__init__", "Bm1371Chain", '    "bm1371": Bm1371Chain,', "= {\n"),
    (
        "bitaxe_delta",
        "backends/asic/boards",
        "__init__",
        "BITAXE_DELTA",
        "        BITAXE_DELTA,",
        "    for board in (\n",
    ),
    ("emulated_delta", "emulators", "kinds", "BITAXE_DELTA", "        BITAXE_DELTA,", "    for kind in (\n"),
]
"""A file, the folder it goes to, the table there, the name that is imported, its line, and what that line follows."""


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a copy of the package is that has them."""
    root = tmp_path_factory.mktemp("added")
    copy = root / "stratum_miner"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_native.__file__, copy / "backends" / "cpu")
    for file, folder, table_name, name, line, opening in ADDITIONS:
        shutil.copy(ADDED / f"{file}.py", copy / folder)
        table = copy / folder / f"{table_name}.py"
        module = f"stratum_miner.{folder.replace('/', '.')}.{file}"
        head, found, rest = table.read_text(encoding="utf-8").partition(opening)
        assert found
        before, marker, after = head.partition("\nfrom stratum_miner")
        text = f"{before}\nfrom {module} import {name}{marker}{after}{found}{line}\n{rest}"
        table.write_text(text, encoding="utf-8")
    return root


def run(added: Path, *arguments: str) -> str:
    """Python with the copy in place of the package, what is installed beside it and these tests."""
    installed = [path for path in sys.path if path.endswith("site-packages")]
    path = os.pathsep.join([str(added), *installed, str(ROOT)])
    # without site, which would put the package that is installed for development first
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=added,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_device_is_discovered_told_by_its_chip_and_mined_with(added: Path) -> None:
    told = json.loads(run(added, str(ADDED / "drive.py"), "bitaxe-delta").splitlines()[-1])  # log lines stand above
    assert set(told["may be"]) == {"bitaxe-delta", "bitaxe-gamma", "bitaxe-supra", "bitaxe-ultra"}
    assert (told["name"], told["product"], told["chip"]) == ("bitaxe-delta-EBITAXE-DELTA", "Bitaxe Delta", "BM1371")
    assert told["nonces"] >= NONCES
    assert told["errors"] == 0


def test_the_commands_name_it(added: Path) -> None:
    assert "bitaxe-delta" in run(added, "-m", "stratum_miner", "emulate", "--help")
    known = "from stratum_miner.backends.asic.device_spec import DeviceSpec; DeviceSpec.parse('bitaxe-delta:auto')"
    assert run(added, "-c", known) == ""
