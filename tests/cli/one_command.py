"""Runs a command in this process."""

import pytest

from stratum_miner.cli import main


class ReachedError(Exception):
    """The command has taken its options apart, and would begin to work now."""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command and return its exit code, stdout and stderr."""
    code = main.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err
