"""How the compiled module is protected, as the installed file itself says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stratum_miner.backends.cpu import _native

ROOT = Path(__file__).parents[2]


def read(*options: str) -> str:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("readelf is not installed")
    command = [readelf, "--wide", *options, str(_native.__file__)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_its_tables_of_pointers_are_read_only_once_it_is_loaded() -> None:
    assert "GNU_RELRO" in read("--program-headers")
    assert "BIND_NOW" in read("--dynamic")


def test_no_memory_is_both_writable_and_executable() -> None:
    lines = read("--program-headers").splitlines()
    assert any("GNU_STACK" in line for line in lines)
    assert not [line for line in lines if "RWE" in line]


def test_an_overrun_of_the_stack_ends_the_process() -> None:
    assert "__stack_chk_fail" in read("--dyn-syms")


def test_it_does_not_say_where_it_was_built() -> None:
    content = Path(str(_native.__file__)).read_bytes()
    assert str(ROOT).encode() not in content
