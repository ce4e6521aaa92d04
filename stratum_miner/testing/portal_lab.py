"""The laboratory for synchronous tests, and for tests on asyncio or trio. It runs on trio in a thread of its own.

Each class of ``lab`` has two forms here. ``SyncLab``, ``SyncPool``, ``SyncMiner`` and ``SyncTap`` have methods that
block, for synchronous tests. ``AsyncLab``, ``AsyncPool``, ``AsyncMiner`` and ``AsyncTap`` have asynchronous methods,
for asyncio and trio tests. An asynchronous method calls the blocking one in a worker thread, so that the event loop of
the test can run other tasks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from stratum_miner.emulators import Emulator
from stratum_miner.miner import MinerSnapshot
from stratum_miner.pool import PoolSnapshot
from stratum_miner.testing.lab import STARTUP_SECONDS, TIMEOUT, DifficultyGoal, Lab, LabMiner, LabPool, LabTap, open_lab
from stratum_miner.testing.lab_tls import LabTls
from stratum_miner.testing.transcript import LabMessage
from stratum_miner.work.share_result import ShareResult

T = TypeVar("T")


class SyncPool:
    """A pool on a free port, for synchronous tests; see ``LabPool``. Miners connect to its ``url``."""

    def __init__(self, portal: BlockingPortal, pool: LabPool) -> None:
        self.url = pool.url
        self.port = pool.port
        self._portal = portal
        self._pool = pool

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages to and from miners so far."""
        return list(self._pool.transcript.messages)

    def snapshot(self) -> PoolSnapshot:
        """Return the current figures of the pool."""
        return self._portal.call(self._pool.snapshot)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the next request with the method ``message``, such as ``"mining.submit"``, from any miner, and
        return it.

        A request that came before this call counts as well, but no request is returned twice. Raises LabTimeout if
        no such request comes within ``within`` seconds.
        """
        return self._portal.call(self._pool.wait_for, message, within)

    def new_block(self) -> int:
        """Act as if a miner of another pool had found a block, so that all miners get a job with clean_jobs true.

        Return the height of the block that the new job is for. Raises LabError if the pool was made with
        ``node="kernel"``.
        """
        return self._portal.call(self._pool.new_block)


class SyncMiner:
    """A miner that finds a share only when the test asks for one, for synchronous tests; see ``LabMiner``."""

    def __init__(self, portal: BlockingPortal, miner: LabMiner) -> None:
        self._portal = portal
        self._miner = miner

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages to and from the pool so far."""
        return list(self._miner.transcript.messages)

    def submit_one(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, and return its result.

        Raises LabTimeout if no job or no result comes within ``within`` seconds. Raises LabError if the miner has
        stopped, or if the difficulty of the job is too high for a test.
        """
        return self._portal.call(self._miner.submit_one, within)

    def submit_non_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is surely no block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``. Raises LabError also if every share of
        the job is a block.
        """
        return self._portal.call(self._miner.submit_non_block, within)

    def mine_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is also a block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``.
        """
        return self._portal.call(self._miner.mine_block, within)

    def until_difficulty(self, wanted: DifficultyGoal, *, within: float = TIMEOUT) -> float:
        """Wait until the current job has the share difficulty ``wanted``, and return its share difficulty.

        ``wanted`` may also be a function that takes a share difficulty and returns whether it is the wanted one. Raises
        LabTimeout if no such job comes within ``within`` seconds, and LabError if the miner has stopped.
        """
        return self._portal.call(self._miner.until_difficulty, wanted, within)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the pool's next message with the method ``message``, such as ``"mining.notify"``, and return it.

        A message that came before this call counts as well, but no message is returned twice. A reply counts as a
        message with the method of its request. Raises LabTimeout if no such message comes within ``within`` seconds.
        """
        return self._portal.call(self._miner.wait_for, message, within)

    def snapshot(self) -> MinerSnapshot:
        """Return the current figures of the miner."""
        return self._portal.call(self._miner.snapshot)

    def stop(self) -> None:
        """Stop the miner gracefully, as Ctrl-C would."""
        self._portal.call(self._miner.stop)


class SyncTap:
    """A tap between miners and a pool, for synchronous tests; see ``LabTap``. Miners connect to its ``url``."""

    def __init__(self, portal: BlockingPortal, tap: LabTap) -> None:
        self.url = tap.url
        self._portal = portal
        self._tap = tap

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages that the tap delivered so far."""
        return list(self._tap.transcript.messages)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait until the tap delivers a message with the method ``message``, such as ``"mining.submit"``, to either
        side, and return it.

        A message that was delivered before this call counts as well, but no message is returned twice. A reply counts
        as a message with the method of its request. Raises LabTimeout if no such message comes within ``within``
        seconds.
        """
        return self._portal.call(self._tap.wait_for, message, within)


class SyncLab:
    """Makes pools, miners, taps and devices, for synchronous tests; see ``Lab``. All of them are closed together with
    the laboratory."""

    def __init__(self, portal: BlockingPortal, lab: Lab, tls_files: Callable[[], LabTls]) -> None:
        self.seed = lab.seed
        self._portal = portal
        self._lab = lab
        self._tls_files = tls_files
        self._tls: LabTls | None = None

    def pool(self, *, faults: Sequence[str] = (), tls: bool = False, **options: Any) -> SyncPool:
        """Open a pool on a free port; ``options`` are the other parameters of ``Lab.pool``.

        With ``tls=True``, the pool uses TLS. Its certificate is the one in the property ``tls`` of this laboratory. The
        miners of the laboratory trust this certificate. Raises ValueError if a fault is unknown.
        """
        context = self.tls.server if tls else None
        made = self._portal.call(partial(self._lab.pool, faults=faults, tls=context, **options))
        return SyncPool(self._portal, made)

    def miner(self, url: str, **options: Any) -> SyncMiner:
        """Start a miner on the pool at ``url``; ``options`` are the other parameters of ``Lab.miner``."""
        return SyncMiner(self._portal, self._portal.call(partial(self._lab.miner, url, **self._trusting(url, options))))

    def fleet(self, url: str, count: int, **options: Any) -> list[SyncMiner]:
        """Start ``count`` miners with the worker names ``alice.1``, ``alice.2`` and so on; see ``Lab.fleet``."""
        made = self._portal.call(partial(self._lab.fleet, url, count, **self._trusting(url, options)))
        return [SyncMiner(self._portal, each) for each in made]

    def tap(self, url: str, *rules: str) -> SyncTap:
        """Open a tap in front of the pool at ``url``, with rules of ``stratum-miner tap --rule``; see ``Lab.tap``."""
        made = self._portal.call(partial(self._lab.tap, url, *rules, **self._trusting(url, {})))
        return SyncTap(self._portal, made)

    def device(self, kind: str, **options: Any) -> Emulator:
        """Open an emulated device on a pseudo-terminal; a driver opens its ``path``. See ``Lab.device``."""
        return self._portal.call(partial(self._lab.device, kind, **options))

    @property
    def tls(self) -> LabTls:
        """Return a certificate authority for this test and the certificate that it issued; they are made at the first
        use.

        Raises ImportError if trustme is not installed.
        """
        if self._tls is None:
            self._tls = self._tls_files()
        return self._tls

    def _trusting(self, url: str, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a miner or tap, with TLS settings that trust the authority of this laboratory.

        Return the options unchanged if no test has used the authority yet, if the URL is one without TLS, or if the
        options already contain ``tls``."""
        if self._tls is None or "tls" in options or url.startswith("stratum+tcp"):
            return options
        return {**options, "tls": self._tls.trust}


@contextmanager
def sync_lab(seed: int, directory: Path, *, startup: float = STARTUP_SECONDS) -> Iterator[SyncLab]:
    """Open a laboratory in a thread for the duration of the ``with`` statement.

    ``seed`` decides all random choices. ``startup`` is the number of seconds that a pool may take until a miner can
    connect to it; if it takes longer, the test fails. Certificates are written to ``directory`` if a test uses TLS.
    """
    with (
        start_blocking_portal(backend="trio", name="stratum-lab") as portal,
        portal.wrap_async_context_manager(open_lab(seed, startup=startup)) as lab,
    ):
        yield SyncLab(portal, lab, lambda: LabTls.create(directory))


class AsyncPool:
    """A pool on a free port, with asynchronous methods; ``sync`` is the same pool with synchronous methods."""

    def __init__(self, pool: SyncPool) -> None:
        self.sync = pool
        self.url = pool.url
        self.port = pool.port

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages to and from miners so far."""
        return self.sync.messages

    async def snapshot(self) -> PoolSnapshot:
        """Return the current figures of the pool."""
        return await _in_thread(self.sync.snapshot)

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the next request with the method ``message``, such as ``"mining.submit"``, from any miner, and
        return it.

        A request that came before this call counts as well, but no request is returned twice. Raises LabTimeout if
        no such request comes within ``within`` seconds.
        """
        return await _in_thread(partial(self.sync.wait_for, message, within=within))

    async def new_block(self) -> int:
        """Act as if a miner of another pool had found a block, so that all miners get a job with clean_jobs true.

        Return the height of the block that the new job is for. Raises LabError if the pool was made with
        ``node="kernel"``.
        """
        return await _in_thread(self.sync.new_block)


class AsyncMiner:
    """A miner with asynchronous methods; ``sync`` is the same miner with synchronous methods."""

    def __init__(self, miner: SyncMiner) -> None:
        self.sync = miner

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages to and from the pool so far."""
        return self.sync.messages

    async def submit_one(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, and return its result.

        Raises LabTimeout if no job or no result comes within ``within`` seconds. Raises LabError if the miner has
        stopped, or if the difficulty of the job is too high for a test.
        """
        return await _in_thread(partial(self.sync.submit_one, within=within))

    async def submit_non_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is surely no block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``. Raises LabError also if every share of
        the job is a block.
        """
        return await _in_thread(partial(self.sync.submit_non_block, within=within))

    async def mine_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share that is also a block, submit it, and return its result.

        Raises LabTimeout and LabError for the same reasons as ``submit_one``.
        """
        return await _in_thread(partial(self.sync.mine_block, within=within))

    async def until_difficulty(self, wanted: DifficultyGoal, *, within: float = TIMEOUT) -> float:
        """Wait until the current job has the share difficulty ``wanted``, and return its share difficulty.

        ``wanted`` may also be a function that takes a share difficulty and returns whether it is the wanted one. Raises
        LabTimeout if no such job comes within ``within`` seconds, and LabError if the miner has stopped.
        """
        return await _in_thread(partial(self.sync.until_difficulty, wanted, within=within))

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the pool's next message with the method ``message``, such as ``"mining.notify"``, and return it.

        A message that came before this call counts as well, but no message is returned twice. A reply counts as a
        message with the method of its request. Raises LabTimeout if no such message comes within ``within`` seconds.
        """
        return await _in_thread(partial(self.sync.wait_for, message, within=within))

    async def snapshot(self) -> MinerSnapshot:
        """Return the current figures of the miner."""
        return await _in_thread(self.sync.snapshot)

    async def stop(self) -> None:
        """Stop the miner gracefully, as Ctrl-C would."""
        await _in_thread(self.sync.stop)


class AsyncTap:
    """A tap with asynchronous methods; ``sync`` is the same tap with synchronous methods."""

    def __init__(self, tap: SyncTap) -> None:
        self.sync = tap
        self.url = tap.url

    @property
    def messages(self) -> list[LabMessage]:
        """Return the messages that the tap delivered so far."""
        return self.sync.messages

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait until the tap delivers a message with the method ``message``, such as ``"mining.submit"``, to either
        side, and return it.

        A message that was delivered before this call counts as well, but no message is returned twice. A reply counts
        as a message with the method of its request. Raises LabTimeout if no such message comes within ``within``
        seconds.
        """
        return await _in_thread(partial(self.sync.wait_for, message, within=within))


class AsyncLab:
    """Makes pools, miners, taps and devices with asynchronous methods; ``sync`` is the same laboratory with synchronous
    methods."""

    def __init__(self, lab: SyncLab) -> None:
        self.sync = lab
        self.seed = lab.seed

    async def pool(self, *, faults: Sequence[str] = (), tls: bool = False, **options: Any) -> AsyncPool:
        """Open a pool on a free port; ``options`` are the other parameters of ``Lab.pool``.

        With ``tls=True``, the pool uses TLS. Its certificate is the one in the property ``tls`` of this laboratory. The
        miners of the laboratory trust this certificate. Raises ValueError if a fault is unknown.
        """
        return AsyncPool(await _in_thread(partial(self.sync.pool, faults=faults, tls=tls, **options)))

    async def miner(self, url: str, **options: Any) -> AsyncMiner:
        """Start a miner on the pool at ``url``; ``options`` are the other parameters of ``Lab.miner``."""
        return AsyncMiner(await _in_thread(partial(self.sync.miner, url, **options)))

    async def fleet(self, url: str, count: int, **options: Any) -> list[AsyncMiner]:
        """Start ``count`` miners with the worker names ``alice.1``, ``alice.2`` and so on; see ``Lab.fleet``."""
        return [AsyncMiner(each) for each in await _in_thread(partial(self.sync.fleet, url, count, **options))]

    async def tap(self, url: str, *rules: str) -> AsyncTap:
        """Open a tap in front of the pool at ``url``, with rules of ``stratum-miner tap --rule``; see ``Lab.tap``."""
        return AsyncTap(await _in_thread(partial(self.sync.tap, url, *rules)))

    async def device(self, kind: str, **options: Any) -> Emulator:
        """Open an emulated device on a pseudo-terminal; a driver opens its ``path``. See ``Lab.device``."""
        return await _in_thread(partial(self.sync.device, kind, **options))

    @property
    def tls(self) -> LabTls:
        """Return a certificate authority for this test and the certificate that it issued; they are made at the first
        use.

        Raises ImportError if trustme is not installed.
        """
        return self.sync.tls


async def _in_thread(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
