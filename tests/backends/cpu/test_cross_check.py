"""The cross-check finds a difference between two kernels."""

import pytest

from stratum_miner.backends.cpu import cross_check as module
from stratum_miner.backends.cpu.cross_check import cross_check
from stratum_miner.backends.cpu.kernels import Hit, Kernel, available_kernels

FIRST, *OTHERS = available_kernels()


@pytest.mark.parametrize("kernel", OTHERS, ids=[kernel.name for kernel in OTHERS])
@pytest.mark.parametrize("rolling", [False, True])
def test_kernels_agree(kernel: Kernel, rolling: bool) -> None:
    assert cross_check(kernel, FIRST, rolling=rolling, points=1 << 17) is None


@pytest.mark.parametrize("rolling", [False, True])
def test_a_missed_and_a_wrong_hit_are_named(rolling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    true_hits, calls = module._hits, []

    def hits(kernel: Kernel, header: bytes, nonces: int, mask: int) -> frozenset[Hit]:
        calls.append(mask)
        found = true_hits(kernel, header, nonces, mask)
        return found if len(calls) > 1 else found - {min(found)} | {Hit(5, 6)}

    monkeypatch.setattr(module, "_hits", hits)
    difference = cross_check(FIRST, FIRST, rolling=rolling, points=1 << 17)
    assert difference is not None
    assert len(difference.missed) == 1
    assert difference.wrong == {Hit(5, 6)}
    assert "1 hits missed, 1 wrong" in str(difference)
