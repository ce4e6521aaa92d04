"""How many files may be open, and which of them are ours alone."""

import errno
import os
import resource

import pytest

from stratum_miner.app.process import signals
from stratum_miner.network import files

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 20_000), (20_000, 20_000)),
        ((1024, 1 << 30), (files.PLENTY, 1 << 30)),
        ((1024, UNLIMITED), (files.PLENTY, UNLIMITED)),
        ((100_000, 200_000), (100_000, 200_000)),
        ((1024, 1024), (1024, 1024)),
        ((UNLIMITED, UNLIMITED), (UNLIMITED, UNLIMITED)),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits = {"now": before}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))
    assert files.allow() == (-1 if after[0] == UNLIMITED else after[0])
    assert limits["now"] == after


def test_more_is_taken_where_more_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (1024, 200_000)}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))
    assert files.allow(100_000) == 100_000


def test_a_system_that_refuses_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, UNLIMITED))
    monkeypatch.setattr("resource.setrlimit", refuse)
    assert files.allow() == 1024


def test_where_the_system_has_a_lower_limit_of_its_own_it_is_approached(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, where a process begins with 256 files and an unlimited hard limit."""
    limits = {"now": (256, UNLIMITED)}

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > 10_240:
            raise ValueError("current limit exceeds maximum limit")
        limits["now"] = wanted

    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", set_limit)
    assert files.allow() == 8192


def test_every_command_that_runs_may_open_them(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (256, 4096)}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))

    async def look(_: signals.Stop) -> None:
        assert limits["now"] == (4096, 4096)

    try:
        signals.run(look)
    finally:
        signals.enter(signals.ProcessPhase.STARTING)


@pytest.mark.parametrize(("limit", "spare"), [(64, 16), (128, 32), (20_000, 32)])
def test_a_few_are_kept(monkeypatch: pytest.MonkeyPatch, limit: int, spare: int) -> None:
    numbers: list[int] = []
    monkeypatch.setattr("os.dup", lambda _: numbers[-1])
    monkeypatch.setattr("os.close", lambda _: None)
    numbers.append(limit - spare - 1)
    files.keep_spare(limit, 0)
    files.keep_spare(-1, 0)
    numbers.append(limit - spare)
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as raised:
        files.keep_spare(limit, 0)
    assert raised.value.errno == errno.EMFILE
