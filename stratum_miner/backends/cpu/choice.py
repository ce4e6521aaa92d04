"""Chooses the fastest kernels (C functions that search nonces) that pass their self-test. The measured hash rates of
all kernels are remembered for the next start.

Two kernels are chosen: one for work with version rolling, where most kernels try several versions at the same time, and
one for work without version rolling, where they try several nonces. The two can be different kernels.

A measured rate is too low if the processor was hot, or if the other hardware thread of its core was busy. If a rate is
measured again while the old one is still remembered (at most 30 days), the higher rate is therefore kept, with the day
of its measurement. After mining, ``correct`` compares the remembered rates with those that a thread reached in mining,
and corrects them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from stratum_miner.backends.base import SelfTestError
from stratum_miner.backends.cpu import kernel_figures, kernels
from stratum_miner.backends.cpu.kernel_speed import MeasuredKernel, survey
from stratum_miner.backends.cpu.kernels import Kernel

log = structlog.get_logger(__name__)

CHOICE_SECONDS = 0.15
"""Seconds for the measurement of all kernels together at the first start. They are enough to find the faster of two
kernels whose rates differ by a tenth."""
SUSTAINABLE_FRACTION = 0.5
"""Fraction of its measured hash rate that a thread still reaches while it also does other work. The value is an
estimate."""
UNREACHED_FRACTION = 0.4
"""If mining reaches less than this fraction of a remembered rate, the remembered rate is wrong. Even if the remembered
rate is right, mining can reach a little less than half of it: if both hardware threads of a core are busy, each reaches
half of the rate, and heat slows them down a little more."""
EXCEEDED_FACTOR = 1.25
"""If mining is faster than a remembered rate by more than this factor, the computer was probably slow when the rates
were measured, so the remembered rates of all kernels are doubtful."""
TOO_LONG_FACTOR = 4
"""Some tests must find a share within a time limit. Such a test is refused only if, at the remembered rate, the search
would take longer than the limit multiplied by this factor. A rate that was measured while the computer was hot and
other programs used its cores can be too low by up to this factor."""
MEASURE_AGAIN_HINT = "to measure again, run stratum-miner bench"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen kernels, and a text for the log that explains the choice."""

    plain: MeasuredKernel
    rolling: MeasuredKernel
    reason: str
    measured: tuple[MeasuredKernel, ...]

    @property
    def kernel(self) -> Kernel:
        """The kernel for work without version rolling. It can search any work."""
        return self.plain.kernel

    @property
    def hash_rate(self) -> float:
        """Hash rate of ``kernel`` on one thread, in H/s."""
        return self.plain.hash_rate

    @property
    def names(self) -> str:
        """The names of the chosen kernels: one name if both kernels are the same, otherwise two names joined by
        "and"."""
        names = dict.fromkeys((self.rolling.kernel.name, self.plain.kernel.name))
        return " and ".join(names)

    def doubt(self, hash_rate: float) -> str | None:
        """Return a text that says why one thread will perhaps not reach ``hash_rate`` (H/s) while it also does other
        work; None if it should reach this rate.

        The text is a reason to warn, but not to refuse the rate: perhaps the computer was slow when the kernels were
        measured.
        """
        if hash_rate <= self.hash_rate * SUSTAINABLE_FRACTION:
            return None
        return (
            f"{hash_rate / 1e6:,.1f} MH/s is more than half of what one thread of this computer reaches, "
            f"{self.hash_rate / 1e6:,.1f} MH/s measured on {self.plain.measured_on} ({MEASURE_AGAIN_HINT})"
        )


def choose(forced: str | None = None, *, seconds: float = CHOICE_SECONDS, cache: Path | None = None) -> Choice:
    """Return the fastest kernels that pass their self-test, or the kernel with the name ``forced`` for all work.

    If an earlier call measured the rates on the same CPU, they are read from the file ``cache`` (None: a file in the
    user's cache folder); otherwise, measuring them takes ``seconds``. Raises BackendOptionError for an unknown name,
    and SelfTestError if the forced kernel, or every kernel, is broken.
    """
    if forced is not None:
        kernel = kernels.kernel_named(forced)
        [measured] = survey([kernel], seconds / 4)
        return _pick((_sound(measured),), "requested kernel")
    available = kernels.available_kernels()
    path = kernel_figures.cache_file() if cache is None else cache
    remembered = kernel_figures.recall(available, path)
    if remembered is not None:
        choice = _pick(remembered)
        if all(kernels.self_test(item.kernel) for item in {choice.plain, choice.rolling}):
            return choice
    return conclude(survey(available, seconds), path)


def conclude(measured: Sequence[MeasuredKernel], cache: Path | None = None) -> Choice:
    """Choose the fastest of the measured kernels. If all kernels were measured and none is broken, the higher of the
    measured and the remembered rate counts for each kernel, and is remembered.

    Raises SelfTestError if every kernel is broken.
    """
    sound = [item for item in measured if item.self_test]
    for item in measured:
        if not item.self_test:
            log.error("kernel_self_test_failed", kernel=item.kernel.name)
    if not sound:
        raise _broken([item.kernel for item in measured])
    available = kernels.available_kernels()
    if [item.kernel for item in sound] == list(available):
        path = kernel_figures.cache_file() if cache is None else cache
        measured = [_better(new, old) for new, old in zip(sound, kernel_figures.known(available, path), strict=True)]
        kernel_figures.remember(measured, path)
    return _pick(tuple(measured))


def correct(choice: Choice, plain: float, rolling: float, cache: Path | None = None) -> None:
    """Correct the remembered rates of the chosen kernels by the best rates that one thread reached in mining.

    ``plain`` is the rate without version rolling and ``rolling`` the rate with it, in hashes per second of processor
    time; 0 if there was no such work. Each is compared with the remembered rate:

    * If mining was faster, the remembered rate is raised.
    * If mining was faster by more than ``EXCEEDED_FACTOR``, the computer was probably slow when the rates were
      measured. The next start then measures all kernels again. Without the new measurement, the next starts would
      always choose the kernel that mined, because only the rate of this kernel was raised.
    * If mining did not reach ``UNREACHED_FRACTION`` of the remembered rate, the rates belong to another computer (two
      computers share a home folder, or a virtual machine was moved). All rates of this CPU are then forgotten, and the
      next start measures them.
    * In all other cases nothing changes, because heat, or the other hardware thread of a core, can slow mining down.
    """
    available = kernels.available_kernels()
    path = kernel_figures.cache_file() if cache is None else cache
    known = kernel_figures.recall(available, path)
    if known is None:
        return
    today = [
        MeasuredKernel(
            item.kernel,
            plain if item.kernel == choice.plain.kernel else 0.0,
            rolling if item.kernel == choice.rolling.kernel else 0.0,
            True,
        )
        for item in known
    ]
    if any(_is_far_below(new, old) for new, old in zip(today, known, strict=True)):
        log.debug("kernel_figures_forgotten", reason="mining did not reach them")
        kernel_figures.forget(available, path)
        return
    better = [_better(new, old) for new, old in zip(today, known, strict=True)]
    if better != list(known):
        doubtful = any(_is_far_above(new, old) for new, old in zip(today, known, strict=True))
        kernel_figures.remember(better, path, doubtful=doubtful)


def _better(new: MeasuredKernel, old: MeasuredKernel) -> MeasuredKernel:
    """Combine two measurements of the same kernel: the higher of the two rates without version rolling, and the higher
    of the two rates with it."""
    if old.hash_rate > new.hash_rate:
        new = replace(new, hash_rate=old.hash_rate, measured_on=old.measured_on)
    if old.rolling_hash_rate > new.rolling_hash_rate:
        new = replace(new, rolling_hash_rate=old.rolling_hash_rate, rolling_measured_on=old.rolling_measured_on)
    return new


def _is_far_below(new: MeasuredKernel, old: MeasuredKernel) -> bool:
    return (
        0 < new.hash_rate < old.hash_rate * UNREACHED_FRACTION
        or 0 < new.rolling_hash_rate < old.rolling_hash_rate * UNREACHED_FRACTION
    )


def _is_far_above(new: MeasuredKernel, old: MeasuredKernel) -> bool:
    return (
        new.hash_rate > old.hash_rate * EXCEEDED_FACTOR
        or new.rolling_hash_rate > old.rolling_hash_rate * EXCEEDED_FACTOR
    )


def _sound(measured: MeasuredKernel) -> MeasuredKernel:
    if not measured.self_test:
        raise _broken([measured.kernel])
    return measured


def _broken(broken: Sequence[Kernel]) -> SelfTestError:
    names = ", ".join(kernel.name for kernel in broken)
    got = f"expected the known answers, got others from {names}"
    return SelfTestError(f"kernel self-test: {got}: do not mine on this computer")


def _pick(measured: tuple[MeasuredKernel, ...], what: str = "fastest kernel") -> Choice:
    plain = max(measured, key=lambda item: item.hash_rate)
    rolling = max(measured, key=lambda item: item.rolling_hash_rate)
    names = rolling.kernel.name
    if plain is not rolling:
        names += f" ({plain.kernel.name} without version rolling)"
    days = " and ".join(sorted({str(rolling.rolling_measured_on), str(plain.measured_on)}))
    fastest, without = rolling.rolling_hash_rate / 1e6, plain.hash_rate / 1e6
    rates = f"{fastest:.1f} MH/s per thread, {without:.1f} without version rolling"
    others = sorted((item for item in measured if item is not rolling), key=lambda item: -item.rolling_hash_rate)
    following = f"; next {others[0].kernel.name} {others[0].rolling_hash_rate / 1e6:.1f}" if others else ""
    return Choice(plain, rolling, f"{what}: {names}, measured on {days}: {rates}{following}", measured)
