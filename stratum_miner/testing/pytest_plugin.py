"""The pytest plugin: pools, miners and what stands between them as fixtures.

Every run of pytest in an environment that has this package imports this module, whether or not its tests use a fixture.
So it imports nothing of ours before a fixture is asked for: then it costs a run two milliseconds. What waits has a
plain face and, with ``_async`` at its end, one to be awaited in asyncio and trio tests alike.
``docs/testing-your-pool.md`` shows them.
"""

import argparse
from collections.abc import Callable, Generator, Iterator
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stratum_miner.emulators import Emulator
    from stratum_miner.testing.lab_tls import LabTls
    from stratum_miner.testing.portal_lab import (
        AsyncLab,
        AsyncMiner,
        AsyncPool,
        SyncLab,
        SyncMiner,
        SyncPool,
        SyncTap,
    )

SHOWN = 40
"""Lines of the conversation in the report of a test that failed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--stratum-url`` and ``--stratum-seed``."""
    group = parser.getgroup("stratum", "Stratum pools and miners")
    group.addoption(
        "--stratum-url", help="Mine on this pool instead of an embedded one.", type=_checked_url, default=None
    )
    group.addoption("--stratum-seed", help="Of shares, faults and fleets; default 0.", type=int, default=0)


def _checked_url(text: str) -> str:
    from stratum_miner.client.dialing.url import PoolUrl, PoolUrlError  # noqa: PLC0415  only when it is given

    try:
        PoolUrl.parse(text)
    except PoolUrlError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


@pytest.fixture
def stratum_seed(request: pytest.FixtureRequest) -> int:
    """A seed of this test's own: the same in every run with the same ``--stratum-seed``."""
    chosen = request.config.getoption("--stratum-seed")
    return int.from_bytes(sha256(f"{chosen}/{request.node.nodeid}".encode()).digest()[:6], "big")


@pytest.fixture
def stratum_lab(
    request: pytest.FixtureRequest, stratum_seed: int, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[SyncLab]":
    """Everything as methods: ``pool``, ``miner``, ``fleet``, ``tap``, ``device``, ``tls``; all end with the test."""
    from stratum_miner.testing.portal_lab import sync_lab  # noqa: PLC0415  loads trio

    with sync_lab(stratum_seed, tmp_path_factory.mktemp("stratum")) as lab:
        yield lab


@pytest.fixture
def stratum_pool(stratum_lab: "SyncLab") -> "SyncPool":
    """An embedded pool on a port of its own; its node takes every block."""
    return stratum_lab.pool()


@pytest.fixture
def stratum_url(request: pytest.FixtureRequest) -> str:
    """The pool under test: ``--stratum-url``, or an embedded one."""
    given = request.config.getoption("--stratum-url")
    if given is not None:
        return str(given)
    pool: SyncPool = request.getfixturevalue("stratum_pool")
    return pool.url


@pytest.fixture
def stratum_pool_miner(stratum_lab: "SyncLab", stratum_url: str) -> "SyncMiner":
    """A miner on the pool under test that finds a share when told, and none otherwise."""
    return stratum_lab.miner(stratum_url)


@pytest.fixture
def stratum_fleet(stratum_lab: "SyncLab", stratum_url: str) -> "Callable[..., list[SyncMiner]]":
    """``stratum_fleet(10)``: so many miners on the pool under test, each a worker of its own."""
    return partial(stratum_lab.fleet, stratum_url)


@pytest.fixture
def stratum_tap(stratum_lab: "SyncLab", stratum_url: str) -> "Callable[..., SyncTap]":
    """``stratum_tap("drop nth=3")``: a tap before the pool under test; its ``url`` is for miners."""
    return partial(stratum_lab.tap, stratum_url)


@pytest.fixture
def stratum_faulty_pool(stratum_lab: "SyncLab") -> "Callable[..., SyncPool]":
    """``stratum_faulty_pool("slow-replies=3")``: an embedded pool that misbehaves, to test miners against."""

    def make(*faults: str, **options: Any) -> "SyncPool":
        return stratum_lab.pool(faults=faults, **options)

    return make


@pytest.fixture
def stratum_device(stratum_lab: "SyncLab") -> "Callable[..., Emulator]":
    """``stratum_device("erupter")``: an emulated device; its ``path`` is for a driver to open."""
    return stratum_lab.device


@pytest.fixture
def stratum_tls(stratum_lab: "SyncLab") -> "LabTls":
    """A certificate for this machine, and the authority to trust for it."""
    return stratum_lab.tls


@pytest.fixture
def stratum_lab_async(stratum_lab: "SyncLab") -> "AsyncLab":
    """``stratum_lab`` to be awaited."""
    from stratum_miner.testing.portal_lab import AsyncLab  # noqa: PLC0415  loads trio

    return AsyncLab(stratum_lab)


@pytest.fixture
def stratum_pool_async(stratum_pool: "SyncPool") -> "AsyncPool":
    """``stratum_pool`` to be awaited."""
    from stratum_miner.testing.portal_lab import AsyncPool  # noqa: PLC0415  loads trio

    return AsyncPool(stratum_pool)


@pytest.fixture
def stratum_pool_miner_async(stratum_pool_miner: "SyncMiner") -> "AsyncMiner":
    """``stratum_pool_miner`` to be awaited."""
    from stratum_miner.testing.portal_lab import AsyncMiner  # noqa: PLC0415  loads trio

    return AsyncMiner(stratum_pool_miner)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what was said between pool and miner into the report of a test that failed."""
    report = yield
    if report.when == "call" and report.failed:
        for name in ("stratum_pool_miner", "stratum_pool"):
            part = getattr(item, "funcargs", {}).get(name)
            if part is not None and part.messages:
                text = "\n".join(str(message) for message in part.messages[-SHOWN:])
                report.sections.append((f"Stratum: {name}", text))
                break
    return report
