"""Reported nonces, with the vectors of docs/reference/asic.md#test-vectors: right, duplicate, stale, recovered,
wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.work_history import (
    REAL_BOUND,
    ReportedNonce,
    WorkHistory,
    hashes_per_nonce,
    nonce_bound,
)
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.work.example import unit_of
from stratum_miner.work.unit import WorkUnit
from tests.backends.asic.vectors import VECTORS, header_a, header_d, unhex


def unit_with(header: bytes, **changes: int) -> WorkUnit:
    unit = replace(unit_of(1), header=header, version=int.from_bytes(header[:4], "little"), target=MAX_TARGET)
    return replace(unit, first_nonce=0, nonce_count=1 << 32, version_mask=0x1FFFE000, **changes)  # type: ignore[arg-type]


def unit_a() -> WorkUnit:
    a = VECTORS["A"]
    return unit_with(header_a(a["branches"], a["extranonce2"], a["ntime"]))


def test_the_captured_share() -> None:
    a, history = VECTORS["A"], WorkHistory(REAL_BOUND, remembered=4)
    history.add(0x68, unit_a(), [0x20000000])
    verified = history.verify(ReportedNonce(unhex("4c035275"), ((0x68, 0),), rolled=0x05A2 << 13))
    assert verified is not None
    assert display_hash(verified.hash_value.to_bytes(32, "little")) == a["hash"]
    assert verified.version & 0x1FFFE000 == int(a["submit_version"], 16)
    hit = verified.nonce_found("gamma")
    assert hit is not None
    assert hit.nonce.to_bytes(4, "big").hex() == a["submit_nonce"]


@pytest.mark.parametrize("row", VECTORS["D"]["rows"], ids=lambda row: str(row["nonce"]))
def test_every_nonce_of_the_solved_block(row: dict[str, str]) -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    history.add(8, unit_with(header_d()), [0x20000000])
    verified = history.verify(ReportedNonce(unhex(row["wire"]), ((8, 0),), rolled=int(row["version"], 16) & 0x1FFFE000))
    assert verified is not None
    assert verified.nonce == row["nonce"]  # type: ignore[comparison-overlap]
    assert display_hash(verified.hash_value.to_bytes(32, "little")) == row["hash"]


def corpus_unit(extranonce2: str) -> WorkUnit:
    return unit_with(header_a([], extranonce2, VECTORS["J"]["ntime"]))


def test_the_difficulty_1_corpus_at_the_true_bound() -> None:
    history = WorkHistory(REAL_BOUND, remembered=8)
    for vector in VECTORS["J"]["units"]:
        history.add(0, corpus_unit(vector["extranonce2"]), [0x20000000])
        for nonce in vector["nonces"]:
            assert history.verify(ReportedNonce(unhex(nonce))) is not None
    assert history.verify(ReportedNonce(unhex("0faed943"))) is None


def test_a_nonce_reported_twice() -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    history.add(0, corpus_unit("02000000"), [0x20000000])
    nonces = [history.verify(ReportedNonce(unhex("0faed942"))) for _ in range(2)]
    assert [verified is not None and verified.is_duplicate for verified in nonces] == [False, True]


def test_a_nonce_of_void_work_is_stale_and_no_error() -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    history.add(0x10, corpus_unit("02000000"), [0x20000000])
    history.mark_void()
    history.add(0x10, corpus_unit("04000000"), [0x20000000])  # the same id again
    old, new = (
        history.verify(ReportedNonce(unhex("0faed942"), ((0x10, 0),))),
        history.verify(ReportedNonce(unhex("6544b836"), ((0x10, 0),))),
    )
    assert old is not None
    assert old.is_stale
    assert new is not None
    assert not new.is_stale


def test_a_wrong_job_id_is_recovered() -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    right = history.add(0x10, corpus_unit("02000000"), [0x20000000])
    history.add(0x18, corpus_unit("04000000"), [0x20000000])
    verified = history.verify(ReportedNonce(unhex("0faed942"), ((0x18, 0), (0x70, 0))))
    assert verified is not None
    assert verified.work is right


def test_forgotten_work_proves_nothing() -> None:
    history = WorkHistory(REAL_BOUND, remembered=1)
    history.add(0, corpus_unit("02000000"), [0x20000000])
    history.add(0, corpus_unit("04000000"), [0x20000000])
    assert history.verify(ReportedNonce(unhex("0faed942"))) is None


@pytest.mark.parametrize(
    "changes",
    [{"target": 1 << 200}, {"nonce_count": 5}, {"version_mask": 0}],
    ids=["above the target", "outside the nonces", "outside the mask"],
)
def test_valid_but_not_to_be_reported(changes: dict[str, int]) -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    history.add(0x68, replace(unit_a(), **changes), [0x20000000])  # type: ignore[arg-type]
    verified = history.verify(ReportedNonce(unhex("4c035275"), ((0x68, 0),), rolled=0x05A2 << 13))
    assert verified is not None
    assert verified.nonce_found("gamma") is None


@given(st.binary(min_size=4, max_size=4), st.integers(0, 255), st.integers(0, 5), st.integers(0, 0xFFFF))
def test_any_reported_nonce_is_judged(nonce: bytes, job_id: int, index: int, rolled: int) -> None:
    history = WorkHistory(REAL_BOUND, remembered=4)
    reported = ReportedNonce(nonce, ((job_id, index), (job_id - 1, 0)), rolled << 13)
    assert not history.matches(reported)
    history.add(job_id, unit_a(), [0x20000000])
    assert history.matches(reported) is (history.verify(reported) is not None)


def test_bounds() -> None:
    assert nonce_bound(None) == nonce_bound(1) == (1 << 224) - 1
    assert nonce_bound(0.5) == target_from_difficulty(0.5)
    assert hashes_per_nonce(REAL_BOUND) == 2**32
    assert hashes_per_nonce(REAL_BOUND, 8) == 2**40
