"""A typed interface to the C kernels, the functions that search for nonces. Only this module uses the native module,
whose functions have no type annotations.

The C code does not check the sizes and indexes that it gets (native/sha256d.h). This module therefore checks each of
them first, and raises ValueError with the expected and the actual value. A search releases the GIL and blocks its
thread until the search ends. How long a search takes depends on the number of points (combinations of nonce and
version) that the caller lets it try.
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
"""The environment variable that names the CPU features, such as AVX2, that must not be used. Kernels that need one of
these features are switched off."""
HEADER_BYTES, MIDSTATE_BYTES, TAIL_BYTES = 80, 32, 12
MAX_WORD = (1 << 32) - 1
MAX_TARGET = (1 << 256) - 1
MAX_POINTS = (1 << 64) - 1
"""Largest number of points (combinations of nonce and version) in a search, because the C code counts them in 64
bits."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that this CPU can run."""

    name: str
    lanes: int
    """Number of nonces that the kernel tries at the same time, without version rolling."""
    versions: int
    """Number of versions that the kernel tries at the same time, with version rolling. It is a power of two."""
    index: int
    """Index of the kernel in the table of the C module."""

    @property
    def version_bits(self) -> int:
        """Number of version bits that the kernel rolls."""
        return self.versions.bit_length() - 1

    @property
    def is_plain(self) -> bool:
        """Whether every processor of this architecture can run the kernel. A CPU that can run only such kernels mines
        several times slower than a CPU that can also run other kernels."""
        return bool(lib.sha256d_kernel_plain(self.index))


class Hit(NamedTuple):
    """A nonce and a version whose hash is at most the target."""

    nonce: int
    version: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits (combinations of nonce and version whose hash meets the target) in the order of the search, and the
    number of combinations that were tried (``done``). To continue the search, call ``run`` with a position that is
    larger by ``done``."""

    hits: tuple[Hit, ...]
    done: int
    started_ns: int
    """Value of time.monotonic_ns() when the C code was entered."""


class StopWord:
    """A number whose change ends running searches. When a thread changes it, the searches in other threads end within
    microseconds.

    The caller reads the number before a search, and passes it to the search as ``expected``. The search ends as soon as
    the number differs from ``expected``. A change just before the search starts is therefore not missed. The number
    only grows, until it wraps at 2^32. C functions read and change it, because Python cannot access an atomic number
    directly.
    """

    def __init__(self) -> None:
        self.pointer = ffi.new("sha256d_stop_word *")

    @property
    def value(self) -> int:
        """The current value."""
        return int(lib.sha256d_stop_word_value(self.pointer))

    def bump(self) -> int:
        """Increase the value, and return the new value. May be called from any thread."""
        return int(lib.sha256d_stop_word_bump(self.pointer))


class Search:
    """A kernel with buffers for one thread. Each thread needs its own ``Search``. ``load`` sets the work, and ``run``
    searches a part of it.

    A *point* is a nonce together with a version, and its position is its place in the order in which the kernel tries
    the points. Each kernel has its own order (native/sha256d.h), so a position is only valid for the same kernel. A
    *hit* is a point whose hash meets the target. One call of ``run`` returns at most ``capacity`` hits. Raises
    ValueError for a kernel that is not one of ``available_kernels``.
    """

    def __init__(self, kernel: Kernel, stop_word: StopWord | None = None, capacity: int = 256) -> None:
        _check_kernel(kernel)
        if capacity < 1:
            raise ValueError(f"capacity: expected room for 1 hit or more, got {capacity}")
        self._kernel = kernel
        self.stop_word = stop_word or StopWord()
        self._work = ffi.new("sha256d_work *")
        self._points = 0
        """Number of points (combinations of nonce and version) of the loaded work; 0 while no work is loaded."""
        self._hits = ffi.new("sha256d_hit[]", capacity)
        self._progress = ffi.new("sha256d_progress *")

    @property
    def kernel(self) -> Kernel:
        """The kernel that searches."""
        return self._kernel

    @property
    def capacity(self) -> int:
        """Largest number of hits (points whose hash meets the target) that one call of ``run`` can return."""
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
        """Load new work, and return its number of points (combinations of nonce and version). This is ``nonce_count <<
        version_mask.bit_count()``.

        ``header`` is the serialized header of 80 bytes; its nonce and the masked bits of its version are ignored.
        ``target`` is the largest hash that the search looks for, as an integer. The nonces wrap at 2^32. With
        ``big_endian_nonces`` the nonces are counted as a mining chip counts them: the most significant byte of the
        number is the first one in the header.

        Raises ValueError for a parameter outside its range, and for 2^64 points or more. In that case, the previous
        work stays loaded.
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
        # 0 points until everything is loaded: if an argument of a wrong type raises an exception here, the work is
        # incomplete and must not be searched
        work, self._points = self._work, 0
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
        """Load work in the form that mining chips get, and return its number of points, which is 2^32: all nonces,
        counted as ``load`` describes for ``big_endian_nonces``.

        ``midstate`` is the SHA-256 state: the eight words h0 to h7 in big-endian order, 32 bytes in total. ``tail`` is
        header bytes 64 to 75. ``target`` is the largest hash that the search looks for. Raises ValueError as ``load``
        does.
        """
        _check_length("midstate", midstate, MIDSTATE_BYTES)
        _check_length("tail", tail, TAIL_BYTES)
        points = self.load(bytes(64) + tail + bytes(4), target, big_endian_nonces=True)
        self._work.midstate = unpack(">8I", midstate)
        self._work.midstate_given = 1
        return points

    def run(self, position: int, count: int, *, expected: int = 0, at_most: int | None = None) -> SearchResult:
        """Try ``count`` points (combinations of nonce and version) of the loaded work from ``position`` on, until
        ``at_most`` hits (points whose hash meets the target) are found. The search ends early if the stop word
        (``stop_word``) differs from ``expected``, or after ``capacity`` hits. Raises ValueError if ``position + count``
        is larger than the number of points of the loaded work, if no work is loaded, and if ``at_most`` is below 1.
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
    """Return the kernels that this CPU can run, the simplest kernel first.

    Raises BackendOptionError if STRATUM_MINER_CPU_DISABLE contains an unknown name.
    """
    check_disabled()
    return tuple(kernel for kernel in _compiled_kernels() if lib.sha256d_kernel_usable(kernel.index))


def compiled_names() -> tuple[str, ...]:
    """Return the names of all compiled kernels, including those that cannot run on this CPU."""
    return tuple(kernel.name for kernel in _compiled_kernels())


def unusable_names() -> tuple[str, ...]:
    """Return the names of compiled kernels that this CPU cannot run or that STRATUM_MINER_CPU_DISABLE switches off.

    Raises BackendOptionError as ``available_kernels`` does.
    """
    check_disabled()
    return tuple(kernel.name for kernel in _compiled_kernels() if not lib.sha256d_kernel_usable(kernel.index))


def check_disabled() -> None:
    """Raise BackendOptionError if STRATUM_MINER_CPU_DISABLE contains an unknown name."""
    length = ffi.new("size_t *")
    unknown = lib.sha256d_unknown_feature(length)
    if unknown != ffi.NULL:
        name = ffi.buffer(unknown, length[0])[:].decode(errors="replace")
        known = _text(lib.sha256d_feature_names())
        hint = did_you_mean(name, known.split(", "))
        raise BackendOptionError(f"{DISABLING}: expected names out of {known}, got {name!r}{hint}")


def kernel_named(name: str) -> Kernel:
    """Return the kernel with this name. Raises BackendOptionError if this CPU has no such kernel."""
    table: Mapping[str, Kernel] = {kernel.name: kernel for kernel in available_kernels()}
    if name in table:
        return table[name]
    raise BackendOptionError(
        f"kernel: expected one of {', '.join(table)} on this computer, got {name!r}{did_you_mean(name, table)}"
    )


def self_test(kernel: Kernel) -> bool:
    """Return whether the kernel finds the right nonces in the test work that is part of the C code.

    Raises ValueError for a kernel that is not one of ``available_kernels``.
    """
    _check_kernel(kernel)
    return bool(lib.sha256d_self_test(kernel.index))


@cache
def build_id() -> str:
    """Return sixteen hexadecimal digits that differ between builds of the native module."""
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
