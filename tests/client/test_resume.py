"""What one connection leaves to the next: the session to resume, and the shares without a reply."""

import itertools
from dataclasses import replace

from stratum_miner.client.resume import Resumable, Resumption, Unanswered
from stratum_miner.work.job import Origin, PoolKey
from stratum_miner.work.share import Share
from tests.work.shares import share_on

FIRST = Resumable("s1", b"\x01", 4)


def new() -> Resumption:
    return Resumption(Origin(PoolKey("pool"), "worker", 0), itertools.count(1))


def kept(count: int) -> list[Unanswered]:
    share: Share = share_on()
    return [Unanswered(replace(share, nonce=number), sent=True) for number in range(count)]


def test_a_session_is_resumed_if_its_extranonces_are_the_same_and_new_otherwise() -> None:
    it, numbers = new(), []
    for session, resumed in (
        (FIRST, False),
        (FIRST, True),
        (Resumable("s2", b"\x01", 4), True),
        (Resumable("s2", b"\x02", 4), False),
        (Resumable("s2", b"\x02", 5), False),
        (Resumable(None, b"\x02", 5), True),
    ):
        assert it.begin(session) is resumed
        assert (it.resumable, it.origin.session_id) == (session, session.session_id)
        numbers.append(it.origin.session)
    assert numbers == [1, 1, 1, 2, 3, 3]
    assert (it.origin.pool, it.origin.worker_name) == ("pool", "worker")


def test_a_session_is_known_by_the_extranonce_that_it_has_now() -> None:
    it = new()
    it.change_extranonce(b"\x09", 3)  # before the first session there is nothing to change
    assert it.resumable is None
    it.begin(FIRST)
    it.change_extranonce(b"\x09", 3)
    assert it.resumable == Resumable("s1", b"\x09", 3)
    assert not it.begin(FIRST)


def test_what_is_kept_is_taken_once_and_in_order() -> None:
    it, shares = new(), kept(3)
    assert it.carry(shares[0]) == []
    assert it.carry(*shares[1:]) == []
    assert it.carried == 3
    assert it.take() == shares
    assert (it.carried, it.take()) == (0, [])


def test_of_very_many_shares_the_oldest_are_given_up() -> None:
    it, shares = new(), kept(4100)
    assert it.carry(*shares[:4096]) == []
    assert it.carry(*shares[4096:]) == shares[:4]
    assert it.take() == shares[4:]


def test_shares_of_an_earlier_run_were_sent() -> None:
    it, [item] = new(), kept(1)
    it.adopt(FIRST, [item.share])
    assert it.begin(FIRST), "the first connection may resume their session"
    assert it.origin.session == 0
    assert it.take() == [item]
