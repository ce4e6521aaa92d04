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
from pathlib import Path
from types import TracebackType
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
LONGEST_STARTUP = 3600.0
"""Maximum of --stratum-startup, in seconds."""
PACKAGE = Path(__file__).parent.parent
LAB_ERRORS = "stratum_miner.testing.transcript"
"""Name of the module with the errors of the laboratory. The plugin does not import the module, to start faster."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options ``--stratum-url``, ``--stratum-startup`` and ``--stratum-seed``."""
    group = parser.getgroup("stratum", "Stratum pools and miners")
    group.addoption(
        "--stratum-url",
        metavar="URL",
        help="URL of the pool under test, as in --stratum-url stratum+tcp://127.0.0.1:3333. Use stratum+ssl:// for "
        "TLS. [default: a pool inside the test]",
        type=_checked_url,
        default=None,
    )
    group.addoption(
        "--stratum-startup",
        metavar="TIME",
        help="Time in which a pool must accept connections, as in --stratum-startup 60s for a pool that was started "
        "just before pytest. If it takes longer, the test fails. [default: 2s]",
        type=_checked_time,
        default=None,
    )
    group.addoption(
        "--stratum-seed",
        metavar="NUMBER",
        help="Seed for the shares and the random choices of faults, as in --stratum-seed 7. The same seed gives the "
        "same ones. [default: 0]",
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


def _checked_time(text: str) -> float:
    from stratum_miner.quantities import parse_duration  # noqa: PLC0415  only if the option is used

    try:
        return parse_duration(text, 0, LONGEST_STARTUP)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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

    startup = request.config.getoption("--stratum-startup")
    given = {} if startup is None else {"startup": startup}
    with sync_lab(stratum_seed, tmp_path_factory.mktemp("stratum"), **given) as lab:
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


def _cut_before_package(traceback: TracebackType) -> None:
    """Remove the frames of this package, and those that it called, from a traceback that begins in a test."""
    while (following := traceback.tb_next) is not None:
        if Path(following.tb_frame.f_code.co_filename).is_relative_to(PACKAGE):
            traceback.tb_next = None
            return
        traceback = following


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last protocol lines between pool and miner to the report of a failed test. If the laboratory says why the
    test failed, let the report begin with these words, and end at the line of the test that called the laboratory."""
    failure = None if call.excinfo is None else call.excinfo.value
    of_lab = type(failure).__module__ == LAB_ERRORS
    if call.excinfo is not None and of_lab and not item.config.getoption("fulltrace"):
        _cut_before_package(call.excinfo.tb)
    report = yield
    crash = getattr(report.longrepr, "reprcrash", None)
    if of_lab and crash is not None:
        crash.message = str(failure)
    if report.when == "call" and report.failed:
        for name in ("stratum_pool_miner", "stratum_pool"):
            part = getattr(item, "funcargs", {}).get(name)
            if part is not None and part.messages:
                text = "\n".join(str(message) for message in part.messages[-SHOWN:])
                report.sections.append((f"Stratum: {name}", text))
                break
    return report
