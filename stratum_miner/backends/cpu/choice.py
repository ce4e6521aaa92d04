"""Which kernel to use: the fastest measured, after its self-test, remembered for the next start.

Two answers, since a kernel that is fastest with nonces in its lanes need not be fastest with versions in them. What
was measured is kept in the user's cache directory under the model of the CPU, the kernels it can run and the build of
them; a file that cannot be read, written or understood is as good as none.

All figures are hashes per second of the measuring thread's processor time, so other programs on the machine do not
lower them. What still lowers them is of the moment: a processor that is hot, or one core's other hardware thread at
work. Therefore the better of an old and a new figure is kept, each with the day of its measurement, and mining raises
a figure that it exceeds. Mining lowers nothing. Where it exceeds a figure by far, or never reaches two fifths of it,
all figures of the CPU are doubtful, and the next start measures again (`correct`).
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import structlog

from stratum_miner import user_folders
from stratum_miner.backends.base import SelfTestError
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.kernels import Kernel
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK

log = structlog.get_logger(__name__)

CHOICE_SECONDS = 0.15
"""How long all kernels together are measured at the first start: enough to tell a factor of 1.1."""
ROUNDS = 5
"""Measurements of each, taken in turn, of which the best counts: what disturbs one only ever makes it slower."""
FIRST_SLICE = 1 << 12
"""Points of the first run of a measurement; the next runs are as long as that one lets expect."""
PATIENCE = 4
"""A measurement ends after this many times its length on the clock, however little the processor did for it."""
MAX_AGE = timedelta(days=30)
"""Figures older than this are measured again: systems and firmware change."""
CACHE_LIMIT = 1 << 16
"""Bytes of a cache file that are read."""
FASTEST = 1e9
"""H/s that no thread of any processor reaches: ten times the fastest that we measured (docs/benchmarks.md)."""
MOST_OF_KERNEL = 0.5
"""Share of one thread's rate up to which searching beside other work does not fall behind; picked by feel."""
UNREACHED = 0.4
"""Share of a figure that mining reaches at least. Two hardware threads of one core get half each, and some heat."""
EXCEEDED = 1.25
"""Times a figure beyond which it was measured while the machine was slow, and with it those of the other kernels."""
HOPELESS = 4
"""How many times too long work must seem before it is left alone: a machine may have been measured while it was hot and
its cores were shared, and at its best does as many times as much."""
MEASURES_AGAIN = "stratum-miner bench measures again"


@dataclass(frozen=True, slots=True)
class Speed:
    """What one thread did, in H/s."""

    hash_rate: float
    """Per second of its processor time: what it would do if the processor were its own."""
    wall_hash_rate: float
    """Per second of the clock; lower when other programs had the processor meanwhile."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a kernel did on one thread, in H/s of its processor time; 0 after a failed self-test."""

    kernel: Kernel
    hash_rate: float
    """With nonces in the lanes."""
    rolling_hash_rate: float
    """With versions in the lanes, for a pool that grants enough bits of them."""
    self_test: bool
    measured_on: date = field(default_factory=date.today)
    """The day of ``hash_rate``."""
    rolling_measured_on: date = field(default_factory=date.today)
    """The day of ``rolling_hash_rate``."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The kernels to use, and why, in words worth logging."""

    plain: Measured
    rolling: Measured
    reason: str
    measured: tuple[Measured, ...]

    @property
    def kernel(self) -> Kernel:
        """The kernel for work without version rolling, which any work can be."""
        return self.plain.kernel

    @property
    def hash_rate(self) -> float:
        """H/s of ``kernel`` on one thread."""
        return self.plain.hash_rate

    @property
    def names(self) -> str:
        """One name, or two when they differ."""
        names = dict.fromkeys((self.rolling.kernel.name, self.plain.kernel.name))
        return " and ".join(names)

    def doubt(self, hash_rate: float) -> str | None:
        """Why one thread may not keep up with so many H/s beside its other work; None when it should.

        Never a reason to refuse them: what is known of a machine may have been measured while it was slow.
        """
        if hash_rate <= self.hash_rate * MOST_OF_KERNEL:
            return None
        return (
            f"{hash_rate / 1e6:,.1f} MH/s is more than half of what one thread of this machine does, "
            f"{self.hash_rate / 1e6:,.1f} MH/s measured on {self.plain.measured_on} ({MEASURES_AGAIN})"
        )


class _Figure(msgspec.Struct, frozen=True):
    hash_rate: float
    measured_on: date

    @property
    def known(self) -> float:
        """The rate; 0 when it is too old, or cannot be."""
        young = timedelta(0) <= date.today() - self.measured_on <= MAX_AGE
        return self.hash_rate if young and 0 < self.hash_rate <= FASTEST else 0.0


class _Figures(msgspec.Struct, frozen=True):
    plain: _Figure
    rolling: _Figure


class _Entry(msgspec.Struct, frozen=True):
    processor_time: dict[str, _Figures]
    """By kernel. Before it had this name it held figures by the clock, which are not read."""
    doubtful: bool = False
    """Whether all are to be measured again, and the better of each kept."""


def time_of(kernel: Kernel, seconds: float, *, rolling: bool = False) -> Speed:
    """Search on this thread for about ``seconds`` of processor time."""
    search = kernels.Search(kernel)
    points = search.load(bytes(80), 0, version_mask=GENERAL_PURPOSE_MASK if rolling else 0)
    count, done, started, worked = FIRST_SLICE, 0, time.perf_counter(), time.thread_time()
    while True:
        done += search.run(done % points, min(count, points - done % points)).done
        processor, wall = time.thread_time() - worked, time.perf_counter() - started
        if processor >= seconds * 0.7 or wall >= seconds * PATIENCE:
            return Speed(done / (processor or wall), done / wall)
        left = min((seconds - processor) / (processor or wall), (seconds * PATIENCE - wall) / wall, 1.0 / wall)
        count = max(FIRST_SLICE, int(done * left))


def measure(kernel: Kernel, seconds: float, *, rolling: bool = False) -> float:
    """Hashes per second of processor time on this thread, over about ``seconds`` of it."""
    return time_of(kernel, seconds, rolling=rolling).hash_rate


def survey(available: Sequence[Kernel], seconds: float) -> tuple[Measured, ...]:
    """Self-test all kernels and measure them in turn, ``seconds`` all together; broken ones are not measured."""
    sound = {kernel for kernel in available if kernels.self_test(kernel)}
    ways = [(kernel, rolling) for kernel in available if kernel in sound for rolling in (False, True)]
    best = dict.fromkeys(((kernel, rolling) for kernel in available for rolling in (False, True)), 0.0)
    for _ in range(ROUNDS):
        for kernel, rolling in ways:
            rate = measure(kernel, seconds / len(ways) / ROUNDS, rolling=rolling)
            best[kernel, rolling] = max(best[kernel, rolling], rate)
    return tuple(Measured(kernel, best[kernel, False], best[kernel, True], kernel in sound) for kernel in available)


def choose(forced: str | None = None, *, seconds: float = CHOICE_SECONDS, cache: Path | None = None) -> Choice:
    """Pick the fastest kernels that pass their self-test, or the forced one.

    What an earlier call measured on such a CPU is taken from ``cache`` (default: the user's cache directory).
    BackendOptionError for an unknown name; SelfTestError when the forced kernel, or every kernel, is broken.
    """
    if forced is not None:
        kernel = kernels.kernel_named(forced)
        [measured] = survey([kernel], seconds / 4)
        return _pick((_sound(measured),), "kernel as asked for")
    available = kernels.available_kernels()
    path = cache_file() if cache is None else cache
    remembered = recall(available, path)
    if remembered is not None:
        choice = _pick(remembered)
        if all(kernels.self_test(item.kernel) for item in {choice.plain, choice.rolling}):
            return choice
    return conclude(survey(available, seconds), path)


def conclude(measured: Sequence[Measured], cache: Path | None = None) -> Choice:
    """Choose among measured kernels, by the better of what was measured and what is remembered of each.

    That is remembered in turn, if it is of all kernels and none is broken. SelfTestError when every kernel is broken.
    """
    sound = [item for item in measured if item.self_test]
    for item in measured:
        if not item.self_test:
            log.error("kernel_self_test_failed", kernel=item.kernel.name)
    if not sound:
        raise _broken([item.kernel for item in measured])
    available = kernels.available_kernels()
    if [item.kernel for item in sound] == list(available):
        path = cache_file() if cache is None else cache
        measured = [_better(new, old) for new, old in zip(sound, _known(available, path), strict=True)]
        _remember(measured, path)
    return _pick(tuple(measured))


def correct(choice: Choice, plain: float, rolling: float, cache: Path | None = None) -> None:
    """Remember what one thread reached in mining, in H/s of its processor time at its best; 0 where it did not search.

    A figure that is exceeded is replaced. One that is far exceeded was measured while the machine was slow, and so were
    the other kernels': the next start measures all again, or this one would be used for good. One of which not even
    ``UNREACHED`` was reached is of another machine (a home directory that two share, a virtual machine that moved): all
    of this CPU's are forgotten, and measured at the next start. In between nothing is lowered: heat and a core's other
    hardware thread explain it, and are of the moment.
    """
    available = kernels.available_kernels()
    path = cache_file() if cache is None else cache
    known = recall(available, path)
    if known is None:
        return
    today = [
        Measured(
            item.kernel,
            plain if item.kernel == choice.plain.kernel else 0.0,
            rolling if item.kernel == choice.rolling.kernel else 0.0,
            True,
        )
        for item in known
    ]
    if any(_is_far_below(new, old) for new, old in zip(today, known, strict=True)):
        log.debug("kernel_figures_forgotten", reason="mining did not reach them")
        _write(available, None, path)
        return
    better = [_better(new, old) for new, old in zip(today, known, strict=True)]
    if better != list(known):
        doubtful = any(_is_far_above(new, old) for new, old in zip(today, known, strict=True))
        _remember(better, path, doubtful=doubtful)


def cache_file() -> Path:
    """Where figures are remembered."""
    return user_folders.cache() / "kernels.json"


def recall(available: Sequence[Kernel], path: Path) -> tuple[Measured, ...] | None:
    """Figures of all these kernels, if such a CPU was measured before and mining did not make them doubtful."""
    entry = _entry(available, path)
    known = _known(available, path)
    if entry is None or entry.doubtful or not all(item.hash_rate and item.rolling_hash_rate for item in known):
        return None
    return tuple(known)


def _known(available: Sequence[Kernel], path: Path) -> list[Measured]:
    """What is remembered of each of these kernels; 0 for what is not, is too old, or cannot be."""
    entry = _entry(available, path)
    figures = {} if entry is None else entry.processor_time
    nothing = _Figures(_Figure(0.0, date.min), _Figure(0.0, date.min))
    found = [(kernel, figures.get(kernel.name, nothing)) for kernel in available]
    return [
        Measured(kernel, item.plain.known, item.rolling.known, True, item.plain.measured_on, item.rolling.measured_on)
        for kernel, item in found
    ]


def _entry(available: Sequence[Kernel], path: Path) -> _Entry | None:
    try:
        return msgspec.json.decode(_entries(path)[_key(available)], type=_Entry)
    except (OSError, KeyError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _entries(path: Path) -> dict[str, msgspec.Raw]:
    """The file, by CPU; entries of another version are left as they are."""
    with path.open("rb") as file:
        return msgspec.json.decode(file.read(CACHE_LIMIT), type=dict[str, msgspec.Raw])


def _better(new: Measured, old: Measured) -> Measured:
    """Each rate as it is in the better of two measurements of a kernel."""
    if old.hash_rate > new.hash_rate:
        new = replace(new, hash_rate=old.hash_rate, measured_on=old.measured_on)
    if old.rolling_hash_rate > new.rolling_hash_rate:
        new = replace(new, rolling_hash_rate=old.rolling_hash_rate, rolling_measured_on=old.rolling_measured_on)
    return new


def _is_far_below(new: Measured, old: Measured) -> bool:
    return (
        0 < new.hash_rate < old.hash_rate * UNREACHED or 0 < new.rolling_hash_rate < old.rolling_hash_rate * UNREACHED
    )


def _is_far_above(new: Measured, old: Measured) -> bool:
    return new.hash_rate > old.hash_rate * EXCEEDED or new.rolling_hash_rate > old.rolling_hash_rate * EXCEEDED


def _remember(measured: Sequence[Measured], path: Path, *, doubtful: bool = False) -> None:
    figures = {
        item.kernel.name: _Figures(
            _Figure(item.hash_rate, item.measured_on), _Figure(item.rolling_hash_rate, item.rolling_measured_on)
        )
        for item in measured
    }
    _write([item.kernel for item in measured], _Entry(figures, doubtful), path)


def _write(available: Sequence[Kernel], entry: _Entry | None, path: Path) -> None:
    """Put the entry of these kernels into the file, or take it out."""
    try:
        try:
            entries = _entries(path)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            entries = {}
        entries.pop(_key(available), None)
        if entry is not None:
            entries[_key(available)] = msgspec.Raw(msgspec.json.encode(entry))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as fresh:
            fresh.write(msgspec.json.format(msgspec.json.encode(entries)))
        os.replace(fresh.name, path)
    except OSError as error:
        log.debug("kernel_figures_not_remembered", reason=error.strerror)


def _key(available: Sequence[Kernel]) -> str:
    return f"{processors.model()}; {' '.join(kernel.name for kernel in available)}; {kernels.build_id()}"


def _sound(measured: Measured) -> Measured:
    if not measured.self_test:
        raise _broken([measured.kernel])
    return measured


def _broken(broken: Sequence[Kernel]) -> SelfTestError:
    names = ", ".join(kernel.name for kernel in broken)
    return SelfTestError(f"kernel self-test: expected the known answers, got others from {names}: do not mine here")


def _pick(measured: tuple[Measured, ...], what: str = "fastest kernel") -> Choice:
    plain = max(measured, key=lambda item: item.hash_rate)
    rolling = max(measured, key=lambda item: item.rolling_hash_rate)
    names = rolling.kernel.name
    if plain is not rolling:
        names += f" ({plain.kernel.name} without version rolling)"
    days = " and ".join(sorted({str(rolling.rolling_measured_on), str(plain.measured_on)}))
    rates = f"{rolling.rolling_hash_rate / 1e6:.1f} MH/s a thread, {plain.hash_rate / 1e6:.1f} without version rolling"
    others = sorted((item for item in measured if item is not rolling), key=lambda item: -item.rolling_hash_rate)
    following = f"; next {others[0].kernel.name} {others[0].rolling_hash_rate / 1e6:.1f}" if others else ""
    return Choice(plain, rolling, f"{what}: {names}, measured on {days}: {rates}{following}", measured)
