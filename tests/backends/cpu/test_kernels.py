"""Every kernel that this computer can run, compared with hashlib."""

import json
import platform
import re
import threading
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.backends.base import BackendOptionError
from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu._native import ffi
from stratum_miner.backends.cpu.kernels import Hit, Kernel, Search, StopWord, available_kernels

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "stratum.json").read_text())
KERNELS = available_kernels()
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=[kernel.name for kernel in KERNELS])
MAX_TARGET = (1 << 256) - 1


def value(header: bytes, hit: Hit) -> int:
    whole = hit.version.to_bytes(4, "little") + header[4:76] + hit.nonce.to_bytes(4, "little")
    return int.from_bytes(sha256(sha256(whole).digest()).digest(), "little")


def version_of(header: bytes) -> int:
    return int.from_bytes(header[:4], "little")


def versions(header: bytes, mask: int) -> list[int]:
    """Every combination of the mask's bits, counted up."""
    combinations = [version_of(header) & ~mask]
    for bit in (1 << position for position in range(32) if mask >> position & 1):
        combinations += [version | bit for version in combinations]
    return combinations


def all_hits(search: Search, points: int) -> list[Hit]:
    """Through as many runs as the buffer of hits needs."""
    found, position = list[Hit](), 0
    while position < points:
        result = search.run(position, points - position)
        assert len(result.hits) <= search.capacity
        assert result.done > 0
        found += result.hits
        position += result.done
    assert position == points
    return found


@each_kernel
def test_self_test_passes(kernel: Kernel) -> None:
    assert kernels.self_test(kernel)


targets = st.integers(0, 255).flatmap(lambda bits: st.integers(0, MAX_TARGET >> bits)) | st.integers(0, MAX_TARGET)
headers = st.binary(min_size=80, max_size=80)


@each_kernel
@given(headers, st.integers(0, 0xFFFFFFFF), st.integers(1, 200), targets, st.integers(1, 20))
def test_finds_exactly_what_hashlib_finds(
    kernel: Kernel, header: bytes, first: int, count: int, target: int, capacity: int
) -> None:
    search = Search(kernel, capacity=capacity)
    points = search.load(header, target, first_nonce=first, nonce_count=count)
    tried = [Hit((first + offset) & 0xFFFFFFFF, version_of(header)) for offset in range(count)]
    assert points == count
    assert all_hits(search, points) == [hit for hit in tried if value(header, hit) <= target]


@each_kernel
@given(
    headers,
    st.integers(0, 0xFFFFFFFF),
    st.integers(1, 40),
    targets,
    st.integers(1, 20),
    st.sets(st.integers(0, 31), max_size=6).map(lambda bits: sum(1 << bit for bit in bits)),
)
@settings(max_examples=40)
def test_rolls_exactly_the_versions_of_the_mask(
    kernel: Kernel, header: bytes, first: int, count: int, target: int, capacity: int, mask: int
) -> None:
    search = Search(kernel, capacity=capacity)
    points = search.load(header, target, first_nonce=first, nonce_count=count, version_mask=mask)
    nonces = [(first + offset) & 0xFFFFFFFF for offset in range(count)]
    tried = [Hit(nonce, version) for version in versions(header, mask) for nonce in nonces]
    found = all_hits(search, points)
    assert points == len(tried)
    assert len(found) == len(set(found))
    assert set(found) == {hit for hit in tried if value(header, hit) <= target}


@each_kernel
@given(headers, st.integers(0, 1 << 7), st.integers(0, 1 << 7))
@settings(max_examples=20)
def test_any_range_of_the_points_is_searched_once(kernel: Kernel, header: bytes, first: int, second: int) -> None:
    search = Search(kernel, capacity=1 << 11)
    points = search.load(header, MAX_TARGET, nonce_count=8, version_mask=0x3F << 13)
    begin, end = sorted((first, second))
    whole = search.run(0, points).hits
    assert len(set(whole)) == points
    assert search.run(begin, end - begin).hits == whole[begin:end]


@each_kernel
@given(headers, st.integers(0, 0xFFFFFFFF))
def test_boundary_of_the_target_is_inclusive(kernel: Kernel, header: bytes, nonce: int) -> None:
    hit = Hit(nonce, version_of(header))
    exact, search = value(header, hit), Search(kernel)
    search.load(header, exact, first_nonce=nonce, nonce_count=1)
    assert search.run(0, 1).hits == (hit,)
    search.load(header, max(exact - 1, 0), first_nonce=nonce, nonce_count=1)
    assert search.run(0, 1).hits == ()


@each_kernel
@given(header=headers, first=st.integers(0, 2**32 - 1), count=st.integers(1, 100))
def test_counts_nonces_as_a_chip_does(kernel: Kernel, header: bytes, first: int, count: int) -> None:
    search = Search(kernel, capacity=3)
    target = MAX_TARGET >> 2
    points = search.load(header, target, first_nonce=first, nonce_count=count, big_endian_nonces=True)
    counters = [(first + index) % 2**32 for index in range(count)]
    swapped = {counter: int.from_bytes(counter.to_bytes(4, "big"), "little") for counter in counters}
    version = version_of(header)
    expected = [counter for counter in counters if value(header, Hit(swapped[counter], version)) <= target]
    assert [hit.nonce for hit in all_hits(search, points)] == expected


@each_kernel
def test_searches_a_midstate(kernel: Kernel) -> None:
    """The work that finds an Icarus: block 171874, whose only nonce of difficulty 1 is the 100 259th."""
    search = Search(kernel)
    midstate = bytes.fromhex("4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a")
    in_order = b"".join(midstate[at : at + 4] for at in range(28, -1, -4))
    assert search.load_midstate(in_order, bytes.fromhex("2fa722ce1426674f87320b1a"), 0xFFFF << 208) == 1 << 32
    assert [hit.nonce for hit in search.run(0, 200_000).hits] == [0x000187A2]


@each_kernel
@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_finds_captured_nonces(kernel: Kernel, vector: dict[str, dict[str, str]]) -> None:
    header = bytes.fromhex(vector["expect"]["header"])
    nonce = int.from_bytes(header[76:], "little")
    target = int(vector["expect"]["hash"], 16)
    search = Search(kernel)
    search.load(header, target, first_nonce=nonce - 1000, nonce_count=2001)
    assert [hit.nonce for hit in search.run(0, 2001).hits] == [nonce]
    points = search.load(header, target, first_nonce=nonce - 100, nonce_count=201, version_mask=0x7F << 13)
    assert [(hit.nonce, hit.version) for hit in search.run(0, points).hits] == [(nonce, version_of(header))]


@each_kernel
@pytest.mark.parametrize("mask", [0, 0xFFFFE000], ids=["plain", "rolling"])
def test_a_changed_stop_word_ends_a_search_without_end(kernel: Kernel, mask: int) -> None:
    stop_word = StopWord()
    search = Search(kernel, stop_word)
    points = search.load(bytes(80), 0, version_mask=mask)
    results = []
    thread = threading.Thread(target=lambda: results.append(search.run(0, points)))
    thread.start()
    while search._progress.started_ns == 0:
        time.sleep(0)  # yields: the search releases the GIL
    stop_word.bump()
    thread.join(60)
    assert not thread.is_alive()
    assert 0 <= results[0].done < points
    search.load(bytes(80), MAX_TARGET, nonce_count=10)
    assert search.run(0, 10).done == 0, "an old expectation ends at once"
    assert search.run(0, 10, expected=stop_word.value).done == 10


@each_kernel
def test_rare_hits_return_at_once(kernel: Kernel) -> None:
    search = Search(kernel)
    search.load(bytes(80), MAX_TARGET, first_nonce=5, nonce_count=1000)
    result = search.run(0, 1000, at_most=1)
    assert (result.hits, result.done) == ((Hit(5, 0),), 1)


HEADER = bytes(range(80))


@each_kernel
@pytest.mark.parametrize("bits", [30, 31, 32])
def test_a_mask_of_nearly_all_bits_is_rolled_like_any_other(kernel: Kernel, bits: int) -> None:
    """The order is native/sha256d.h's: each nonce in a whole group of versions."""
    search, mask = Search(kernel), (1 << bits) - 1
    points = search.load(HEADER, MAX_TARGET, first_nonce=7, nonce_count=3, version_mask=mask)
    assert points == 3 << bits
    group = 3 * kernel.versions
    first = [Hit(7 + point // kernel.versions, point % kernel.versions) for point in range(group)]
    base = version_of(HEADER) & ~mask
    assert search.run(0, group).hits == tuple(Hit(nonce, base | version) for nonce, version in first)
    last = search.run(points - 1, 1)
    assert (last.hits, last.done) == ((Hit(9, base | mask),), 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"header": bytes(79)}, "header: expected 80 bytes, got 79"),
        ({"header": bytes(10)}, "header: expected 80 bytes, got 10"),
        ({"header": b""}, "header: expected 80 bytes, got 0"),
        ({"header": bytes(200)}, "header: expected 80 bytes, got 200"),
        ({"target": -1}, "target: expected 0 to 1157.*, got -1"),
        ({"target": 1 << 256}, "target: expected 0 to 1157.*, got 1157"),
        ({"first_nonce": -1}, "first_nonce: expected 0 to 4294967295, got -1"),
        ({"first_nonce": 1 << 32}, "first_nonce: expected 0 to 4294967295, got 4294967296"),
        ({"nonce_count": 0}, "nonce_count: expected 1 to 4294967296, got 0"),
        ({"nonce_count": -1}, "nonce_count: expected 1 to 4294967296, got -1"),
        ({"nonce_count": (1 << 32) + 1}, "nonce_count: expected 1 to 4294967296, got 4294967297"),
        ({"version_mask": -1}, "version_mask: expected 0 to 4294967295, got -1"),
        ({"version_mask": 1 << 32}, "version_mask: expected 0 to 4294967295, got 4294967296"),
        ({"version_mask": (1 << 32) - 1}, "expected at most 18446744073709551615 points, got 18446744073709551616: 32"),
    ],
)
def test_work_that_does_not_fit_leaves_what_was_loaded(arguments: dict[str, Any], complaint: str) -> None:
    search = Search(KERNELS[0])
    search.load(HEADER, MAX_TARGET, first_nonce=5, nonce_count=2)
    with pytest.raises(ValueError, match=complaint):
        search.load(**{"header": bytes(80), "target": 0, **arguments})
    assert search.run(0, 2).hits == (Hit(5, version_of(HEADER)), Hit(6, version_of(HEADER)))


def test_the_largest_work_of_all_can_be_searched() -> None:
    search = Search(KERNELS[0])
    points = search.load(HEADER, MAX_TARGET, nonce_count=(1 << 32) - 1, version_mask=(1 << 32) - 1)
    assert points == (1 << 64) - (1 << 32)
    assert search.run(points - 1, 1).hits == (Hit((1 << 32) - 2, (1 << 32) - 1),)


@pytest.mark.parametrize(
    ("midstate", "tail", "complaint"),
    [
        (31, 12, "midstate: expected 32 bytes, got 31"),
        (33, 12, "midstate: expected 32 bytes, got 33"),
        (32, 11, "tail: expected 12 bytes, got 11"),
        (32, 13, "tail: expected 12 bytes, got 13"),
        (32, 0, "tail: expected 12 bytes, got 0"),
    ],
)
def test_a_midstate_and_its_tail_have_their_lengths(midstate: int, tail: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Search(KERNELS[0]).load_midstate(bytes(midstate), bytes(tail), 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"count": 6}, "count from position 0 on: expected 0 to 2, got 6"),
        ({"position": 2, "count": 1}, "count from position 2 on: expected 0 to 0, got 1"),
        ({"position": 3}, "position: expected 0 to 2, got 3"),
        ({"position": -1}, "position: expected 0 to 2, got -1"),
        ({"count": -1}, "count from position 0 on: expected 0 to 2, got -1"),
        ({"at_most": 0}, "at_most: expected 1 hit or more, got 0"),
        ({"at_most": -1}, "at_most: expected 1 hit or more, got -1"),
        ({"expected": -1}, "expected: expected 0 to 4294967295, got -1"),
        ({"expected": 1 << 32}, "expected: expected 0 to 4294967295, got 4294967296"),
    ],
)
def test_a_range_lies_within_its_work(arguments: dict[str, int], complaint: str) -> None:
    search = Search(KERNELS[0])
    search.load(HEADER, MAX_TARGET, nonce_count=2)
    with pytest.raises(ValueError, match=complaint):
        search.run(**{"position": 0, "count": 2, **arguments})
    assert search.run(2, 0).done == 0, "the range behind the last point has no points"


def test_nothing_is_searched_before_it_is_loaded() -> None:
    search = Search(KERNELS[0])
    with pytest.raises(ValueError, match="expected work to be loaded before, got none"):
        search.run(0, 10)
    with pytest.raises(TypeError):
        search.load(HEADER, 0, first_nonce=1.5)  # type: ignore[arg-type]  # what a caller without types may do
    with pytest.raises(ValueError, match="expected work to be loaded before, got none"):
        search.run(0, 10)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_search_has_room_for_a_hit(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"capacity: expected room for 1 hit or more, got {capacity}"):
        Search(KERNELS[0], capacity=capacity)


@pytest.mark.parametrize(
    "kernel",
    [Kernel("x", 1, 1, 99), Kernel("x", 1, 1, -1), replace(KERNELS[0], versions=1024), replace(KERNELS[0], index=1)],
)
def test_a_kernel_that_does_not_exist(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match=r"kernel: expected one that available_kernels returned \(scalar"):
        Search(kernel)
    with pytest.raises(ValueError, match="kernel: expected one that available_kernels returned"):
        kernels.self_test(kernel)


@pytest.mark.skipif(len(KERNELS) < 2, reason="this machine has the plainest kernel only")
def test_a_kernel_that_was_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.DISABLING, KERNELS[-1].name)
    with pytest.raises(ValueError, match="kernel: expected one that available_kernels returned"):
        Search(KERNELS[-1])


def test_the_stop_word_wraps() -> None:
    stop_word = StopWord()
    assert [stop_word.value, stop_word.bump(), stop_word.bump(), stop_word.value] == [0, 1, 2, 2]
    ffi.memmove(stop_word.pointer, b"\xff" * 4, 4)
    assert (stop_word.value, stop_word.bump(), stop_word.value) == (0xFFFFFFFF, 0, 0)


def test_no_bump_of_the_stop_word_is_lost() -> None:
    stop_word, count = StopWord(), 20_000
    threads = [threading.Thread(target=lambda: [stop_word.bump() for _ in range(count)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stop_word.value == 4 * count


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="sse2 is a feature of x86")
@pytest.mark.parametrize("value", ["sse2", "SSE2", " sse2 ", "sse2,", ",, Sse2\t,sse2", "neon, sse2"])
def test_features_are_switched_off_in_any_spelling(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(kernels.DISABLING, value)
    assert "sse2" not in [kernel.name for kernel in available_kernels()]
    assert "sse2" in kernels.unusable_names()


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_nothing_is_switched_off_by_an_empty_list(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(kernels.DISABLING, value)
    assert available_kernels() == KERNELS


@pytest.mark.parametrize(
    ("value", "name", "hint"),
    [
        ("avx-512", "avx-512", "did you mean 'avx512'"),
        ("avx512,Shanii", "Shanii", "did you mean 'shani'"),
        ("scalar", "scalar", ""),
        ("avx512;shani", "avx512;shani", ""),
        ("sse2 nonsense", "nonsense", ""),
        ("\xff", "\xff", ""),
    ],
)
def test_an_unknown_feature_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str, name: str, hint: str) -> None:
    monkeypatch.setenv(kernels.DISABLING, value)
    known = "sse2, avx2, avx512, shani, neon, armv8_sha2"
    complaint = re.escape(f"{kernels.DISABLING}: expected names out of {known}, got {name!r}") + f".*{hint}"
    for ask in (available_kernels, kernels.unusable_names, lambda: Search(KERNELS[0])):
        with pytest.raises(BackendOptionError, match=complaint):
            ask()


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(BackendOptionError, match="did you mean 'scalar'"):
        kernels.kernel_named("scaler")
