"""Fixtures for tests of commands."""

import os
from collections.abc import Iterator, Mapping

import pytest

from tests.cli import option_files


@pytest.fixture(autouse=True)
def search_is_not_starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a search of the lowest priority, which is the default, may find nothing for minutes."""
    monkeypatch.setattr("stratum_miner.backends.cpu.backend.NICE", 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The files that options name, by the names that stand for their paths in tables of command lines."""
    return option_files.written_to(tmp_path_factory.mktemp("files"))


@pytest.fixture
def terminal() -> Iterator[str]:
    """The path of a pseudo-terminal, which stands for a serial device."""
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)
