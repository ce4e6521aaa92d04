"""Fixtures for every folder: a real pool server and a real node that other people wrote (tests/realpool)."""

import fcntl
import gc
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
import trio
from hypothesis import HealthCheck, settings

from tests.pool_thread import pool_in_a_thread

# Its 200 ms for an example and its limit on making one judge how busy the machine is, not the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

DIRECTORY = Path(__file__).parent / "realpool"
ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"
"""Regtest; the hash of its key is all zero bytes."""
INSTALL_SECONDS = 300
START_SECONDS = 120
"""A start takes two seconds, with transactions five; this is for a machine that is busy."""
STOP_SECONDS = 10
LONGEST = ("end_to_end", "audit", "native", "conformance", "cli", "testing", "client")
"""Folders whose tests are started first."""
START_ATTEMPTS = 3
"""A port found free may be taken before the server has it."""


@dataclass(frozen=True, slots=True)
class RealPool:
    """Where it listens, and everything it has printed so far."""

    host: str
    port: int
    rpc_port: int
    address: str
    """What the pool pays to; a worker may mine under it, too."""
    log: list[str] = field(default_factory=list, repr=False)


RealPoolFactory = Callable[..., AbstractAsyncContextManager[RealPool]]


class PortTakenError(Exception):
    pass


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without the garbage collector. Thousands of tests and all modules stay until the end, and looking through
    them again and again takes a third of the time; after this, the collector leaves them out.
    """
    gc.disable()
    try:
        _compile_own_part(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _compile_own_part(config: pytest.Config) -> None:
    """Import first those test files that no other worker imports first.

    In a fresh checkout, an import compiles a file. All workers collect all files, and if they all began with the same
    one, each would compile everything.
    """
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None or [Path(argument).resolve() for argument in config.args] != [Path(__file__).parent]:
        return
    own = sorted(Path(__file__).parent.rglob("test_*.py"))[int(worker["workerid"][2:]) :: worker["workercount"]]
    for path in own:
        with suppress(Exception, pytest.skip.Exception):  # collecting the file says so
            import_module(".".join(path.with_suffix("").relative_to(config.rootpath).parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the folders whose tests wait longest begin, so that no worker is left with them at the end."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((rank for rank, folder in enumerate(LONGEST) if nodeid.startswith(f"tests/{folder}/")), len(LONGEST))


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command that runs in the test process sets up the log, and what level it lets through. No later test has it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels measured by tests, and by processes they start, are not remembered in the user's cache, and the user's
    own configuration plays no part.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def real_pool_directory() -> Path:
    """Installs once; skips without Node.js, but not in CI."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        _unavailable("Node.js and npm are not installed")
    with (DIRECTORY / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once
        if not _is_installed():
            result = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=DIRECTORY,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            if result.returncode:
                _unavailable(f"npm ci failed: {result.stderr[-500:]}")
    return DIRECTORY


@pytest.fixture
def real_pool(real_pool_directory: Path) -> RealPoolFactory:
    """``async with real_pool(DIFF="0.001", TXS="6") as pool``; the options are in tests/realpool/README.md."""

    @asynccontextmanager
    async def start(**options: str) -> AsyncIterator[RealPool]:
        async with AsyncExitStack() as stack:
            for attempt in range(START_ATTEMPTS):
                try:
                    pool = await stack.enter_async_context(_running(real_pool_directory, options))
                except* PortTakenError:
                    if attempt == START_ATTEMPTS - 1:
                        raise
                else:
                    break
            yield pool

    return start


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _is_installed() -> bool:
    installed = DIRECTORY / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (DIRECTORY / "package-lock.json").stat().st_mtime


@asynccontextmanager
async def _running(directory: Path, options: dict[str, str]) -> AsyncIterator[RealPool]:
    port, rpc_port = _free_ports(2)
    pool = RealPool("127.0.0.1", port, rpc_port, options.get("ADDRESS", ADDRESS))
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environment |= {"NODE_BACKEND": "js", "PORT": str(port), "RPC": str(rpc_port), "ADDRESS": pool.address, **options}
    process = await trio.lowlevel.open_process(
        ["node", "lab.js"],
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,  # when we die, it sees the end and leaves
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    ready, stopping = trio.Event(), trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_lines, process, pool, ready, stopping)
            with trio.fail_after(START_SECONDS):
                await ready.wait()
            yield pool
            stopping.set()
            process.terminate()  # what it has logged is read to the end
            nursery.cancel_scope.deadline = trio.current_time() + STOP_SECONDS
    finally:
        with trio.CancelScope(shield=True):
            process.terminate()
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            process.kill()
            await process.wait()


async def _read_lines(process: trio.Process, pool: RealPool, ready: trio.Event, stopping: trio.Event) -> None:
    assert process.stdout is not None
    rest = b""
    async for data in process.stdout:
        *lines, rest = (rest + bytes(data)).split(b"\n")
        pool.log.extend(line.decode("utf-8", "replace") for line in lines)
        if not ready.is_set() and any("EADDRINUSE" in line for line in pool.log):
            raise PortTakenError
        if any(line.startswith("READY") for line in pool.log):
            ready.set()
    if not stopping.is_set():
        raise AssertionError("the real pool ended:\n" + "\n".join(pool.log[-30:]))


@pytest.fixture
def pool_port() -> Iterator[int]:
    """The port of a pool of ours that nearly every hash is a share for, in a thread: for tests without trio."""
    with pool_in_a_thread() as port:
        yield port


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
