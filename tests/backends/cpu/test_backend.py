"""What ``check_backend`` does not cover: options, processors of threads, failures inside a thread."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from stratum_miner.backends.base import BackendError, BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import backend as backend_module
from stratum_miner.backends.cpu import choice, handoff, kernel_figures, kernel_speed, kernels, processors
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.example import unit_of
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import ALL_BITS


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        ({"threads": "0"}, "threads: expected an integer"),
        ({"threads": "many"}, "threads: expected an integer"),
        ({"duty_cycle": "101"}, "duty_cycle"),
        ({"priority": "loww"}, "did you mean 'low'"),
        ({"affinity": "a"}, "affinity: expected numbers"),
        ({"affinity": "3-1"}, "affinity: expected numbers"),
        ({"affinity": "9999"}, "affinity: expected processors from"),
        ({"kernel": "avx1024"}, "kernel: expected one of"),
        ({"thread": "1"}, "did you mean 'threads'"),
        ({"zzz": "1"}, "it has affinity, duty_cycle, kernel, priority, threads"),
    ],
)
def test_options_that_do_not_work(options: dict[str, str], needle: str) -> None:
    with pytest.raises(BackendOptionError, match=needle):
        CpuBackend.from_options(options)


def test_a_feature_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.DISABLING, "avx-512")
    with pytest.raises(BackendOptionError, match=r"CPU_DISABLE: expected names out of sse2, .* 'avx-512'"):
        CpuBackend()


def test_priority_that_does_not_exist() -> None:
    with pytest.raises(BackendOptionError, match="priority: expected low or normal, got 'lowest'"):
        CpuBackend(priority="lowest")


def test_options_that_do() -> None:
    first = str(processors.usable()[0])
    backend = CpuBackend.from_options(
        {"threads": "3", "kernel": "scalar", "duty_cycle": "25", "priority": "normal", "affinity": first}
    )
    statistics = backend.statistics()
    assert [device.name for device in statistics.devices] == ["cpu0", "cpu1", "cpu2"]
    assert statistics.detail == "scalar, 3 threads"


def test_affinity_may_be_left_to_the_machine() -> None:
    assert CpuBackend.from_options({"affinity": "auto"}).threads == processors.default_threads()


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable", lambda: (0, 1))
    monkeypatch.setattr(processors, "quota", lambda *_: 65536)


TOO_MANY = r"threads: expected at most 16, 8 for each processor that this process may use \(2\), got "


@pytest.mark.parametrize("threads", [17, 1000, 10**30])
def test_more_than_eight_threads_for_each_processor(two_processors: None, threads: int) -> None:
    with pytest.raises(BackendOptionError, match=f"{TOO_MANY}{threads}$"):
        CpuBackend(threads=threads)
    with pytest.raises(BackendOptionError, match=f"{TOO_MANY}{threads}$"):
        CpuBackend.from_options({"threads": str(threads)})
    assert CpuBackend(threads=16).threads == 16


def test_a_quota_limits_the_threads_too(two_processors: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "quota", lambda *_: 1)
    with pytest.raises(BackendOptionError, match=r"at most 8, 8 for each processor .* \(1\), got 9"):
        CpuBackend(threads=9)


async def test_the_threads_of_all_backends_count_together(two_processors: None) -> None:
    send, _receive = trio.open_memory_channel[NonceFound](1)
    source = ScriptedWorkSource()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(CpuBackend(threads=15, kernel="scalar").run, source, send)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BackendOptionError, match=f"{TOO_MANY}17$"):
            await CpuBackend(threads=2, kernel="scalar").run(source, send)
        nursery.cancel_scope.cancel()
    with trio.move_on_after(0):
        await CpuBackend(threads=2, kernel="scalar").run(source, send)  # the others are gone


class _Threads:
    """Stands in for the ``threading`` of the backend; `start` is called in place of each thread's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, start: Callable[[threading.Thread], None]) -> None:
        class Thread(threading.Thread):
            def start(self) -> None:
                start(self)
                super().start()

        monkeypatch.setattr(backend_module, "threading", self)
        self.Thread = Thread

    def __getattr__(self, name: str) -> object:
        return getattr(threading, name)


async def test_search_threads_are_started_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[str, bool]] = []
    trios_own = threading.get_ident()
    _Threads(monkeypatch, lambda thread: begun.append((thread.name, threading.get_ident() == trios_own)))
    send, receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        source = ScriptedWorkSource([unit_of(1, target=(1 << 256) - 1)])
        nursery.start_soon(CpuBackend(threads=3, kernel="scalar").run, source, send)
        await receive.receive()
        nursery.cancel_scope.cancel()
    assert begun[:2] == [("cpu-start", True), ("cpu0", False)]
    assert not any(in_loop for _, in_loop in begun[1:])


async def test_cancelled_while_threads_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start takes until the backend is told to end; the third is spared."""
    closed, begun = threading.Event(), list[str]()
    second, token = trio.Event(), trio.lowlevel.current_trio_token()

    def start(thread: threading.Thread) -> None:
        begun.append(thread.name)
        if thread.name == "cpu1":
            token.run_sync_soon(second.set)
            assert closed.wait(60)

    class Closing(handoff.Handoff):
        def close(self) -> None:
            super().close()
            closed.set()

    _Threads(monkeypatch, start)
    monkeypatch.setattr(backend_module, "Handoff", Closing)
    send, _receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(CpuBackend(threads=3, kernel="scalar").run, ScriptedWorkSource(), send)
        await second.wait()
        nursery.cancel_scope.cancel()
    assert begun == ["cpu-start", "cpu0", "cpu1"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cpu")]


async def test_a_system_that_allows_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        if thread.name == "cpu1":
            raise RuntimeError("can't start new thread")

    _Threads(monkeypatch, start)
    send, _receive = trio.open_memory_channel[NonceFound](0)
    with pytest.raises(BackendError, match="can't start new thread"):
        await CpuBackend(threads=3, kernel="scalar").run(ScriptedWorkSource(), send)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cpu")]


async def test_search_threads_take_no_lock_of_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that gives way to all others may stand still while it holds one; then trio would wait for it."""
    callers = set[str]()
    run_sync_soon = trio.lowlevel.TrioToken.run_sync_soon

    def noted(token: trio.lowlevel.TrioToken, *arguments: Any, **options: Any) -> None:
        callers.add(threading.current_thread().name)
        run_sync_soon(token, *arguments, **options)

    monkeypatch.setattr(trio.lowlevel.TrioToken, "run_sync_soon", noted)
    hits = 2 * handoff.QUEUE_SIZE
    send, receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        source = ScriptedWorkSource([unit_of(1, target=(1 << 256) - 1, nonce_count=hits)])
        nursery.start_soon(CpuBackend(threads=2, kernel="scalar").run, source, send)
        for _ in range(hits):
            await receive.receive()
        nursery.cancel_scope.cancel()
    assert callers
    assert not [name for name in callers if name.startswith("cpu")]


async def test_versions_are_rolled_where_the_work_allows_it() -> None:
    source = ScriptedWorkSource([replace(unit_of(1, target=(1 << 256) - 1, nonce_count=4), version_mask=0x3F << 13)])
    send, receive = trio.open_memory_channel[NonceFound](0)
    found: set[tuple[int, int]] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(CpuBackend(threads=1, kernel="scalar").run, source, send)
        while len(found) < 4 * 64:
            hit = await receive.receive()
            found.add((hit.nonce, hit.version))
        nursery.cancel_scope.cancel()
    assert {version & ~(0x3F << 13) for _, version in found} == {0x20000000}
    assert source.rolls == (ALL_BITS, kernels.kernel_named("scalar").version_bits)


def test_threads_are_pinned_only_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    for affinity in ({"affinity": "auto"}, {"affinity": str(processors.usable()[0])}):
        with pytest.raises(BackendOptionError, match="affinity: expected a system that can pin threads"):
            CpuBackend.from_options(affinity)


def test_a_thread_has_a_priority_only_where_the_system_knows_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS takes the number of a thread for that of a process."""

    def refuse(*_: int) -> None:
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(os, "setpriority", refuse)
    backend = CpuBackend(threads=1)
    for system, warnings in (("linux", 1), ("darwin", 0)):
        monkeypatch.setattr(sys, "platform", system)
        with structlog.testing.capture_logs() as logged:
            backend._pin_and_renice(0)
        assert len(logged) == warnings


async def test_threads_run_at_low_priority_where_they_were_pinned() -> None:
    processor = processors.usable()[-1]
    backend = CpuBackend(threads=1, kernel="scalar", affinity=[processor])
    places: list[tuple[int, set[int]]] = []

    class Source(ScriptedWorkSource):
        def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
            thread = threading.get_native_id()
            places.append((os.getpriority(os.PRIO_PROCESS, thread), os.sched_getaffinity(thread)))
            return super().next_unit(rollable, at_once)

    source = Source([unit_of(1, target=(1 << 256) - 1)])
    send, receive = trio.open_memory_channel[NonceFound](1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backend.run, source, send)
        await receive.receive()
        nursery.cancel_scope.cancel()
    assert places[0] == (19, {processor})
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19 or os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 19


async def test_failure_inside_a_thread_ends_the_backend() -> None:
    class Source(ScriptedWorkSource):
        def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
            raise MemoryError("no room")

    send, _receive = trio.open_memory_channel[NonceFound](1)
    with pytest.raises(BackendError, match="no room"):
        await CpuBackend(threads=2, kernel="scalar").run(Source(), send)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cpu")]


async def test_broken_kernel_is_refused_before_the_first_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    source = ScriptedWorkSource()
    send, _receive = trio.open_memory_channel[NonceFound](1)
    with pytest.raises(SelfTestError):
        await CpuBackend(threads=1).run(source, send)
    assert source.asked == 0


@pytest.mark.timeout(30)
async def test_threads_with_more_hits_than_the_queue_holds_still_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoff, "QUEUE_SIZE", 1)
    units = [unit_of(number, target=(1 << 256) - 1) for number in range(3)]
    send, receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(CpuBackend(threads=3, kernel="scalar").run, ScriptedWorkSource(units), send)
        await receive.receive()  # each slice of a flood brings many more
        nursery.cancel_scope.cancel()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cpu")]


@pytest.mark.timeout(30)
async def test_a_thread_that_looks_at_the_stop_word_just_as_all_end_begins_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A unit may take an hour, and its search ends early only if the stop word changes after it began."""
    looks, changed = threading.Event(), threading.Event()

    class LateStopWord(kernels.StopWord):
        @property
        def value(self) -> int:
            if threading.current_thread().name == "cpu0" and not looks.is_set():
                looks.set()
                changed.wait(20)
            return super().value

        def bump(self) -> int:
            value = super().bump()
            changed.set()
            return value

    monkeypatch.setattr(kernels, "StopWord", LateStopWord)
    backend, source = CpuBackend(threads=1, kernel="scalar"), ScriptedWorkSource([unit_of(1)])
    send, _receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backend.run, source, send)
        await trio.to_thread.run_sync(looks.wait, 20)
        nursery.cancel_scope.cancel()
    assert changed.is_set()
    assert source.asked == 0
    assert sum(device.hashes for device in backend.statistics().devices) == 0


async def test_what_mining_reaches_corrects_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    monkeypatch.setattr(kernel_figures, "cache_file", lambda: file)
    monkeypatch.setattr(backend_module, "TIMED_SECONDS", 0.01)
    available = kernels.available_kernels()
    slow = [kernel_speed.MeasuredKernel(kernel, 2.0 + kernel.index, 1.0, True) for kernel in available]
    plain = choice.conclude(slow, file).plain.kernel
    backend = CpuBackend(threads=1)
    source = ScriptedWorkSource(unit_of(number, target=0) for number in range(1000))
    send, receive = trio.open_memory_channel[NonceFound](10)
    async with trio.open_nursery() as nursery, receive:
        nursery.start_soon(backend.run, source, send)
        while not backend._searchers[0].fastest[False]:  # noqa: ASYNC110  a thread sets it
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    for item in kernel_figures.known(available, file):
        assert (item.hash_rate > 1000) == (item.kernel == plain), item
