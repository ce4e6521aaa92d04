"""Foreign programs that are on no package registry: miners, pools and nodes that somebody has built by hand."""

import os
import shutil

import pytest


def foreign_program(name: str) -> str:
    """Return the path of the program that the environment variable ``STRATUM_MINER_TEST_<name>`` names.

    Without the variable, skip the test. With one that names no program, fail: the caller meant to run it.
    """
    variable = f"STRATUM_MINER_TEST_{name}"
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} is not set: it names the program to test with")
    path = shutil.which(named)
    assert path is not None, f"{variable}: expected the path of a program, got {named!r}"
    return path
