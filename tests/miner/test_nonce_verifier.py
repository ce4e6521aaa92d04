"""What the verifier remembers about reported nonces, and how much memory that takes."""

import itertools
import time
from types import SimpleNamespace
from typing import Any
from weakref import ref

from stratum_miner.miner.nonce_verifier import MAX_SEEN, NonceVerifier


class Unit:
    """A stand-in."""


def stand_in(key: tuple[int, object], version: int = 1) -> Any:
    return SimpleNamespace(dedup_key=key, version=version, header=b"", nonce=0, is_block=False, meets_share_target=True)


def test_forgetting_the_oldest_share_costs_no_more_than_remembering_one() -> None:
    claims, numbers, unit = NonceVerifier(), itertools.count(), Unit()

    def cost(count: int) -> float:
        shares = [stand_in((1, next(numbers))) for _ in range(count)]
        began = time.thread_time()
        for share in shares:
            claims._remember(share, unit)  # type: ignore[arg-type]  # a stand-in
        return (time.thread_time() - began) / count

    remembering = cost(MAX_SEEN)
    assert cost(MAX_SEEN // 4) < 8 * remembering
    assert len(claims._seen) == MAX_SEEN


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
