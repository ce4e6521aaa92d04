"""``stratum-miner bench``: measures the hash rate of each kernel on this computer, and then of mining with the fastest
kernel.

Each result consists of two hash rates. The hash rate per second of processor time decides which kernel the miner uses.
The hash rate per second of real time is lower than that if other programs use the processors.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from threading import Thread
from typing import Annotated, Any

import trio
from cyclopts import Parameter
from rich.table import Table

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import backend_choice, common
from stratum_miner.app.process import logs, printing
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.logs import console
from stratum_miner.backends.base import ChangeCallback
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.choice import Choice, conclude
from stratum_miner.backends.cpu.cross_check import POINTS, cross_check
from stratum_miner.backends.cpu.kernel_speed import PATIENCE, MeasuredKernel, Speed, time_of
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.quantities import hash_rate_text
from stratum_miner.work.example import unit_of
from stratum_miner.work.unit import NONCE_SPACE, NonceFound, WorkUnit
from stratum_miner.work.versions import lowest_bits

WORTH_REMEMBERING = 0.1
"""If each measurement takes at least this many seconds, the results are saved, so that a miner can use them later."""
BUSY = 0.9
"""The computer counts as busy if the measuring threads have a processor for less than this fraction of their time.

An earlier measurement of a kernel counts as clearly better than a new one if the new hash rate is less than BUSY
multiplied by the earlier hash rate. The value of BUSY is a choice, not a measurement.
"""
NOWHERE = Path(os.devnull) / "nowhere"
JOB_SECONDS = 5.0
"""While the hash rate of mining is measured, new work interrupts the search every JOB_SECONDS seconds."""


def bench(
    *,
    kernel: backend_choice.KernelName = None,
    seconds: Annotated[
        float,
        duration_option(
            "--seconds",
            "Processor time of each measurement, in seconds or with a unit, up to 1h. On a busy computer, a "
            f"measurement takes up to {PATIENCE} times as long.",
        ),
    ] = 1.0,
    threads: backend_choice.Threads = None,
    check: Annotated[
        bool,
        Parameter(
            name="--check",
            help="Test the kernels instead of measuring them: compare the results of each kernel with those of another "
            f"kernel for 2^{POINTS.bit_length() - 1} headers.",
            negative=(),
            show_default=False,
        ),
    ] = False,
    json: common.Json = False,
) -> int:
    """Measure the hash rate of each SHA-256d kernel on one thread.

    Then measure the hash rate of the fastest kernel on several threads, and of the whole CPU backend while it mines.

    Exit code 5: a kernel failed its self-test, or with --check two kernels gave different results.
    """
    common.check_time("--seconds", seconds, 0, 3600, above=True)
    logs.configure(level="warning")
    wanted = kernels.available_kernels() if kernel is None else (kernels.kernel_named(kernel),)
    backend = CpuBackend(threads=threads, kernel=kernel)  # raises for impossible options before anything is measured
    if check:
        return _check(wanted, json)
    trials = [_try(item, seconds) for item in wanted]
    choice = conclude([trial.measured for trial in trials], None if seconds >= WORTH_REMEMBERING else NOWHERE)
    scaling = _scaling(choice.rolling, backend.threads, seconds)
    with console.status(f"mining on {backend.threads} threads"):
        mined = trio.run(_mine, backend, seconds)
    share = _processor_share([*(speed for trial in trials for speed in trial.speeds), *scaling.values()])
    result = {
        "kernels": [_row(trial) for trial in trials],
        "chosen": choice.rolling.kernel.name,
        "chosen_plain": choice.plain.kernel.name,
        "known": [_known_row(item) for item in choice.measured],
        "threads": [
            {"threads": count, "hash_rate": speed.hash_rate, "wall_hash_rate": speed.wall_hash_rate}
            for count, speed in scaling.items()
        ],
        "mining": {
            "threads": backend.threads,
            "hash_rate": mined,
            "share_of_kernels": mined / scaling[backend.threads].wall_hash_rate,
        },
        "processor_share": share,
        "busy": share < BUSY,
    }
    if json:
        printing.print_json(result)
    else:
        _print_tables(trials, choice, scaling, mined)
        _print_doubts(trials, choice, share)
    return ExitCode.OK if all(trial.measured.self_test for trial in trials) else ExitCode.SELF_TEST_FAILED


@dataclass(frozen=True, slots=True)
class _Trial:
    """The results for one kernel: of its self-test and, if it passed the self-test, of the measurement of its hash
    rates."""

    measured: MeasuredKernel
    speeds: tuple[Speed, ...]
    """The hash rates without and with version rolling; empty for a kernel that failed its self-test."""


def _try(kernel: kernels.Kernel, seconds: float) -> _Trial:
    with console.status(f"{kernel.name}: self-test and {2 * seconds:g} s of hashing"):
        if not kernels.self_test(kernel):
            return _Trial(MeasuredKernel(kernel, 0.0, 0.0, False), ())
        plain, rolling = (time_of(kernel, seconds, rolling=rolls) for rolls in (False, True))
        return _Trial(MeasuredKernel(kernel, plain.hash_rate, rolling.hash_rate, True), (plain, rolling))


def _row(trial: _Trial) -> dict[str, Any]:
    item = trial.measured
    plain, rolling = trial.speeds or (Speed(0.0, 0.0), Speed(0.0, 0.0))
    return {
        "name": item.kernel.name,
        "lanes": item.kernel.lanes,
        "versions": item.kernel.versions,
        "hash_rate": plain.hash_rate,
        "wall_hash_rate": plain.wall_hash_rate,
        "rolling_hash_rate": rolling.hash_rate,
        "rolling_wall_hash_rate": rolling.wall_hash_rate,
        "self_test": item.self_test,
    }


def _known_row(item: MeasuredKernel) -> dict[str, Any]:
    return {
        "name": item.kernel.name,
        "hash_rate": item.hash_rate,
        "measured_on": str(item.measured_on),
        "rolling_hash_rate": item.rolling_hash_rate,
        "rolling_measured_on": str(item.rolling_measured_on),
    }


def _processor_share(speeds: list[Speed]) -> float:
    """Return the fraction of the time (0 to 1) for which the measuring threads had a processor, on average."""
    return fmean(min(1.0, speed.wall_hash_rate / speed.hash_rate) for speed in speeds)


def _scaling(chosen: MeasuredKernel, most: int, seconds: float) -> dict[int, Speed]:
    """Return the hash rate of the kernel for each number of threads: 1, 2, 4, ... and ``most``.

    The threads run only the kernel, not the CPU backend.
    """
    counts = sorted({most, *(1 << power for power in range(most.bit_length()) if 1 << power < most)})
    speeds = {}
    for count in counts:
        with console.status(f"{chosen.kernel.name} on {count} thread{'s' if count > 1 else ''}"):
            speeds[count] = _together(chosen.kernel, count, seconds)
    return speeds


def _together(kernel: kernels.Kernel, count: int, seconds: float) -> Speed:
    """Return the hash rates of ``count`` threads together, per second of real time and per second of processor time.

    The hash rate per second of real time is the sum over the threads. For the hash rate per second of processor time,
    the mean over the threads is multiplied by ``count``. If there are fewer usable processors than ``count``, the mean
    is multiplied by the number of usable processors instead.
    """
    speeds: list[Speed] = []

    def work() -> None:
        speeds.append(time_of(kernel, seconds, rolling=True))

    threads = [Thread(target=work, daemon=True) for _ in range(count)]  # Ctrl-C does not wait for daemon threads
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    processor = fmean(speed.hash_rate for speed in speeds) * min(count, processors.default_threads())
    return Speed(processor, sum(speed.wall_hash_rate for speed in speeds))


class _EndlessWork:
    """A source of work that never ends. The work has target 0, so that no hash is a share, and permits rolling of all
    version bits that BIP 320 reserves."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._number = 0
        self._callbacks: list[ChangeCallback] = []

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        self._number += 1
        self._token.run_sync_soon(self.begun.set, idempotent=True)
        mask = lowest_bits(GENERAL_PURPOSE_MASK & rollable, at_once)
        return replace(unit_of(self._number, target=0, nonce_count=NONCE_SPACE), version_mask=mask)

    def on_change(self, callback: ChangeCallback) -> Any:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def change(self) -> None:
        for callback in self._callbacks:
            callback(True)


async def _mine(backend: CpuBackend, seconds: float) -> float:
    """Return the hash rate in H/s of the whole backend, which gets new work every few seconds.

    The measurement begins after the backend has chosen its kernel.
    """
    source = _EndlessWork()
    send, receive = trio.open_memory_channel[NonceFound](0)
    async with trio.open_nursery() as nursery, send, receive:
        nursery.start_soon(backend.run, source, send)
        await source.begun.wait()
        begun_at = trio.current_time()
        with trio.move_on_after(seconds):
            while True:
                await trio.sleep(JOB_SECONDS)
                source.change()
        elapsed = trio.current_time() - begun_at
        nursery.cancel_scope.cancel()  # each search stops at once and its hashes are counted
    return backend.statistics().hashes / elapsed


def _check(wanted: tuple[kernels.Kernel, ...], json: bool) -> int:
    every = kernels.available_kernels()
    rows: list[dict[str, Any]] = []
    for kernel in wanted:
        other = next((item for item in every if item is not kernel and item.name != kernel.name), kernel)
        with console.status(f"{kernel.name}: self-test"):
            passed = kernels.self_test(kernel)
        differences = []
        for rolling in (False, True):
            with console.status(f"{kernel.name}: 2^{POINTS.bit_length() - 1} headers compared with {other.name}"):
                difference = cross_check(kernel, other, rolling=rolling, points=POINTS)
            if difference is not None:
                differences.append(str(difference))
        rows.append({"name": kernel.name, "against": other.name, "self_test": passed, "differences": differences})
        if not json:
            verdict = "passed" if passed else "FAILED"
            printing.say(f"{kernel.name}: self-test {verdict}; {'; '.join(differences) or f'agrees with {other.name}'}")
    if json:
        printing.print_json({"points": POINTS, "kernels": rows})
    sound = all(row["self_test"] and not row["differences"] for row in rows)
    return ExitCode.OK if sound else ExitCode.SELF_TEST_FAILED


def _print_tables(trials: list[_Trial], choice: Choice, scaling: dict[int, Speed], mined: float) -> None:
    table = Table(title="SHA-256d kernels, one thread, per second of processor time", title_justify="left")
    for heading in ("kernel", "lanes", "plain", "versions", "rolling", "self-test", ""):
        table.add_column(heading, justify="right" if heading in ("lanes", "plain", "versions", "rolling") else "left")
    for item in (trial.measured for trial in trials):
        uses = [
            name
            for name, best in (("rolling", choice.rolling), ("plain", choice.plain))
            if best.kernel.name == item.kernel.name
        ]
        table.add_row(
            item.kernel.name,
            str(item.kernel.lanes),
            hash_rate_text(item.hash_rate),
            str(item.kernel.versions),
            hash_rate_text(item.rolling_hash_rate),
            "passed" if item.self_test else "FAILED",
            "chosen" if len(uses) == 2 else f"chosen, {uses[0]}" if uses else "",
        )
    output = printing.console()
    output.print(table)
    name = choice.rolling.kernel.name
    for count, speed in scaling.items():
        times = f"{speed.hash_rate / scaling[1].hash_rate:.2f} times one" if count > 1 else "rolling versions"
        output.print(f"{name} on {count} thread{'s' if count > 1 else ''}: {_both(speed)}, {times}", markup=False)
    all_of_them = list(scaling.values())[-1].wall_hash_rate
    output.print(f"mining on as many threads: {hash_rate_text(mined)}, {mined / all_of_them:.1%} of that", markup=False)
    quota = processors.quota()
    if quota < len(processors.usable()):
        output.print(f"This container may use {quota} of {len(processors.usable())} processors.", markup=False)


def _both(speed: Speed) -> str:
    if speed.wall_hash_rate >= speed.hash_rate * BUSY:
        return hash_rate_text(speed.wall_hash_rate)
    return f"{hash_rate_text(speed.wall_hash_rate)} by the clock, {hash_rate_text(speed.hash_rate)} of processor time"


def _print_doubts(trials: list[_Trial], choice: Choice, share: float) -> None:
    """Print a line if the computer was busy, and a line for each kernel whose earlier measurement remains in use
    because it is clearly better than the new one.
    """
    output = printing.console()
    if share < BUSY:
        output.print(
            f"The computer was busy: on average, a measuring thread had {share:.0%} of a processor.",
            markup=False,
        )
    now = {trial.measured.kernel.name: trial.measured for trial in trials}
    for known in choice.measured:
        kept = []
        if known.hash_rate * BUSY > now[known.kernel.name].hash_rate:
            kept.append(f"{hash_rate_text(known.hash_rate)} plain of {known.measured_on}")
        if known.rolling_hash_rate * BUSY > now[known.kernel.name].rolling_hash_rate:
            kept.append(f"{hash_rate_text(known.rolling_hash_rate)} rolling of {known.rolling_measured_on}")
        if kept:
            output.print(
                f"{known.kernel.name}: an earlier measurement is better and remains in use: {', '.join(kept)}.",
                markup=False,
            )
