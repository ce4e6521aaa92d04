"""The C kernels, typed. The only module that touches the native one; everything untyped ends here.

C trusts the sizes and indices that it is given (native/sha256d.h), so every one is checked here first: ValueError says
what was expected and what came. A search releases the GIL for its whole length, so the caller bounds it, by the number
of points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from struct import unpack
from typing import Any, NamedTuple

from stratum_miner.backends.base import BackendOptionError
from stratum_miner.backends.cpu import _native
from stratum_miner.backends.cpu._native import ffi, lib
from stratum_miner.spelling import did_you_mean
from stratum_miner.work.unit import NONCE_SPACE

DISABLING = "STRATUM_MINER_CPU_DISABLE"
"""The environment variable that switches features of the CPU off, and their kernels with them."""
HEADER_BYTES, MIDSTATE_BYTES, TAIL_BYTES = 80, 32, 12
MAX_WORD = (1 << 32) - 1
MAX_TARGET = (1 << 256) - 1
MAX_POINTS = (1 << 64) - 1
"""A position in a search is a 64-bit number in C."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel this machine can run."""

    name: str
    lanes: int
    """Nonces it tries at a time, without version rolling."""
    versions: int
    """Versions it tries at a time when it rolls them; a power of two."""
    index: int
    """Its place in the native table."""

    @property
    def version_bits(self) -> int:
        """How many bits of the version it wants to roll."""
        return self.versions.bit_length() - 1

    @property
    def is_plain(self) -> bool:
        """Whether every processor of its kind runs it. One that runs no other mines several times slower."""
        return bool(lib.sha256d_kernel_plain(self.index))


class Hit(NamedTuple):
    """A point whose hash is not above the target."""

    nonce: int
    version: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits in the order of the search, and how many points were tried: the search resumes after those."""

    hits: tuple[Hit, ...]
    done: int
    started_ns: int
    """time.monotonic_ns() when the C code was entered."""


class StopWord:
    """A number in memory that running searches look at: whoever changes it ends them within microseconds.

    It only counts up, so a search that is about to start cannot miss a change: it is told which value to expect. It is
    read and changed by C alone, since an atomic number is nothing that Python could read or write as one.
    """

    def __init__(self) -> None:
        self.pointer = ffi.new("sha256d_stop_word *")

    @property
    def value(self) -> int:
        """The current value."""
        return int(lib.sha256d_stop_word_value(self.pointer))

    def bump(self) -> int:
        """Change it; returns the new value. From any thread."""
        return int(lib.sha256d_stop_word_bump(self.pointer))


class Search:
    """A kernel with buffers of its own; one per thread. ``capacity`` hits fit into one run.

    ``load`` says what to search, ``run`` searches a stretch of it. A *point* is a nonce in a version. Their order is
    the kernel's own (native/sha256d.h), so a position means nothing to another kernel. ValueError for a kernel that is
    not one of ``available_kernels``.
    """

    def __init__(self, kernel: Kernel, stop_word: StopWord | None = None, capacity: int = 256) -> None:
        _check_kernel(kernel)
        if capacity < 1:
            raise ValueError(f"capacity: expected room for 1 hit or more, got {capacity}")
        self._kernel = kernel
        self.stop_word = stop_word or StopWord()
        self._work = ffi.new("sha256d_work *")
        self._points = 0
        """How many points the loaded work has; 0 while no work is loaded."""
        self._hits = ffi.new("sha256d_hit[]", capacity)
        self._progress = ffi.new("sha256d_progress *")

    @property
    def kernel(self) -> Kernel:
        """The kernel that searches."""
        return self._kernel

    @property
    def capacity(self) -> int:
        """How many hits one run may return."""
        return len(self._hits)

    def load(
        self,
        header: bytes,
        target: int,
        *,
        first_nonce: int = 0,
        nonce_count: int = NONCE_SPACE,
        version_mask: int = 0,
        big_endian_nonces: bool = False,
    ) -> int:
        """Take up new work; returns its number of points, ``nonce_count << version_mask.bit_count()``.

        ``header`` is the serialized header, 80 bytes, its nonce and the masked bits of its version ignored;
        ``target`` is inclusive; the nonces wrap at 2^32. With ``big_endian_nonces`` they are counted as the counter of
        a mining chip does: the number's most significant byte is the first one in the header. ValueError for a
        parameter that is out of its range, and for 2^64 points or more; what was loaded before then stays.
        """
        _check_length("header", header, HEADER_BYTES)
        _check_range("target", target, 0, MAX_TARGET)
        _check_range("first_nonce", first_nonce, 0, MAX_WORD)
        _check_range("nonce_count", nonce_count, 1, NONCE_SPACE)
        _check_range("version_mask", version_mask, 0, MAX_WORD)
        points = nonce_count << version_mask.bit_count()
        if points > MAX_POINTS:
            raise ValueError(
                f"version_mask: expected at most {MAX_POINTS} points, got {points}: "
                f"{version_mask.bit_count()} bits with {nonce_count} nonces"
            )
        work, self._points = self._work, 0  # an argument of a wrong type leaves half of it behind
        ffi.memmove(work.header, header, HEADER_BYTES)
        ffi.memmove(work.target, target.to_bytes(32, "little"), 32)
        work.version_mask = version_mask
        work.first_nonce = first_nonce
        work.nonce_count = nonce_count
        work.midstate_given = 0
        work.big_endian_nonces = big_endian_nonces
        self._points = points
        return points

    def load_midstate(self, midstate: bytes, tail: bytes, target: int) -> int:
        """Take up work as mining chips get it: all 2^32 nonces, in big-endian order; returns their number.

        ``midstate``: h0 to h7, each big-endian, 32 bytes; ``tail``: header bytes 64 to 75; ``target`` is inclusive.
        ValueError as of ``load``.
        """
        _check_length("midstate", midstate, MIDSTATE_BYTES)
        _check_length("tail", tail, TAIL_BYTES)
        points = self.load(bytes(64) + tail + bytes(4), target, big_endian_nonces=True)
        self._work.midstate = unpack(">8I", midstate)
        self._work.midstate_given = 1
        return points

    def run(self, position: int, count: int, *, expected: int = 0, at_most: int | None = None) -> SearchResult:
        """Try ``count`` points of the loaded work from ``position`` on, until ``at_most`` hits are found.

        Ends early when ``stop_word`` differs from ``expected``, and when the buffer of hits is full. ValueError for
        points that the loaded work does not have, before ``load``, and for ``at_most`` below 1.
        """
        if not self._points:
            raise ValueError("run: expected work to be loaded before, got none: call load or load_midstate first")
        _check_range("position", position, 0, self._points)
        _check_range(f"count from position {position} on", count, 0, self._points - position)
        _check_range("expected", expected, 0, MAX_WORD)
        capacity = self.capacity
        if at_most is not None:
            if at_most < 1:
                raise ValueError(f"at_most: expected 1 hit or more, got {at_most}")
            capacity = min(at_most, capacity)
        progress, hits = self._progress, self._hits
        lib.sha256d_search(
            self._kernel.index,
            self._work,
            position,
            count,
            self.stop_word.pointer,
            expected,
            hits,
            capacity,
            progress,
        )
        found = tuple(Hit(hits[index].nonce, hits[index].version) for index in range(progress.hits))
        return SearchResult(found, progress.done, progress.started_ns)


def available_kernels() -> tuple[Kernel, ...]:
    """The kernels that this CPU can run, the plainest first.

    BackendOptionError when STRATUM_MINER_CPU_DISABLE has a name that is no feature's.
    """
    check_disabled()
    return tuple(kernel for kernel in _compiled_kernels() if lib.sha256d_kernel_usable(kernel.index))


def compiled_names() -> tuple[str, ...]:
    """The kernels that are compiled in, whatever this CPU and the environment say."""
    return tuple(kernel.name for kernel in _compiled_kernels())


def unusable_names() -> tuple[str, ...]:
    """The kernels that are compiled in and that this CPU cannot run, or may not by STRATUM_MINER_CPU_DISABLE.

    BackendOptionError as of ``available_kernels``.
    """
    check_disabled()
    return tuple(kernel.name for kernel in _compiled_kernels() if not lib.sha256d_kernel_usable(kernel.index))


def check_disabled() -> None:
    """BackendOptionError when STRATUM_MINER_CPU_DISABLE has a name that is no feature's."""
    length = ffi.new("size_t *")
    unknown = lib.sha256d_unknown_feature(length)
    if unknown != ffi.NULL:
        name = ffi.buffer(unknown, length[0])[:].decode(errors="replace")
        known = _text(lib.sha256d_feature_names())
        hint = did_you_mean(name, known.split(", "))
        raise BackendOptionError(f"{DISABLING}: expected names out of {known}, got {name!r}{hint}")


def kernel_named(name: str) -> Kernel:
    """A kernel by name. BackendOptionError when this machine has none of that name."""
    table: Mapping[str, Kernel] = {kernel.name: kernel for kernel in available_kernels()}
    if name in table:
        return table[name]
    raise BackendOptionError(
        f"kernel: expected one of {', '.join(table)} on this machine, got {name!r}{did_you_mean(name, table)}"
    )


def self_test(kernel: Kernel) -> bool:
    """Whether the kernel computes every known answer. ValueError for one that is not of ``available_kernels``."""
    _check_kernel(kernel)
    return bool(lib.sha256d_self_test(kernel.index))


@cache
def build_id() -> str:
    """Sixteen hex digits that differ between builds of the native module."""
    return sha256(Path(_native.__file__).read_bytes()).hexdigest()[:16]


@cache
def _compiled_kernels() -> tuple[Kernel, ...]:
    return tuple(
        Kernel(
            _text(lib.sha256d_kernel_name(index)),
            lib.sha256d_kernel_lanes(index),
            lib.sha256d_kernel_versions(index),
            index,
        )
        for index in range(lib.sha256d_kernel_count())
    )


def _check_kernel(kernel: Kernel) -> None:
    check_disabled()
    if kernel not in _compiled_kernels() or not lib.sha256d_kernel_usable(kernel.index):
        names = ", ".join(item.name for item in available_kernels())
        raise ValueError(f"kernel: expected one that available_kernels returned ({names}), got {kernel}")


def _check_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise ValueError(f"{name}: expected {length} bytes, got {len(value)}")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low} to {high}, got {value}")


def _text(characters: Any) -> str:
    text: bytes = ffi.string(characters)
    return text.decode()
