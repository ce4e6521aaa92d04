"""A command in this process."""

import pytest

from stratum_miner.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Its exit code, and what it wrote to both streams."""
    code = main.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err
