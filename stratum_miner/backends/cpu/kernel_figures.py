"""Remembers the measured hash rates of the kernels from one start to the next, in a file in the user's cache folder.

The rates are stored under the model of the CPU, the kernels that it can run, and the build of these kernels. A file
that cannot be read, written or decoded counts as missing.
"""

import os
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
import structlog

from stratum_miner import user_folders
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.kernel_speed import FASTEST, MeasuredKernel
from stratum_miner.backends.cpu.kernels import Kernel

log = structlog.get_logger(__name__)

MAX_AGE = timedelta(days=30)
"""Largest age of a remembered rate. Older rates are ignored and measured again, because system and firmware change."""
CACHE_LIMIT = 1 << 16
"""Largest number of bytes of the cache file that are read."""


def cache_file() -> Path:
    """Return the path of the cache file."""
    return user_folders.cache() / "kernels.json"


def recall(available: Sequence[Kernel], path: Path) -> tuple[MeasuredKernel, ...] | None:
    """Return the remembered rates of the kernels. None if one of these rates is missing, too old or impossible, or if
    they were remembered as doubtful."""
    entry = _entry(available, path)
    figures = known(available, path)
    if entry is None or entry.doubtful or not all(item.hash_rate and item.rolling_hash_rate for item in figures):
        return None
    return tuple(figures)


def known(available: Sequence[Kernel], path: Path) -> list[MeasuredKernel]:
    """Return the remembered rates of each of these kernels. A rate is 0 if none is remembered, or if the remembered
    rate is too old or impossible."""
    entry = _entry(available, path)
    figures = {} if entry is None else entry.processor_time
    nothing = _Figures(_Figure(0.0, date.min), _Figure(0.0, date.min))
    found = [(kernel, figures.get(kernel.name, nothing)) for kernel in available]
    return [
        MeasuredKernel(
            kernel, item.plain.known, item.rolling.known, True, item.plain.measured_on, item.rolling.measured_on
        )
        for kernel, item in found
    ]


def remember(measured: Sequence[MeasuredKernel], path: Path, *, doubtful: bool = False) -> None:
    """Store the rates in the cache file. ``measured`` must contain all kernels that this CPU can run. If the rates are
    ``doubtful``, the next start measures the kernels again."""
    figures = {
        item.kernel.name: _Figures(
            _Figure(item.hash_rate, item.measured_on), _Figure(item.rolling_hash_rate, item.rolling_measured_on)
        )
        for item in measured
    }
    _write([item.kernel for item in measured], _Entry(figures, doubtful), path)


def forget(available: Sequence[Kernel], path: Path) -> None:
    """Forget the rates of these kernels."""
    _write(available, None, path)


class _Figure(msgspec.Struct, frozen=True):
    hash_rate: float
    measured_on: date

    @property
    def known(self) -> float:
        """The rate; 0 if it is too old or impossible."""
        young = timedelta(0) <= date.today() - self.measured_on <= MAX_AGE
        return self.hash_rate if young and 0 < self.hash_rate <= FASTEST else 0.0


class _Figures(msgspec.Struct, frozen=True):
    plain: _Figure
    rolling: _Figure


class _Entry(msgspec.Struct, frozen=True):
    processor_time: dict[str, _Figures]
    """The rates of each kernel, by its name, in hashes per second of processor time. Older versions of this program
    stored hashes per second of wall-clock time, in a field with another name, which is not read."""
    doubtful: bool = False
    """Whether the next start must measure all kernels again. The higher of the old and the new rate of each kernel is
    then kept."""


def _entry(available: Sequence[Kernel], path: Path) -> _Entry | None:
    try:
        return msgspec.json.decode(_entries(path)[_key(available)], type=_Entry)
    except (OSError, KeyError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _entries(path: Path) -> dict[str, msgspec.Raw]:
    """Return the entries of the file, by CPU. They are not decoded, so that an entry that another version of this
    program wrote can be written back unchanged."""
    with path.open("rb") as file:
        return msgspec.json.decode(file.read(CACHE_LIMIT), type=dict[str, msgspec.Raw])


def _write(available: Sequence[Kernel], entry: _Entry | None, path: Path) -> None:
    """Store the entry of these kernels in the file. If ``entry`` is None, remove the entry from the file."""
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
