"""Every kernel this machine can run, against hashlib."""

import json
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.kernels import Kernel, Search, StopWord, available_kernels

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "stratum.json").read_text())
KERNELS = available_kernels()
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=[kernel.name for kernel in KERNELS])
MAX_TARGET = (1 << 256) - 1


def value(header: bytes, nonce: int) -> int:
    whole = header[:76] + nonce.to_bytes(4, "little")
    return int.from_bytes(sha256(sha256(whole).digest()).digest(), "little")


def nonces_by_hashlib(header: bytes, target: int, first: int, count: int) -> list[int]:
    nonces = [(first + offset) & 0xFFFFFFFF for offset in range(count)]
    return [nonce for nonce in nonces if value(header, nonce) <= target]


@each_kernel
def test_self_test_passes(kernel: Kernel) -> None:
    assert kernels.self_test(kernel)


@each_kernel
@given(
    st.binary(min_size=80, max_size=80),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 200),
    st.integers(0, 255).flatmap(lambda bits: st.integers(0, MAX_TARGET >> bits)) | st.integers(0, MAX_TARGET),
    st.integers(1, 20),
)
def test_finds_exactly_what_hashlib_finds(
    kernel: Kernel, header: bytes, first: int, count: int, target: int, capacity: int
) -> None:
    search, found, position = Search(kernel, capacity=capacity), list[int](), 0
    while position < count:
        result = search.run(header, target, first + position, count - position)
        assert len(result.nonces) <= capacity
        assert result.done > 0
        found += result.nonces
        position += result.done
    assert position == count
    assert found == nonces_by_hashlib(header, target, first, count)


@each_kernel
@given(st.binary(min_size=80, max_size=80), st.integers(0, 0xFFFFFFFF))
def test_boundary_of_the_target_is_inclusive(kernel: Kernel, header: bytes, nonce: int) -> None:
    exact = value(header, nonce)
    assert Search(kernel).run(header, exact, nonce, 1).nonces == [nonce]
    assert Search(kernel).run(header, max(exact - 1, 0), nonce, 1).nonces == []


@each_kernel
@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_finds_captured_nonces(kernel: Kernel, vector: dict[str, dict[str, str]]) -> None:
    header = bytes.fromhex(vector["expect"]["header"])
    nonce = int.from_bytes(header[76:], "little")
    target = int(vector["expect"]["hash"], 16)
    result = Search(kernel).run(header, target, nonce - 1000, 2001)
    assert result.nonces == [nonce]


@each_kernel
def test_a_changed_stop_word_ends_a_search_without_end(kernel: Kernel) -> None:
    stop_word = StopWord()
    search = Search(kernel, stop_word)
    results = []
    thread = threading.Thread(target=lambda: results.append(search.run(bytes(80), 0, 0, 1 << 60)))
    thread.start()
    while search._progress.started_ns == 0:
        time.sleep(0)  # yields: the search releases the GIL
    stop_word.bump()
    thread.join(60)
    assert not thread.is_alive()
    assert 0 <= results[0].done < 1 << 60
    assert search.run(bytes(80), MAX_TARGET, 0, 10).done == 0, "an old expectation ends at once"
    assert search.run(bytes(80), MAX_TARGET, 0, 10, expected=stop_word.value).done == 10


@each_kernel
def test_rare_hits_return_at_once(kernel: Kernel) -> None:
    result = Search(kernel).run(bytes(80), MAX_TARGET, 5, 1000, at_most=1)
    assert (result.nonces, result.done) == ([5], 1)


def test_choice_takes_the_fastest_and_says_why() -> None:
    choice = kernels.choose()
    assert choice.hash_rate == max(item.hash_rate for item in choice.measured)
    assert choice.kernel.name in choice.reason
    assert all(item.self_test for item in choice.measured)


def test_forced_choice() -> None:
    choice = kernels.choose("scalar")
    assert choice.kernel.name == "scalar"
    assert "as asked for" in choice.reason
    with pytest.raises(BackendOptionError, match="did you mean 'scalar'"):
        kernels.choose("scaler")


def test_broken_kernels_are_left_out_and_none_left_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "self_test", lambda kernel: kernel.name == "scalar")
    assert kernels.choose().kernel.name == "scalar"
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    with pytest.raises(SelfTestError, match="do not mine here"):
        kernels.choose()
    with pytest.raises(SelfTestError):
        kernels.choose("scalar")


def test_measuring_takes_about_as_long_as_asked() -> None:
    assert kernels.measure(KERNELS[0], 0.01) > 1000
