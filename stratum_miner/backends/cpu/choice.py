"""Which kernel to use: the fastest measured, after its self-test, remembered for the next start.

Two answers, since a kernel that is fastest with nonces in its lanes need not be fastest with versions in them. What
was measured is kept in the user's cache directory under the model of the CPU, the kernels it can run and the build of
them; a file that cannot be read, written or understood is as good as none.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import msgspec
import structlog
from platformdirs import user_cache_path

from stratum_miner.backends.base import SelfTestError
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.kernels import Kernel
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK

log = structlog.get_logger(__name__)

CHOICE_SECONDS = 0.15
"""How long all kernels together are measured at the first start: enough to tell a factor of 1.1."""
ROUNDS = 5
"""Measurements of each, taken in turn, of which the best counts: being interrupted only ever makes one slower."""
FIRST_SLICE = 1 << 12
"""Points of the first measurement; doubled until it takes long enough."""
MAX_AGE = timedelta(days=30)
"""Figures older than this are measured again: systems and firmware change, and a busy start may have misled."""
CACHE_LIMIT = 1 << 16
"""Bytes of a cache file that are read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a kernel did on one thread, in H/s; 0 after a failed self-test."""

    kernel: Kernel
    hash_rate: float
    """With nonces in the lanes."""
    rolling_hash_rate: float
    """With versions in the lanes, for a pool that grants enough bits of them."""
    self_test: bool


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
        """H/s of ``kernel``."""
        return self.plain.hash_rate

    @property
    def names(self) -> str:
        """One name, or two when they differ."""
        names = dict.fromkeys((self.rolling.kernel.name, self.plain.kernel.name))
        return " and ".join(names)


class _Rate(msgspec.Struct, frozen=True):
    plain: float
    rolling: float


class _Entry(msgspec.Struct, frozen=True):
    measured_at: date
    rates: dict[str, _Rate]


def measure(kernel: Kernel, seconds: float, *, rolling: bool = False) -> float:
    """Hashes per second on this thread, over about ``seconds``."""
    search = kernels.Search(kernel)
    points = search.load(bytes(80), 0, version_mask=GENERAL_PURPOSE_MASK if rolling else 0)
    count, done, started = FIRST_SLICE, 0, time.perf_counter()
    while True:
        done += search.run(done % points, min(count, points - done % points)).done
        elapsed = time.perf_counter() - started
        if elapsed >= seconds * 0.7:
            return done / elapsed
        count = max(count, int(done / elapsed * min(seconds - elapsed, 1)))


def examine(kernel: Kernel, seconds: float) -> Measured:
    """Self-test a kernel and measure it both ways, ``seconds`` each; a broken one is not measured."""
    if not kernels.self_test(kernel):
        return Measured(kernel, 0.0, 0.0, False)
    return Measured(kernel, measure(kernel, seconds), measure(kernel, seconds, rolling=True), True)


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
        return _pick((_sound(measured),), "as asked for")
    available = kernels.available_kernels()
    path = cache_file() if cache is None else cache
    remembered = recall(available, path)
    if remembered is not None:
        choice = _pick(remembered[0], f"was fastest on {remembered[1]}")
        if all(kernels.self_test(item.kernel) for item in {choice.plain, choice.rolling}):
            return choice
    return conclude(survey(available, seconds), path)


def conclude(measured: Sequence[Measured], cache: Path | None = None) -> Choice:
    """Choose among measured kernels; remember the figures if they are of all kernels and none is broken.

    SelfTestError when every kernel is broken.
    """
    sound = [item for item in measured if item.self_test]
    for item in measured:
        if not item.self_test:
            log.error("kernel_self_test_failed", kernel=item.kernel.name)
    if not sound:
        raise _broken([item.kernel for item in measured])
    if [item.kernel for item in sound] == list(kernels.available_kernels()):
        _remember(sound, cache_file() if cache is None else cache)
    return _pick(tuple(measured), "is fastest")


def cache_file() -> Path:
    """Where figures are remembered."""
    return user_cache_path("stratum-miner") / "kernels.json"


def recall(available: Sequence[Kernel], path: Path) -> tuple[tuple[Measured, ...], date] | None:
    """Figures of all these kernels and their date, if such a CPU was measured before."""
    try:
        with path.open("rb") as file:
            entry = msgspec.json.decode(file.read(CACHE_LIMIT), type=dict[str, _Entry]).get(_key(available))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if entry is None or not timedelta(0) <= date.today() - entry.measured_at <= MAX_AGE:
        return None
    if set(entry.rates) != {kernel.name for kernel in available}:
        return None
    if not all(rate.plain > 0 and rate.rolling > 0 for rate in entry.rates.values()):
        return None
    rates = [(kernel, entry.rates[kernel.name]) for kernel in available]
    return tuple(Measured(kernel, rate.plain, rate.rolling, True) for kernel, rate in rates), entry.measured_at


def _remember(measured: Sequence[Measured], path: Path) -> None:
    entry = _Entry(
        date.today(),
        {item.kernel.name: _Rate(item.hash_rate, item.rolling_hash_rate) for item in measured},
    )
    try:
        try:
            with path.open("rb") as file:
                entries = msgspec.json.decode(file.read(CACHE_LIMIT), type=dict[str, _Entry])
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            entries = {}
        entries[_key([item.kernel for item in measured])] = entry
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


def _pick(measured: tuple[Measured, ...], why: str) -> Choice:
    plain = max(measured, key=lambda item: item.hash_rate)
    rolling = max(measured, key=lambda item: item.rolling_hash_rate)
    rates = f"{rolling.rolling_hash_rate / 1e6:.1f} MH/s a thread, {plain.hash_rate / 1e6:.1f} without version rolling"
    names = rolling.kernel.name if plain is rolling else f"{rolling.kernel.name}, without rolling {plain.kernel.name}"
    others = sorted((item for item in measured if item is not rolling), key=lambda item: -item.rolling_hash_rate)
    following = f"; next {others[0].kernel.name} {others[0].rolling_hash_rate / 1e6:.1f}" if others else ""
    return Choice(plain, rolling, f"{names} {why}: {rates}{following}", measured)
