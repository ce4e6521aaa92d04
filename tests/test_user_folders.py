"""Where a user's files are kept, by the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stratum_miner import user_folders

FOLDERS = [
    (user_folders.configuration, "XDG_CONFIG_HOME", ".config"),
    (user_folders.state, "XDG_STATE_HOME", ".local/state"),
    (user_folders.cache, "XDG_CACHE_HOME", ".cache"),
]


@pytest.mark.parametrize(("folder", "variable", "usual"), FOLDERS)
def test_the_variable_names_it_when_its_path_is_absolute(
    monkeypatch: pytest.MonkeyPatch, folder: Callable[[], Path], variable: str, usual: str
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv(variable, "/var/lib")
    assert folder() == Path("/var/lib/stratum-miner")
    for ignored in ("", "relative/path", "~/x"):
        monkeypatch.setenv(variable, ignored)
        assert folder() == Path("/home/somebody", usual, "stratum-miner")
    monkeypatch.delenv(variable)
    assert folder() == Path("/home/somebody", usual, "stratum-miner")
