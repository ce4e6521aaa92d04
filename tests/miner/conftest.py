"""Fixtures for tests of miners and share journals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from stratum_miner.miner.journal import Journal
from tests.miner.journals import CLOCK, Events, Opener


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens share journals, and closes them at the end."""
    journals: list[Journal] = []

    def open_journal(path: Path, **options: Any) -> Journal:
        journals.append(Journal(path, wall_clock=CLOCK, **options))
        return journals[-1]

    yield open_journal
    for it in journals:
        if it._writer.is_alive():
            it.close()


@pytest.fixture
def logged() -> Iterator[Events]:
    with structlog.testing.capture_logs() as events:
        yield events
