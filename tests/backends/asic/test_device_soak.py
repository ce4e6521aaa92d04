"""A short test of every fault on an emulated device of each kind: no fault stops the driver for good."""

from math import isfinite

import pytest
from trio.testing import MockClock

from stratum_miner.emulators import FAULTS, KINDS
from tests.backends.asic.device_soak import NONCES_PER_SECOND, SIGNS, Recovery, faults_for, soak

HASH_RATE = 1e4
"""A fifth of that of a long soak: the nonces come as often, and are found with fewer hashes."""


@pytest.mark.parametrize("kind", ["erupter", "2pac", "compac-f", "bitaxe-gamma"])
async def test_every_fault_is_noticed_and_survived(kind: str, autojump_clock: MockClock) -> None:
    del autojump_clock
    rows = await soak(kind, seed=1, hash_rate=HASH_RATE, nonce_difficulty=HASH_RATE / NONCES_PER_SECOND / 2**32)
    assert sorted(row.fault for row in rows) == sorted(faults_for(kind))
    assert [row for row in rows if row.injected == 0] == []
    assert [row for row in rows if not row.is_noticed] == []
    assert [row for row in rows if not isfinite(row.seconds)] == []


def test_every_kind_and_every_fault_can_be_soaked() -> None:
    assert set(SIGNS) == set(FAULTS), "SIGNS in device_soak.py: expected how a driver tells of each fault"
    for kind in KINDS:
        for fault in faults_for(kind):
            row = Recovery(kind, fault, 1, {}, "", 1.0, 0.0)
            assert row.is_noticed == (fault == "slow-answers")
    assert set(faults_for("bitaxe-ultra")) == set(FAULTS)
