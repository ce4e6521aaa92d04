"""The wheel, installed away from the checkout, does the main jobs.

``STRATUM_MINER_TEST_INSTALLED`` names its program, as in ``/tmp/bare/bin/stratum-miner``, of an environment with the
extra ``regtest``. Without the variable, the tests skip; .ci/run sets it.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.program import Program, Programs, until
from tests.foreign_program import foreign_program

ROOT = Path(__file__).parents[2]
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SECONDS = 120
"""For one command. The longest takes ten."""


class Installed(Programs):
    """Runs the installed program, in a directory from which nothing of the checkout is imported."""

    def __init__(self, directory: Path, program: str) -> None:
        super().__init__(directory, [program])
        self._program = program

    def done(self, *arguments: str, code: int = 0) -> Any:
        """Run a command until its end, and return what it printed as JSON."""
        done = subprocess.run(
            [self._program, *arguments, "--json"], cwd=self.directory, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return json.loads(done.stdout.splitlines()[-1] if done.stdout.count("\n{") else done.stdout)

    def mined(self, url: str, *arguments: str) -> None:
        """Mine until five shares are accepted."""
        search = arguments or ("--backend", "simulated")
        result = self.done("mine", "--no-config", "-o", url, "-u", ADDRESS, "--until-shares", "5", *search)
        assert result["shares"]["accepted"] >= 5


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    programs = Installed(tmp_path_factory.mktemp("elsewhere"), foreign_program("INSTALLED"))
    try:
        yield programs
    finally:
        programs.end()


@pytest.fixture(scope="module")
def pool(installed: Installed) -> str:
    """The URL of a pool on the embedded node, at whose difficulty a share takes a hundredth of a second."""
    listen = ("--listen", "127.0.0.1:0", "--difficulty", "1e-6", "--log-format", "json")
    return _url(installed.start("pool", "pool", "--node", "kernel", "--address", ADDRESS, *listen))


def _url(program: Program) -> str:
    return f"stratum+tcp://127.0.0.1:{program.address('ready', 'url')}"


def test_it_is_not_the_checkout(installed: Installed) -> None:
    python = Path(foreign_program("INSTALLED")).parent / "python"
    ask = "import stratum_miner; print(stratum_miner.__path__[0])"
    where = subprocess.run([python, "-c", ask], cwd=installed.directory, capture_output=True, text=True, check=True)
    assert ROOT not in Path(where.stdout.strip()).parents


def test_ping(installed: Installed, pool: str) -> None:
    assert installed.done("ping", pool)


def test_mine(installed: Installed, pool: str) -> None:
    installed.mined(pool)


def test_mine_with_the_processor(installed: Installed, pool: str) -> None:
    installed.mined(pool, "-t", "1", "--backend-option", "priority=normal")


def test_proxy(installed: Installed, pool: str) -> None:
    listen = ("--listen", "127.0.0.1:0", "--log-format", "json")
    installed.mined(_url(installed.start("proxy", "proxy", "--no-config", "-o", pool, "-u", ADDRESS, *listen)))


def test_bench(installed: Installed) -> None:
    assert installed.done("bench", "--seconds", "0.1")


def test_conformance(installed: Installed, pool: str) -> None:
    report = installed.done("conformance", pool, "-u", ADDRESS, "--only", "HS-01", "--only", "JOB-01")
    assert len(report["checks"]) == 2


def test_emulate(installed: Installed, pool: str) -> None:
    emulator = installed.start("emulate", "emulate", "erupter", "--link", "./stick", "--nonce-difficulty", "1e-5")
    stick = installed.directory / "stick"
    until(stick.exists, "the link to the emulated stick is there", emulator)
    installed.mined(pool, "--device", "erupter:./stick,nonce-difficulty=1e-5")
