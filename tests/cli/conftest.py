"""Lets commands that run in the test process search at the priority of the tests beside them."""

import pytest


@pytest.fixture(autouse=True)
def search_is_not_starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a search of the lowest priority, which is the default, may find nothing for minutes."""
    monkeypatch.setattr("stratum_miner.backends.cpu.backend.NICE", 0)
