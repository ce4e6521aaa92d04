"""Which kernel to use: the fastest measured, after its self-test, remembered for the next start.

Two answers, since a kernel that is fastest with nonces in its lanes need not be fastest with versions in them.

What lowers a figure is of the moment: a processor that is hot, or one core's other hardware thread at work. Therefore
the better of an old and a new figure is kept, each with the day of its measurement, and mining raises a figure that it
exceeds. Mining lowers nothing. Where it exceeds a figure by far, or never reaches two fifths of it, all figures of the
CPU are doubtful, and the next start measures again (`correct`).
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
"""How long all kernels together are measured at the first start: enough to tell a factor of 1.1."""
SUSTAINABLE_FRACTION = 0.5
"""Share of one thread's rate up to which searching beside other work does not fall behind; picked by feel."""
UNREACHED_FRACTION = 0.4
"""Share of a figure that mining reaches at least. Two hardware threads of one core get half each, and some heat."""
EXCEEDED_FACTOR = 1.25
"""Times a figure beyond which it was measured while the machine was slow, and with it those of the other kernels."""
TOO_LONG_FACTOR = 4
"""How many times too long work must seem before it is left alone: a machine may have been measured while it was hot and
its cores were shared, and at its best does as many times as much."""
MEASURE_AGAIN_HINT = "stratum-miner bench measures again"


@dataclass(frozen=True, slots=True)
class Choice:
    """The kernels to use, and why, in words worth logging."""

    plain: MeasuredKernel
    rolling: MeasuredKernel
    reason: str
    measured: tuple[MeasuredKernel, ...]

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
        if hash_rate <= self.hash_rate * SUSTAINABLE_FRACTION:
            return None
        return (
            f"{hash_rate / 1e6:,.1f} MH/s is more than half of what one thread of this machine does, "
            f"{self.hash_rate / 1e6:,.1f} MH/s measured on {self.plain.measured_on} ({MEASURE_AGAIN_HINT})"
        )


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
    path = kernel_figures.cache_file() if cache is None else cache
    remembered = kernel_figures.recall(available, path)
    if remembered is not None:
        choice = _pick(remembered)
        if all(kernels.self_test(item.kernel) for item in {choice.plain, choice.rolling}):
            return choice
    return conclude(survey(available, seconds), path)


def conclude(measured: Sequence[MeasuredKernel], cache: Path | None = None) -> Choice:
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
        path = kernel_figures.cache_file() if cache is None else cache
        measured = [_better(new, old) for new, old in zip(sound, kernel_figures.known(available, path), strict=True)]
        kernel_figures.remember(measured, path)
    return _pick(tuple(measured))


def correct(choice: Choice, plain: float, rolling: float, cache: Path | None = None) -> None:
    """Remember what one thread reached in mining, in H/s of its processor time at its best; 0 where it did not search.

    A figure that is exceeded is replaced. One that is far exceeded was measured while the machine was slow, and so were
    the other kernels': the next start measures all again, or this one would be used for good. One of which not even
    ``UNREACHED_FRACTION`` was reached is of another machine (a home directory that two share, a virtual machine that moved): all
    of this CPU's are forgotten, and measured at the next start. In between nothing is lowered: heat and a core's other
    hardware thread explain it, and are of the moment.
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
    """Each rate as it is in the better of two measurements of a kernel."""
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
    return SelfTestError(f"kernel self-test: expected the known answers, got others from {names}: do not mine here")


def _pick(measured: tuple[MeasuredKernel, ...], what: str = "fastest kernel") -> Choice:
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
