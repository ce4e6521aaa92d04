"""The pytest plugin: fixtures for pools, miners, taps, faults and emulated devices.

Every run of pytest in an environment that contains this package imports this module, even if no test uses a fixture.
The module therefore imports the rest of stratum_miner only when a fixture is used. A run that uses no fixture takes
about two milliseconds longer because of this plugin. If a fixture has methods that wait, there are two versions of it:
a synchronous one, and one for asyncio and trio tests. The name of the latter ends in ``_async``.
``docs/how-to/test-your-pool.md`` shows how to use the fixtures.
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
"""Maximum number of protocol lines in the report of a failed test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options ``--stratum-url`` and ``--stratum-seed``."""
    group = parser.getgroup("stratum", "Stratum pools and miners")
    group.addoption(
        "--stratum-url",
        help="URL of the pool under test, such as stratum+tcp://127.0.0.1:3333. [default: a pool inside the test]",
        type=_checked_url,
        default=None,
    )
    group.addoption(
        "--stratum-seed",
        help="Seed for the shares and the random choices of faults. The same seed gives the same ones. [default: 0]",
        type=int,
        default=0,
    )


def _checked_url(text: str) -> str:
    from stratum_miner.client.dialing.url import PoolUrl, PoolUrlError  # noqa: PLC0415  only if the option is used

    try:
        PoolUrl.parse(text)
    except PoolUrlError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


@pytest.fixture
def stratum_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test. It is the same in every run with the same ``--stratum-seed``."""
    chosen = request.config.getoption("--stratum-seed")
    return int.from_bytes(sha256(f"{chosen}/{request.node.nodeid}".encode()).digest()[:6], "big")


@pytest.fixture
def stratum_lab(
    request: pytest.FixtureRequest, stratum_seed: int, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[SyncLab]":
    """The laboratory, which makes pools, miners, taps and devices. All of them end with the test."""
    from stratum_miner.installation import require  # noqa: PLC0415  only if a fixture is used

    require("testing", "the fixtures of stratum_miner")
    from stratum_miner.testing.portal_lab import sync_lab  # noqa: PLC0415  loads trio, and needs the extra

    with sync_lab(stratum_seed, tmp_path_factory.mktemp("stratum")) as lab:
        yield lab


@pytest.fixture
def stratum_pool(stratum_lab: "SyncLab") -> "SyncPool":
    """A pool inside the test, on a free port. Its block chain checks header, coinbase and merkle root of a block."""
    return stratum_lab.pool()


@pytest.fixture
def stratum_url(request: pytest.FixtureRequest) -> str:
    """The URL of the pool under test: ``--stratum-url``, or that of ``stratum_pool``."""
    given = request.config.getoption("--stratum-url")
    if given is not None:
        return str(given)
    pool: SyncPool = request.getfixturevalue("stratum_pool")
    return pool.url


@pytest.fixture
def stratum_pool_miner(stratum_lab: "SyncLab", stratum_url: str) -> "SyncMiner":
    """A miner on the pool under test. It finds a share only when the test asks for one."""
    return stratum_lab.miner(stratum_url)


@pytest.fixture
def stratum_fleet(stratum_lab: "SyncLab", stratum_url: str) -> "Callable[..., list[SyncMiner]]":
    """A function: ``stratum_fleet(10)`` returns 10 miners on the pool under test, each with its own worker name."""
    return partial(stratum_lab.fleet, stratum_url)


@pytest.fixture
def stratum_tap(stratum_lab: "SyncLab", stratum_url: str) -> "Callable[..., SyncTap]":
    """A function: ``stratum_tap("drop nth=3")`` returns a tap in front of the pool under test; miners connect to the
    tap's ``url``."""
    return partial(stratum_lab.tap, stratum_url)


@pytest.fixture
def stratum_faulty_pool(stratum_lab: "SyncLab") -> "Callable[..., SyncPool]":
    """A function: ``stratum_faulty_pool("slow-replies=3")`` returns a pool with this fault, for tests of a miner."""

    def make(*faults: str, **options: Any) -> "SyncPool":
        return stratum_lab.pool(faults=faults, **options)

    return make


@pytest.fixture
def stratum_device(stratum_lab: "SyncLab") -> "Callable[..., Emulator]":
    """A function: ``stratum_device("erupter")`` returns an emulated device; a driver opens its ``path``."""
    return stratum_lab.device


@pytest.fixture
def stratum_tls(stratum_lab: "SyncLab") -> "LabTls":
    """A TLS certificate for this computer, and the authority that issued it."""
    return stratum_lab.tls


@pytest.fixture
def stratum_lab_async(stratum_lab: "SyncLab") -> "AsyncLab":
    """``stratum_lab`` with asynchronous methods."""
    from stratum_miner.testing.portal_lab import AsyncLab  # noqa: PLC0415  loads trio

    return AsyncLab(stratum_lab)


@pytest.fixture
def stratum_pool_async(stratum_pool: "SyncPool") -> "AsyncPool":
    """``stratum_pool`` with asynchronous methods."""
    from stratum_miner.testing.portal_lab import AsyncPool  # noqa: PLC0415  loads trio

    return AsyncPool(stratum_pool)


@pytest.fixture
def stratum_pool_miner_async(stratum_pool_miner: "SyncMiner") -> "AsyncMiner":
    """``stratum_pool_miner`` with asynchronous methods."""
    from stratum_miner.testing.portal_lab import AsyncMiner  # noqa: PLC0415  loads trio

    return AsyncMiner(stratum_pool_miner)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last protocol lines between pool and miner to the report of a failed test."""
    report = yield
    if report.when == "call" and report.failed:
        for name in ("stratum_pool_miner", "stratum_pool"):
            part = getattr(item, "funcargs", {}).get(name)
            if part is not None and part.messages:
                text = "\n".join(str(message) for message in part.messages[-SHOWN:])
                report.sections.append((f"Stratum: {name}", text))
                break
    return report
