"""The C kernels, typed. The only module that touches the native one; everything untyped ends here.

A search releases the GIL for its whole length, so it is the caller who bounds it, by the number of points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from pathlib import Path
from struct import unpack
from typing import NamedTuple

from stratum_miner.backends.base import BackendOptionError
from stratum_miner.backends.cpu import _native
from stratum_miner.backends.cpu._native import ffi, lib
from stratum_miner.work.unit import NONCE_SPACE


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
    the kernel's own (native/sha256d.h), so a position means nothing to another kernel.
    """

    def __init__(self, kernel: Kernel, stop_word: StopWord | None = None, capacity: int = 256) -> None:
        self.kernel = kernel
        self.stop_word = stop_word or StopWord()
        self.capacity = capacity
        self._work = ffi.new("sha256d_work *")
        self._hits = ffi.new("sha256d_hit[]", capacity)
        self._progress = ffi.new("sha256d_progress *")

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
        a mining chip does: the number's most significant byte is the first one in the header. ValueError for more
        nonces than there are.
        """
        if not 0 < nonce_count <= NONCE_SPACE:
            raise ValueError(f"nonce_count: expected 1 to {NONCE_SPACE}, got {nonce_count}")
        work = self._work
        ffi.memmove(work.header, header, 80)
        ffi.memmove(work.target, target.to_bytes(32, "little"), 32)
        work.version_mask = version_mask
        work.first_nonce = first_nonce & 0xFFFFFFFF
        work.nonce_count = nonce_count
        work.midstate_given = 0
        work.big_endian_nonces = big_endian_nonces
        return nonce_count << version_mask.bit_count()

    def load_midstate(self, midstate: bytes, tail: bytes, target: int) -> int:
        """Take up work as mining chips get it: all 2^32 nonces, in big-endian order; returns their number.

        ``midstate``: h0 to h7, each big-endian; ``tail``: header bytes 64 to 75; ``target`` is inclusive.
        """
        points = self.load(bytes(64) + tail + bytes(4), target, big_endian_nonces=True)
        self._work.midstate = unpack(">8I", midstate)
        self._work.midstate_given = 1
        return points

    def run(self, position: int, count: int, *, expected: int = 0, at_most: int | None = None) -> SearchResult:
        """Try ``count`` points of the loaded work from ``position`` on, until ``at_most`` hits are found.

        Ends early when ``stop_word`` differs from ``expected``, and when the buffer of hits is full.
        """
        progress, hits = self._progress, self._hits
        capacity = self.capacity if at_most is None else min(at_most, self.capacity)
        lib.sha256d_search(
            self.kernel.index,
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
    """The kernels that this CPU can run, the plainest first."""
    return tuple(
        Kernel(
            ffi.string(lib.sha256d_kernel_name(index)).decode(),
            lib.sha256d_kernel_lanes(index),
            lib.sha256d_kernel_versions(index),
            index,
        )
        for index in range(lib.sha256d_kernel_count())
        if lib.sha256d_kernel_usable(index)
    )


def unusable_names() -> tuple[str, ...]:
    """The kernels that are compiled in and that this CPU cannot run, or may not by STRATUM_MINER_CPU_DISABLE."""
    return tuple(
        ffi.string(lib.sha256d_kernel_name(index)).decode()
        for index in range(lib.sha256d_kernel_count())
        if not lib.sha256d_kernel_usable(index)
    )


def kernel_named(name: str) -> Kernel:
    """A kernel by name. BackendOptionError when this machine has none of that name."""
    table: Mapping[str, Kernel] = {kernel.name: kernel for kernel in available_kernels()}
    if name in table:
        return table[name]
    close = get_close_matches(name, table, 1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    raise BackendOptionError(f"kernel: expected one of {', '.join(table)} on this machine, got {name!r}{hint}")


def self_test(kernel: Kernel) -> bool:
    """Whether the kernel computes every known answer."""
    return bool(lib.sha256d_self_test(kernel.index))


@cache
def build_id() -> str:
    """Sixteen hex digits that differ between builds of the native module."""
    return sha256(Path(_native.__file__).read_bytes()).hexdigest()[:16]
