"""Chooses the fastest kernels that pass their self-test. Their measured rates are remembered for the next start.

Two kernels are chosen: one for work with version rolling, where most kernels try several versions at the same time, and
one for work without, where they try several nonces. The fastest kernel for one need not be the fastest for the other.

Measured rates are sometimes too low: the processor may be hot, or the other hardware thread of a core may be busy. If a
new rate is measured while an old one is still remembered (for at most 30 days), the higher of the two is therefore
kept, with the day of its measurement. ``correct`` compares the remembered rates with the rate that a thread reached in
mining. If mining was faster, the remembered rate is raised. If it was faster by far, all rates are doubtful, and the
next start measures them again. If mining did not reach two fifths of a remembered rate, all rates of this CPU are
forgotten.
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
"""Seconds for measuring all kernels together at the first start. This is enough to distinguish kernels whose rates
differ by a tenth."""
SUSTAINABLE_FRACTION = 0.5
"""Fraction of a thread's measured hash rate that the thread still reaches while it also does other work. The value is
an estimate."""
UNREACHED_FRACTION = 0.4
"""If mining reaches less than this fraction of a remembered rate, the remembered rate is wrong. The fraction is below a
half, because mining can reach a little less than half of a right rate: two busy hardware threads of one core reach half
of it each, and heat slows both down a little more."""
EXCEEDED_FACTOR = 1.25
"""If mining is faster than a remembered rate by more than this factor, the remembered rates of all kernels were
probably measured while the computer was slow, and are doubtful."""
TOO_LONG_FACTOR = 4
"""If a test must find a share within a time limit, it is refused only if the search would take more than this many
times the limit at the remembered rate. A rate that was measured while the computer was hot and other programs used its
cores can be too low by up to this factor."""
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

        A caller should not refuse the rate for this reason, because the kernels may have been measured while the
        computer was slow.
        """
        if hash_rate <= self.hash_rate * SUSTAINABLE_FRACTION:
            return None
        return (
            f"{hash_rate / 1e6:,.1f} MH/s is more than half of what one thread of this computer reaches, "
            f"{self.hash_rate / 1e6:,.1f} MH/s measured on {self.plain.measured_on} ({MEASURE_AGAIN_HINT})"
        )


def choose(forced: str | None = None, *, seconds: float = CHOICE_SECONDS, cache: Path | None = None) -> Choice:
    """Return the fastest kernels that pass their self-test, or the kernel with the name ``forced``.

    Rates that an earlier call measured on the same CPU are read from ``cache``, by default a file in the user's cache
    folder. Raises BackendOptionError for an unknown name, and SelfTestError if the forced kernel, or every kernel, is
    broken.
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
    """Choose the fastest of the measured kernels. The rate of each kernel is the better one of its measured rate and
    its remembered rate.

    The better rates are remembered if all kernels were measured and none is broken. Raises SelfTestError if every
    kernel is broken.
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
    """Correct the remembered rates by the best rates that one thread reached in mining.

    ``plain`` is the rate without version rolling and ``rolling`` the rate with it, in hashes per second of processor
    time. 0 means that there was no such search. A remembered rate that was exceeded is raised. If it was exceeded by
    far, all rates were measured while the computer was slow, and the next start measures them again: if only the rate
    of the kernel that mined were raised, that kernel would always be chosen. If not even ``UNREACHED_FRACTION`` of a
    rate was reached, the rates belong to another computer (two computers that share a home folder, a virtual machine
    that moved). All rates of this CPU are then forgotten, and the next start measures them. In all other cases no rate
    is lowered, because heat and the other hardware thread of a core may slow mining down for a while.
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
    """Combine two measurements of the same kernel: return the better of the two rates without version rolling, and the
    better of the two rates with it."""
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
