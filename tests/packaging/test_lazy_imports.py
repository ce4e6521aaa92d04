"""Packages that only some users need are not imported for the others: ``docs/explanation/dependencies.md``."""

import subprocess
import sys

import pytest

SERVERS = frozenset({"anyio", "prometheus_client", "starlette"})
"""What only a server over HTTP needs."""
SELDOM = frozenset({"anyio", "distributed", "pbk", "pytest", "python_socks", "trustme"})


@pytest.mark.parametrize("command", ["mine --help", "pool --help", "proxy --help"])
def test_what_few_users_need_is_imported_for_them_alone(command: str) -> None:
    program = [sys.executable, "-X", "importtime", "-m", "stratum_miner", *command.split()]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"stratum_miner", "cyclopts"} <= imported
    assert imported & (SERVERS | SELDOM) == set()
