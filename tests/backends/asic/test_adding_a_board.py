"""A new chip, board or emulated device needs one file and one line: a copy of the package gets one of each."""

import json
import shutil
from pathlib import Path

import pytest

from tests.backends.asic.added.drive import NONCES
from tests.package_copy import add_line, copied, said

ADDED = Path(__file__).parent / "added"
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
    """A copy of the package that has them."""
    copy = copied(tmp_path_factory.mktemp("added"))
    for file, folder, table, name, line, opening in ADDITIONS:
        shutil.copy(ADDED / f"{file}.py", copy / folder)
        module = f"stratum_miner.{folder.replace('/', '.')}.{file}"
        add_line(copy / folder / f"{table}.py", opening, line, f"from {module} import {name}")
    return copy


def test_the_device_is_discovered_identified_by_its_chip_and_mined_with(added: Path) -> None:
    told = json.loads(said(added, str(ADDED / "drive.py"), "bitaxe-delta").splitlines()[-1])  # log lines stand above
    assert set(told["may be"]) == {"bitaxe-delta", "bitaxe-gamma", "bitaxe-supra", "bitaxe-ultra"}
    assert (told["name"], told["product"], told["chip"]) == ("bitaxe-delta-EBITAXE-DELTA", "Bitaxe Delta", "BM1371")
    assert told["nonces"] >= NONCES
    assert told["errors"] == 0


def test_the_commands_name_it(added: Path) -> None:
    assert "bitaxe-delta" in said(added, "-m", "stratum_miner", "emulate", "--help")
    arguments = ("mine", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--device", "bitaxe-delt:/dev/ttyACM0")
    assert "did you mean 'bitaxe-delta'" in said(added, "-m", "stratum_miner", *arguments, fails=True)
