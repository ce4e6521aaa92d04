"""The witness itself: its arithmetic on values that are known elsewhere, and what it makes of lines."""

import json
import math
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.audit import bitcoin
from tests.audit.proxy_truth import ProxyTruth
from tests.audit.relay import Connection, Line, Wire
from tests.audit.truth import MinerTruth, garwood, length, merged, quantile
from tests.audit.witness import NOT_RESUMED, SEEN_BEFORE, SHARE_LOST, Share, Story, Submit, tell

BLOCK_1 = bytes.fromhex(
    "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000"
    "982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e"
    "61bc6649ffff001d01e36299"
)
"""The header of block 1 of the main chain."""
COINBASE_1 = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff001d0104ffffffff01"
    "00f2052a0100000043410496b538e853519c726a2c91e61ec11600ae1390813a627c66fb8be7947be63c52da7589379515d4e0a604f8"
    "141781e62294721166bf621e73a82cbf2342c858eeac00000000"
)
"""Its only transaction."""


def test_block_1_of_the_main_chain() -> None:
    digest = bitcoin.sha256d(BLOCK_1)
    assert bitcoin.shown(digest) == "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048"
    assert bitcoin.merkle_root(COINBASE_1, []) == bitcoin.root_of([bitcoin.sha256d(COINBASE_1)]) == BLOCK_1[36:68]
    assert bitcoin.hash_number(digest) <= bitcoin.target_of_bits(0x1D00FFFF) == bitcoin.DIFFICULTY_1
    assert float(bitcoin.difficulty_of(bitcoin.hash_number(digest))) == pytest.approx(0xFFFF0000 / 0x839A8E68, rel=1e-6)
    rebuilt = bitcoin.header(1, BLOCK_1[4:36], BLOCK_1[36:68], 0x4966BC61, 0x1D00FFFF, 0x9962E301)
    assert rebuilt == BLOCK_1


def test_a_transaction_is_read_to_its_end() -> None:
    whole, stripped, end = bitcoin.read_transaction(COINBASE_1 + b"next", 0)
    assert (whole, stripped, end) == (COINBASE_1, COINBASE_1, len(COINBASE_1))
    witness = COINBASE_1[:4] + b"\x00\x01" + COINBASE_1[4:-4] + b"\x01\x20" + bytes(32) + COINBASE_1[-4:]
    whole, stripped, end = bitcoin.read_transaction(witness, 0)
    assert (whole, stripped, end) == (witness, COINBASE_1, len(witness))


@pytest.mark.parametrize("height", [0, 1, 16, 17, 127, 128, 255, 256, 32767, 32768, 840_000])
def test_heights(height: int) -> None:
    script = bitcoin.push_height(height)
    coinbase = bytes(4) + b"\x01" + bytes(36) + bytes([len(script)]) + script
    assert bitcoin.height_of_coinbase(coinbase) == height


def test_targets_and_difficulties_are_exact() -> None:
    assert bitcoin.target_of_bits(0x207FFFFF) == 0x7FFFFF << 232
    assert bitcoin.target_of_difficulty(Fraction(1)) == 0xFFFF << 208
    assert bitcoin.target_of_difficulty(Fraction(3)) == (0xFFFF << 208) // 3
    assert bitcoin.hashes_for(1) == pytest.approx(2**48 / 0xFFFF)


def test_intervals_and_quantiles() -> None:
    assert garwood(10) == pytest.approx((4.795, 18.390), abs=1e-3)
    assert garwood(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert quantile([float(value) for value in range(100)], 0.99) == 98.0
    assert quantile([], 0.5) is None


def test_spans() -> None:
    assert merged([(3, 5), (1, 2), (4, 7)]) == [(1, 2), (3, 7)]
    assert length([(1, 2), (3, 7)], 1.5, 4) == 1.5


# ---- what it makes of lines ------------------------------------------------------------------------------------------

JOB = ["j1", "00" * 32, COINBASE_1[:42].hex() + "0401020304", COINBASE_1[-20:].hex(), [], "20000000", "207fffff"]


def told(*lines: tuple[int, bool, object], unheard: tuple[int, ...] = ()) -> Story:
    """Lines as (connection, up, message), a second apart; those at the places of ``unheard`` were kept back."""
    wire = Wire("test", 1)
    for place, (number, up, message) in enumerate(lines):
        while len(wire.connections) <= number:
            if wire.connections:
                wire.connections[-1].closed = float(place)
            wire.connections.append(Connection(len(wire.connections), float(place)))
        passed = 0.0 if place in unheard else place + 0.5
        wire.lines.append(Line(number, up, float(place), 100.0 + place, json.dumps(message).encode(), passed, passed))
    return tell(wire)


def greeting(connection: int, session: str, extranonce1: str) -> list[tuple[int, bool, object]]:
    return [
        (connection, True, {"id": 1, "method": "mining.subscribe", "params": ["test"]}),
        (connection, False, {"id": 1, "result": [[["mining.notify", session]], extranonce1, 4], "error": None}),
        (connection, False, {"id": None, "method": "mining.set_difficulty", "params": [1e-12]}),
        (connection, False, {"id": None, "method": "mining.notify", "params": [*JOB, "60000000", True]}),
    ]


def submit(connection: int, identifier: int, nonce: str = "00000001") -> tuple[int, bool, object]:
    params = ["rig", "j1", "00000000", "60000000", nonce]
    return connection, True, {"id": identifier, "method": "mining.submit", "params": params}


def answer(connection: int, identifier: int, error: object = None, result: object = None) -> tuple[int, bool, object]:
    return connection, False, {"id": identifier, "result": result, "error": error}


@pytest.mark.parametrize(
    ("error", "result", "fate"),
    [
        (None, True, ("accepted", "")),
        (None, False, ("rejected", "refused without a reason")),
        ([23, "low", None], None, ("rejected", "low difficulty share")),
        ([22, "duplicate", None], None, ("rejected", "duplicate share")),
        ([21, "stale", None], None, ("stale", "job not found")),
        ([20, "something", None], None, ("rejected", "other")),
        ([20, SHARE_LOST, None], None, ("lost", SHARE_LOST.removeprefix("share lost: "))),
    ],
)
def test_only_true_is_accepted(error: object, result: object, fate: tuple[str, str]) -> None:
    story = told(*greeting(0, "s", "aabb"), submit(0, 5), answer(0, 5, error, result))
    assert [(share.fate, share.reason) for share in story.shares] == [fate]
    assert story.shares[0].latency == 1.5


def test_a_share_without_an_answer_is_open_until_another_session_begins() -> None:
    lines = [*greeting(0, "s", "aabb"), submit(0, 5)]
    assert [share.fate for share in told(*lines).shares] == ["open"]
    assert [share.fate for share in told(*lines, *greeting(1, "s", "aabb")).shares] == ["open"]
    story = told(*lines, *greeting(1, "t", "aabc"))
    assert [(share.fate, share.reason) for share in story.shares] == [("lost", NOT_RESUMED)]


def test_a_share_that_is_sent_again_and_called_a_duplicate_is_lost() -> None:
    lines = [*greeting(0, "s", "aabb"), submit(0, 5), answer(0, 5, None, True)]
    lines += [*greeting(1, "s", "aabb"), submit(1, 5), answer(1, 5, [22, "duplicate share", None])]
    story = told(*lines, unheard=(5,))
    assert [(share.fate, share.reason, len(share.submits)) for share in story.shares] == [("lost", SEEN_BEFORE, 2)]
    assert story.said() == {"accepted": 1, "duplicate share": 1}


def test_a_difficulty_counts_from_the_next_job_on() -> None:
    harder = (0, False, {"id": None, "method": "mining.set_difficulty", "params": [1e9]})
    story = told(*greeting(0, "s", "aabb"), harder, submit(0, 5))
    assert story.submits[0].job is not None
    assert math.isclose(story.submits[0].job.difficulty, 1e-12)
    assert story.submits[0].meets_share


def test_the_best_share_of_a_pool_may_be_one_that_was_lost_before_it_was_sent() -> None:
    numbered = (bytes(79) + bytes([number]) for number in range(3))
    headers = sorted(numbered, key=lambda header: bitcoin.hash_number(bitcoin.sha256d(header)), reverse=True)
    shares = [
        Share([Submit(0, 1.0, 1.0, True, "w", None, header, b"", 0)], fate, settled=settled)
        for header, fate, settled in zip(headers, ("accepted", "lost", "open"), (2.0, None, None), strict=True)
    ]
    truth = MinerTruth.__new__(MinerTruth)
    truth.by_pool = [shares, shares[:1], shares[2:]]
    accepted, lost, _ = (float(share.first.value) for share in shares)
    assert accepted < lost
    assert [truth.best_of_pool(index) for index in range(3)] == [lost, accepted, 0.0]


# ---- what figures are held against -----------------------------------------------------------------------------------


def test_shares_of_equal_digits_are_told_apart_by_their_order() -> None:
    """The stream rounds a difficulty. Of two shares with the same four digits, the older is the one that ended first,
    however late the program got to it.
    """
    shares: list[Share] = []
    for settled in (1.0, 2.0, 3.0):
        shares.append(Share([Submit(0, settled, settled, True, "w", None, bytes(79) + bytes([len(shares)]), b"", 0)]))
        shares[-1].settled = shares[-1].settled_unix = settled
    truth = MinerTruth.__new__(MinerTruth)
    truth.by_pool = [shares]
    value = float(shares[1].first.value)
    for item in shares:  # as if their hashes were nearly equal
        item.submits = [replace(item.first, header=shares[1].first.header)]
    truth._by_value = {}
    row = {"difficulty": float(f"{value:.4g}")}
    truth.told = {"shares": [{**row, "at": at} for at in (2.9, 2.9, 3.1)]}
    assert [truth.share_told(place) for place in range(3)] == shares
    truth.told = {"shares": truth.told["shares"][1:]}  # the oldest is shown no more
    assert [truth.share_told(place) for place in range(2)] == shares[1:]
    truth.told = {"shares": truth.told["shares"] * 2}
    assert truth.share_told(0) is None


@pytest.mark.parametrize(("said", "taken"), [(3, 3), (2, 2), (1, 1), (0, 3), (4, 3), (None, 3)])
def test_what_a_proxy_that_ended_had_read_is_believed_within_what_the_wire_allows(said: int | None, taken: int) -> None:
    """One share is answered, two more were passed on to it."""
    lines = [*greeting(0, "s", "aabb"), submit(0, 5), submit(0, 6, "00000002"), submit(0, 7, "00000003")]
    [talk] = told(*lines, answer(0, 5, None, True)).conversations
    talk.connection.outward = 4711
    truth = ProxyTruth.__new__(ProxyTruth)
    truth._received = {} if said is None else {"127.0.0.1:4711": said}
    for truth.ended, expected in ((True, taken), (False, 3)):
        assert truth.taken(talk) == talk.submits[:expected]
