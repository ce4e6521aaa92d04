"""The laboratory for tests that are not trio: it runs in a thread of its own, and is called from anywhere.

Two faces of the same parts. ``SyncLab`` and its like wait, for plain tests. ``AsyncLab`` and its like are awaited, in
asyncio and in trio alike: the waiting is done by a worker thread, the test's own loop goes on.
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
from stratum_miner.testing.lab import TIMEOUT, DifficultyGoal, Lab, LabMiner, LabPool, LabTap, open_lab
from stratum_miner.testing.lab_tls import LabTls
from stratum_miner.testing.transcript import LabMessage
from stratum_miner.work.share_result import ShareResult

T = TypeVar("T")


class SyncPool:
    """A pool; see ``LabPool``."""

    def __init__(self, portal: BlockingPortal, pool: LabPool) -> None:
        self.url = pool.url
        self.port = pool.port
        self._portal = portal
        self._pool = pool

    @property
    def messages(self) -> list[LabMessage]:
        """What was said to miners and by them, so far."""
        return list(self._pool.transcript.messages)

    def snapshot(self) -> PoolSnapshot:
        """Its figures of this moment."""
        return self._portal.call(self._pool.snapshot)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next request of this method from any miner, also one made before. LabTimeout."""
        return self._portal.call(self._pool.wait_for, message, within)

    def new_block(self) -> int:
        """Somebody else finds a block: all miners get a clean job. Returns the height to mine now."""
        return self._portal.call(self._pool.new_block)


class SyncMiner:
    """A miner; see ``LabMiner``."""

    def __init__(self, portal: BlockingPortal, miner: LabMiner) -> None:
        self._portal = portal
        self._miner = miner

    @property
    def messages(self) -> list[LabMessage]:
        """What it said and was told, so far."""
        return list(self._miner.transcript.messages)

    def submit_one(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, return what became of it. LabTimeout, LabError."""
        return self._portal.call(self._miner.submit_one, within)

    def mine_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """The same with a share that is a block."""
        return self._portal.call(self._miner.mine_block, within)

    def until_difficulty(self, wanted: DifficultyGoal, *, within: float = TIMEOUT) -> float:
        """Wait until the job that is mined has this difficulty, or one that the function agrees to; returns it."""
        return self._portal.call(self._miner.until_difficulty, wanted, within)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method from the pool, or its next reply to a request of this method."""
        return self._portal.call(self._miner.wait_for, message, within)

    def snapshot(self) -> MinerSnapshot:
        """Its figures of this moment."""
        return self._portal.call(self._miner.snapshot)

    def stop(self) -> None:
        """Leave the pool as a user's Ctrl-C would."""
        self._portal.call(self._miner.stop)


class SyncTap:
    """A tap between miners and a pool; see ``LabTap``."""

    def __init__(self, portal: BlockingPortal, tap: LabTap) -> None:
        self.url = tap.url
        self._portal = portal
        self._tap = tap

    @property
    def messages(self) -> list[LabMessage]:
        """What was let through, so far."""
        return list(self._tap.transcript.messages)

    def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method that was let through, or a reply to one, from either side."""
        return self._portal.call(self._tap.wait_for, message, within)


class SyncLab:
    """Makes the parts; see ``Lab``."""

    def __init__(self, portal: BlockingPortal, lab: Lab, tls_files: Callable[[], LabTls]) -> None:
        self.seed = lab.seed
        self._portal = portal
        self._lab = lab
        self._tls_files = tls_files
        self._tls: LabTls | None = None

    def pool(self, *, faults: Sequence[str] = (), tls: bool = False, **options: Any) -> SyncPool:
        """A pool, with faults before it if any are named, perhaps with TLS. Options are those of ``Lab.pool``."""
        context = self.tls.server if tls else None
        made = self._portal.call(partial(self._lab.pool, faults=faults, tls=context, **options))
        return SyncPool(self._portal, made)

    def miner(self, url: str, **options: Any) -> SyncMiner:
        """A miner on the pool at ``url``. Options are those of ``Lab.miner``."""
        return SyncMiner(self._portal, self._portal.call(partial(self._lab.miner, url, **self._trusting(url, options))))

    def fleet(self, url: str, count: int, **options: Any) -> list[SyncMiner]:
        """Several miners, each a worker of its own."""
        made = self._portal.call(partial(self._lab.fleet, url, count, **self._trusting(url, options)))
        return [SyncMiner(self._portal, each) for each in made]

    def tap(self, url: str, *rules: str) -> SyncTap:
        """A tap before the pool at ``url``, with rules as ``stratum-miner tap --rule`` takes them."""
        made = self._portal.call(partial(self._lab.tap, url, *rules, **self._trusting(url, {})))
        return SyncTap(self._portal, made)

    def device(self, kind: str, **options: Any) -> Emulator:
        """An emulated device on a pseudo-terminal; its ``path`` is for a driver to open."""
        return self._portal.call(partial(self._lab.device, kind, **options))

    @property
    def tls(self) -> LabTls:
        """An authority of the test's own, and a certificate of it for this machine."""
        if self._tls is None:
            self._tls = self._tls_files()
        return self._tls

    def _trusting(self, url: str, options: dict[str, Any]) -> dict[str, Any]:
        """Miners trust the test's own authority once a test uses it."""
        if self._tls is None or "tls" in options or url.startswith("stratum+tcp"):
            return options
        return {**options, "tls": self._tls.trust}


@contextmanager
def sync_lab(seed: int, directory: Path) -> Iterator[SyncLab]:
    """A laboratory in a thread; ``directory`` is for the certificates, should any be wanted."""
    with (
        start_blocking_portal(backend="trio", name="stratum-lab") as portal,
        portal.wrap_async_context_manager(open_lab(seed)) as lab,
    ):
        yield SyncLab(portal, lab, lambda: LabTls.create(directory))


class AsyncPool:
    """``SyncPool`` to be awaited."""

    def __init__(self, pool: SyncPool) -> None:
        self.sync = pool
        self.url = pool.url
        self.port = pool.port

    @property
    def messages(self) -> list[LabMessage]:
        """What was said to miners and by them, so far."""
        return self.sync.messages

    async def snapshot(self) -> PoolSnapshot:
        """Its figures of this moment."""
        return await _elsewhere(self.sync.snapshot)

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next request of this method from any miner, also one made before. LabTimeout."""
        return await _elsewhere(partial(self.sync.wait_for, message, within=within))

    async def new_block(self) -> int:
        """Somebody else finds a block: all miners get a clean job. Returns the height to mine now."""
        return await _elsewhere(self.sync.new_block)


class AsyncMiner:
    """``SyncMiner`` to be awaited."""

    def __init__(self, miner: SyncMiner) -> None:
        self.sync = miner

    @property
    def messages(self) -> list[LabMessage]:
        """What it said and was told, so far."""
        return self.sync.messages

    async def submit_one(self, *, within: float = TIMEOUT) -> ShareResult:
        """Find one share, submit it, return what became of it. LabTimeout, LabError."""
        return await _elsewhere(partial(self.sync.submit_one, within=within))

    async def mine_block(self, *, within: float = TIMEOUT) -> ShareResult:
        """The same with a share that is a block."""
        return await _elsewhere(partial(self.sync.mine_block, within=within))

    async def until_difficulty(self, wanted: DifficultyGoal, *, within: float = TIMEOUT) -> float:
        """Wait until the job that is mined has this difficulty, or one that the function agrees to; returns it."""
        return await _elsewhere(partial(self.sync.until_difficulty, wanted, within=within))

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method from the pool, or its next reply to a request of this method."""
        return await _elsewhere(partial(self.sync.wait_for, message, within=within))

    async def snapshot(self) -> MinerSnapshot:
        """Its figures of this moment."""
        return await _elsewhere(self.sync.snapshot)

    async def stop(self) -> None:
        """Leave the pool as a user's Ctrl-C would."""
        await _elsewhere(self.sync.stop)


class AsyncTap:
    """``SyncTap`` to be awaited."""

    def __init__(self, tap: SyncTap) -> None:
        self.sync = tap
        self.url = tap.url

    @property
    def messages(self) -> list[LabMessage]:
        """What was let through, so far."""
        return self.sync.messages

    async def wait_for(self, message: str, *, within: float = TIMEOUT) -> dict[str, Any]:
        """The next message of this method that was let through, or a reply to one, from either side."""
        return await _elsewhere(partial(self.sync.wait_for, message, within=within))


class AsyncLab:
    """``SyncLab`` to be awaited."""

    def __init__(self, lab: SyncLab) -> None:
        self.sync = lab
        self.seed = lab.seed

    async def pool(self, *, faults: Sequence[str] = (), tls: bool = False, **options: Any) -> AsyncPool:
        """A pool, with faults before it if any are named, perhaps with TLS. Options are those of ``Lab.pool``."""
        return AsyncPool(await _elsewhere(partial(self.sync.pool, faults=faults, tls=tls, **options)))

    async def miner(self, url: str, **options: Any) -> AsyncMiner:
        """A miner on the pool at ``url``. Options are those of ``Lab.miner``."""
        return AsyncMiner(await _elsewhere(partial(self.sync.miner, url, **options)))

    async def fleet(self, url: str, count: int, **options: Any) -> list[AsyncMiner]:
        """Several miners, each a worker of its own."""
        return [AsyncMiner(each) for each in await _elsewhere(partial(self.sync.fleet, url, count, **options))]

    async def tap(self, url: str, *rules: str) -> AsyncTap:
        """A tap before the pool at ``url``, with rules as ``stratum-miner tap --rule`` takes them."""
        return AsyncTap(await _elsewhere(partial(self.sync.tap, url, *rules)))

    async def device(self, kind: str, **options: Any) -> Emulator:
        """An emulated device on a pseudo-terminal; its ``path`` is for a driver to open."""
        return await _elsewhere(partial(self.sync.device, kind, **options))

    @property
    def tls(self) -> LabTls:
        """An authority of the test's own, and a certificate of it for this machine."""
        return self.sync.tls


async def _elsewhere(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
