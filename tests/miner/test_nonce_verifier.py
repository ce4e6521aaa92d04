"""What the verifier remembers about reported nonces, and how much memory that takes."""

import itertools
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest
from structlog.testing import capture_logs

from stratum_miner.miner import nonce_verifier
from stratum_miner.miner.nonce_verifier import NonceVerifier
from stratum_miner.work.share import Share
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound
from tests.work.jobs import make_job


class Unit:
    """A stand-in."""


def stand_in(key: tuple[int, object], version: int = 1) -> Any:
    return SimpleNamespace(dedup_key=key, version=version, header=b"", nonce=0, is_block=False, meets_share_target=True)


def test_forgetting_the_oldest_share_costs_no_more_than_remembering_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting took a time that grew with the number of shares, until they were kept in an OrderedDict."""
    most = 10_000  # in place of 65,536
    monkeypatch.setattr(nonce_verifier, "MAX_SEEN", most)
    claims, numbers, unit = NonceVerifier(), itertools.count(), Unit()

    def cost(count: int) -> float:
        shares = [stand_in((1, next(numbers))) for _ in range(count)]
        began = time.thread_time()
        for share in shares:
            claims._remember(share, unit)  # type: ignore[arg-type]  # a stand-in
        return (time.thread_time() - began) / count

    remembering = cost(most)
    assert cost(most // 2) < 8 * remembering
    assert len(claims._seen) == most


def test_a_share_that_is_remembered_keeps_no_job() -> None:
    """A pool may send a job of 64 KiB for each share, and many thousand shares are remembered."""
    claims, found_again = NonceVerifier(), Unit()
    unit: Any = Unit()
    share: Any = stand_in((1, b"2"), version=3)
    assert claims._share(share, unit) is not None
    assert claims._share(share, unit) == "the same nonce was reported twice"
    assert claims._share(share, found_again) is None  # type: ignore[arg-type]  # a stand-in
    gone = ref(unit)
    del unit
    assert gone() is None
    assert claims._share(share, found_again) is None  # type: ignore[arg-type]  # a stand-in
    assert claims.withheld == 2


def of(version: int, *, is_block: bool = False, meets: bool = True) -> Any:
    share = stand_in((1, b"place"), version)
    share.header, share.is_block, share.meets_share_target = b"%d" % version, is_block, meets
    return share


def test_of_one_place_in_two_versions_only_a_block_is_submitted_twice() -> None:
    claims, unit = NonceVerifier(), Unit()
    first, second, block, weak = of(1), of(2), of(3, is_block=True), of(4, is_block=True, meets=False)
    with capture_logs() as lines:
        results = [claims._share(share, unit) for share in (first, second, block, weak)]  # type: ignore[arg-type]  # a stand-in
    assert results == [first, None, block, weak]
    assert (claims.withheld, claims.shares_found) == (1, 3), "a weak block meets no share target"
    assert lines == [
        {
            "event": "share_withheld",
            "reason": "its nonce was submitted with another version",
            "nonce": 0,
            "log_level": "debug",
        }
    ]


def test_a_share_of_an_earlier_run_is_found_and_not_submitted() -> None:
    claims, unit, other = NonceVerifier({b"1"}), Unit(), Unit()
    with capture_logs() as lines:
        assert claims._share(of(1), unit) is None  # type: ignore[arg-type]  # a stand-in
        assert claims._share(of(1), other) is None  # type: ignore[arg-type]  # a stand-in
    assert (claims.withheld, claims.shares_found) == (2, 1)
    assert [line["reason"] for line in lines] == ["an earlier run submitted it", "its header was searched before"]
    assert claims._share(of(1), unit) == "the same nonce was reported twice"  # type: ignore[arg-type]  # a stand-in


def test_the_oldest_share_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonce_verifier, "MAX_SEEN", 3)
    claims, unit, other = NonceVerifier(), Unit(), Unit()

    def report(place: int) -> object:
        return claims._share(stand_in((1, place)), other if place == 0 else unit)  # type: ignore[arg-type]  # a stand-in

    for place in range(3):
        assert report(place) is not None
    assert report(0) == "the same nonce was reported twice"
    report(3)
    assert not isinstance(report(0), str), "it was the oldest"
    assert report(2) == "the same nonce was reported twice"


def test_a_hash_is_a_share_or_below_target_or_an_error() -> None:
    """A device that compares roughly gets units with a target above that of the job."""
    claims, every_hash = NonceVerifier(), (1 << 256) - 1
    for job_target, unit_target in ((every_hash, every_hash), (1, every_hash), (1, 1)):
        space = SearchSpace()
        space.set_job(make_job(nbits=0x03000001, share_target=job_target))
        unit = space.next_unit(0.0)
        assert unit is not None
        result = claims.judge(NonceFound(replace(unit, target=unit_target), 0, unit.version, "d0"), "cpu", "me")
        if job_target == every_hash:
            assert isinstance(result, Share)
            assert (result.backend, result.worker_name, result.device) == ("cpu", "me", "d0")
        else:
            assert result == (None if unit_target == every_hash else "hash above the unit's target")
        assert claims.below_target == (0 if job_target == every_hash else 1)
