"""The memory for shares, which is limited for all miners together."""

import math
import tracemalloc

from stratum_miner.downstream.share_memory import MAX_SHARES, SHARE_BYTES, SeenShares
from stratum_miner.network.fair_bound import FairBound


def test_a_remembered_share_takes_no_more_than_is_said() -> None:
    memory, jobs = FairBound(MAX_SHARES), [SeenShares() for _ in range(3)]
    tracemalloc.start()
    for seen, count in zip(jobs, (10, 1000, 52_430), strict=True):  # the worst: the hash table has just grown
        for number in range(count):
            seen.add(number.to_bytes(32, "big"), memory)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert math.ceil(taken / memory.used / 100) * 100 == SHARE_BYTES
    assert MAX_SHARES * SHARE_BYTES <= 512 * 1024**2 < (MAX_SHARES + 1) * SHARE_BYTES


def test_a_job_that_goes_frees_its_shares_and_no_others() -> None:
    memory = FairBound(10)
    first, second = SeenShares(), SeenShares()
    for digest in (b"a", b"b"):
        first.add(digest, memory)
    second.add(b"a", memory)
    assert memory.used == 3
    assert b"a" in first
    first.forget(b"a")
    first.forget(b"a")
    first.forget(b"unknown")
    assert memory.used == 2
    assert (b"a" in first, b"a" in second) == (False, True)
    del first
    assert memory.used == 1


def test_a_job_without_shares_forgets_nothing() -> None:
    SeenShares().forget(b"a")
