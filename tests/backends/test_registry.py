"""Backends by name: those of this package, and those that other packages register."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from stratum_miner.backends import registry
from stratum_miner.backends.base import BackendError, BackendOptionError
from stratum_miner.backends.reference import ReferenceBackend


def register(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_backends_of_this_package_are_listed() -> None:
    assert {"cpu", "reference", "simulated"} <= set(registry.available())
    for name in ("cpu", "reference", "simulated"):
        assert registry.load(name).name == name


def test_backends_of_this_package_need_no_installed_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    assert registry.load("reference") is ReferenceBackend


def test_another_packages_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, EntryPoint("theirs", "stratum_miner.backends.reference:ReferenceBackend", registry.GROUP))
    assert registry.load("theirs") is ReferenceBackend
    assert "theirs" in registry.available()


@pytest.mark.parametrize("value", ["no_such_module:Thing", "json:no_such_name", "json:dumps", "json:JSONDecoder"])
def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    register(monkeypatch, EntryPoint("theirs", value, registry.GROUP))
    with pytest.raises(BackendError, match="backend 'theirs' of an unknown package"):
        registry.load("theirs")


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(BackendOptionError, match="did you mean 'simulated'"):
        registry.create("simulatd", {})


def test_options_reach_the_backend() -> None:
    backend: Any = registry.create("simulated", {"hash_rate": "2.5MH/s", "seed": "7"})
    assert backend.hash_rate == 2.5e6
    with pytest.raises(BackendOptionError, match="did you mean 'hash_rate'"):
        registry.create("simulated", {"hashrate": "1MH"})
    with pytest.raises(BackendOptionError, match="such as 1MH"):
        registry.create("simulated", {"hash_rate": "fast"})
    with pytest.raises(BackendOptionError, match="unknown option"):
        registry.create("reference", {"threads": "1"})
