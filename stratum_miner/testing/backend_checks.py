"""Checks whether a backend keeps the rules of ``stratum_miner.backends.base``.

A test of a backend needs two lines::

    async def test_my_backend() -> None:
        await check_backend(lambda: MyBackend(...))

A hit is a nonce whose hash meets the target. The work units are invented (``work.example``). Their targets are so easy
that this module can compute every hit with hashlib. The checks do not depend on the speed of the backend, but each step
of a check has a time limit (``patience``).
"""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import product

import trio

from stratum_miner.backends.base import ASK_AGAIN_SECONDS, Backend
from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.example import NONCES, unit_of
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import each_bit, lowest_bits

COPIES = 64
"""Number of copies of a work unit that the work source of a check hands out. When the work changes, each thread of a
backend may drop a copy that it has taken but not searched. At least one copy must be left to be searched, so there are
more copies than a large computer has threads."""
BIP_323_MASK = 0x1FFFFFE0
"""The version mask of BIP 323. It has more bits than mining chips can roll, so a check uses only those bits of the mask
that the backend says it can roll."""


async def check_backend(
    factory: Callable[[], Backend], *, exhaustive: bool | None = None, patience: float = 30.0
) -> None:
    """Check whether a backend keeps the rules of ``stratum_miner.backends.base``.

    Each check runs on a new backend, which ``factory`` returns. ``exhaustive`` says whether the backend must find every
    hit of a unit (rule 6); the default is the backend's attribute of this name. A backend that is not exhaustive must
    still find hits in units in which most hashes are hits. ``patience`` is the maximum number of seconds for each step
    of a check. Raises AssertionError, which names the broken rule, if a check fails.
    """
    everything = factory().exhaustive if exhaustive is None else exhaustive
    checker = _Checker(factory, everything, patience)
    await checker.statistics_before_during_and_after()
    await checker.finds_what_is_there()
    await checker.rolls_the_bits_it_named()
    await checker.holds_to_the_target()
    await checker.floods_without_loss()
    await checker.idles_and_wakes()
    await checker.drops_void_work()
    await checker.leaves_nothing_behind()
    await checker.asks_again_by_itself()


class _RollingSource(ScriptedWorkSource):
    """Returns work units in which the backend must roll version bits. Each work unit has at most eight such bits. They
    are among the bits of BIP 323 that the backend says it can roll."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        unit = super().next_unit(rollable, at_once)
        if unit is None:
            return None
        self.taken[-1] = replace(unit, version_mask=lowest_bits(BIP_323_MASK & rollable, min(at_once, 8)))
        return self.taken[-1]


class _Checker:
    def __init__(self, factory: Callable[[], Backend], exhaustive: bool, patience: float) -> None:
        self._factory = factory
        self._exhaustive = exhaustive
        self._patience = patience

    # ---- the checks -------------------------------------------------------------------------------------------

    async def statistics_before_during_and_after(self) -> None:
        backend = self._factory()
        before = backend.statistics()
        _require(before.hashes == 0, "rule 7: statistics before run count no hashes")
        _require(bool(before.devices), "rule 7: statistics name the devices before run is called")
        source = ScriptedWorkSource([unit_of(1, target=MAX_TARGET)])
        async with self._running(backend, source) as found:
            await self._receive(found, 1)
            during = await trio.to_thread.run_sync(backend.statistics)
        after = backend.statistics()
        names = [[device.name for device in item.devices] for item in (before, during, after)]
        _require(names[0] == names[1] == names[2], "rule 7: devices keep their names and their order")
        _require(after.hashes > 0, "rule 7: statistics count hashes after a hit")

    async def finds_what_is_there(self) -> None:
        unit = unit_of(2, first_nonce=0xFFFFFF00)  # its nonces go on at 0 after 0xFFFFFFFF
        expected = hits_of(unit)
        _require(len(expected) > 4, "check_backend itself: its unit has hits")
        source = ScriptedWorkSource([unit])
        async with self._running(self._factory(), source) as found:
            got = await self._receive(found, len(expected) if self._exhaustive else 1)
            if self._exhaustive:
                await self._expect_no_more(found, source)
        self._compare(got, expected)

    async def rolls_the_bits_it_named(self) -> None:
        source = _RollingSource([unit_of(11, nonce_count=64)])
        async with self._running(self._factory(), source) as found:
            [first] = await self._receive(found, 1)
            [unit] = source.taken
            expected = hits_of(unit)
            got = [first, *await self._receive(found, len(expected) - 1 if self._exhaustive else 0)]
        self._compare(got, expected)

    async def holds_to_the_target(self) -> None:
        base = unit_of(3)
        best = min(hits_of(base), key=lambda point: _value(base, *point))
        boundary = _value(base, *best)
        on_it = replace(base, target=boundary)
        below_it = replace(base, target=boundary - 1)
        if not self._exhaustive:
            return
        source = ScriptedWorkSource([on_it])
        async with self._running(self._factory(), source) as found:
            [hit] = await self._receive(found, 1)
        _require((hit.version, hit.nonce) == best, "rule 5: a hash equal to the target is a hit")
        source = ScriptedWorkSource([below_it, unit_of(4, target=MAX_TARGET, nonce_count=1)])
        async with self._running(self._factory(), source) as found:
            [hit] = await self._receive(found, 1)
        _require(hit.unit is not below_it, "rule 5: a hash above the target is not a hit")

    async def floods_without_loss(self) -> None:
        unit = unit_of(5, target=MAX_TARGET)
        count = NONCES if self._exhaustive else 8
        source = ScriptedWorkSource([unit])
        async with self._running(self._factory(), source, buffer=0) as found:
            got = await self._receive(found, count)
        self._compare(got, hits_of(unit))

    async def idles_and_wakes(self) -> None:
        source = ScriptedWorkSource()
        async with self._running(self._factory(), source) as found:
            asks = "rule 2: asks for work, and registers a change callback"
            await self._until(lambda: source.asked > 0 and source.listeners > 0, asks)
            source.give([unit_of(6, target=MAX_TARGET)] * COPIES, void=True)
            await self._receive(found, 1)

    async def drops_void_work(self) -> None:
        old = unit_of(7, target=MAX_TARGET, nonce_count=1 << 32)
        new = unit_of(8, target=MAX_TARGET)
        source = ScriptedWorkSource([old] * COPIES)
        async with self._running(self._factory(), source, buffer=0) as found:
            await self._receive(found, 3)
            source.give([new] * COPIES, void=True)
            # number of hits (nonces that meet the target) of the old work unit that came after the change. One hit of
            # each thread of the backend is permitted, because the thread may have been waiting to send it when the work
            # changed.
            late = 0
            while True:
                [hit] = await self._receive(found, 1)
                if hit.unit is new:
                    break
                late += 1
                _require(late <= COPIES, "rule 3: no hits of void units after the change")

    async def leaves_nothing_behind(self) -> None:
        before = _own_threads()
        source = ScriptedWorkSource([unit_of(9, target=1, nonce_count=1 << 32)] * COPIES)
        async with self._running(self._factory(), source):
            await self._until(lambda: source.asked > 0, "rule 2: asks for work")
        left = _own_threads() - before
        threads = ", ".join(thread.name for thread in left)
        _require(not left, f"rule 1: no threads run after run has returned, but these do: {threads}")
        _require(source.listeners == 0, "rule 1: the change callback is removed before run returns")

    async def asks_again_by_itself(self) -> None:
        source = ScriptedWorkSource()
        async with self._running(self._factory(), source) as found:
            await self._until(lambda: source.asked > 0, "rule 2: asks for work")
            source.refill([unit_of(12, target=MAX_TARGET)])
            again = "rule 2: asks again after a second without work"
            await self._until(lambda: bool(source.taken), again, ASK_AGAIN_SECONDS)
            await self._receive(found, 1)

    # ---- steps of the checks ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _running(
        self, backend: Backend, source: ScriptedWorkSource, buffer: int = 16
    ) -> AsyncIterator[trio.MemoryReceiveChannel[NonceFound]]:
        send, receive = trio.open_memory_channel[NonceFound](buffer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(backend.run, source, send)
            yield receive
            nursery.cancel_scope.cancel()

    async def _receive(self, found: trio.MemoryReceiveChannel[NonceFound], count: int) -> list[NonceFound]:
        got: list[NonceFound] = []
        with trio.move_on_after(self._patience):
            while len(got) < count:
                got.append(await found.receive())
        _require(len(got) == count, f"rule 4: expected {count} hits, got {len(got)} in {self._patience:g} s")
        return got

    async def _expect_no_more(self, found: trio.MemoryReceiveChannel[NonceFound], source: ScriptedWorkSource) -> None:
        """Check that the backend has no more hits (nonces that meet the target) to report from the work units that it
        has received so far. For this, give the backend a further work unit, and require that the next hit that the
        backend reports is from this unit."""
        marker = unit_of(10, target=MAX_TARGET, nonce_count=1)
        source.give([marker] * COPIES, void=False)
        [hit] = await self._receive(found, 1)
        _require(hit.unit is marker, "rule 4: each hit is reported once, and lies in its unit")

    async def _until(self, condition: Callable[[], bool], rule: str, longer: float = 0.0) -> None:
        with trio.move_on_after(self._patience + longer):
            while not condition():  # noqa: ASYNC110  the threads of the backend set no trio.Event
                await trio.sleep(0.001)
            return
        raise AssertionError(f"{rule}; it did not happen within {self._patience + longer:g} s")

    def _compare(self, got: list[NonceFound], expected: set[tuple[int, int]]) -> None:
        points = Counter((hit.version, hit.nonce) for hit in got)
        twice = [point for point, count in points.items() if count > 1]
        _require(not twice, f"rule 4: each hit is reported once, but these (version, nonce) were not: {twice[:3]}")
        wrong = sorted(set(points) - expected)
        _require(not wrong, f"rule 5: reported (version, nonce) above the target or outside the unit: {wrong[:3]}")
        if self._exhaustive and len(got) >= len(expected):
            missing = sorted(expected - set(points))
            _require(not missing, f"rule 6: finds every hit, but these (version, nonce) are missing: {missing[:3]}")


def hits_of(unit: WorkUnit) -> set[tuple[int, int]]:
    """Return every (version, nonce) of a work unit whose hash meets the target of the unit, computed with hashlib.

    The unit must be small: each pair of a version and a nonce takes about a microsecond.
    """
    versions = [unit.version]
    for bit in each_bit(unit.version_mask):
        versions += [version | bit for version in versions]
    nonces = [(unit.first_nonce + offset) & 0xFFFFFFFF for offset in range(unit.nonce_count)]
    return {point for point in product(versions, nonces) if _value(unit, *point) <= unit.target}


def _value(unit: WorkUnit, version: int, nonce: int) -> int:
    header = version.to_bytes(4, "little") + unit.header[4:76] + nonce.to_bytes(4, "little")
    return int.from_bytes(sha256(sha256(header).digest()).digest(), "little")


def _own_threads() -> set[threading.Thread]:
    """Return the running threads, except two sorts that other parts of the process start and end: the worker threads of
    trio, and the timer with which the log of stratum-miner reports lines that were left out."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith(("Trio", "log-timer"))}


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise AssertionError(rule)
