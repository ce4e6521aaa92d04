"""Both sides of a record played without I/O: order, times, ids, jobs, and what differences are told."""

import json
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture.record import ClosedRecord, LineRecord, NumberedRecord, OpenedRecord, Side
from stratum_miner.capture.replay import LINES_PER_STEP, MAX_DIFFERENCES, PATIENCE, SHARE_PATIENCE, SHOWN, Replay
from stratum_miner.capture.replay_run import MAX_PENDING, STALL_SECONDS, play_on

MINER, POOL = Side.MINER, Side.POOL


def encoded(**message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def call(number: int | None, method: str, *params: Any) -> bytes:
    return encoded(id=number, method=method, params=list(params))


def reply(number: int, result: Any, error: Any = None) -> bytes:
    return encoded(id=number, result=result, error=error)


CONVERSATION: list[tuple[float, Side, bytes]] = [
    (0.0, MINER, call(1, "mining.subscribe", "ua")),
    (0.1, POOL, reply(1, [[["mining.notify", "s1"]], "aabb", 4])),
    (0.2, MINER, call(2, "mining.authorize", "w", "***")),
    (0.3, POOL, reply(2, True)),
    (0.3, POOL, call(None, "mining.set_difficulty", 2)),
    (0.3, POOL, call(None, "mining.notify", "j1", "x")),
    (5.0, MINER, call(3, "mining.submit", "w", "j1", "00", "t", "n")),
    (5.1, POOL, reply(3, True)),
    (9.0, POOL, call(None, "mining.notify", "j2", "y")),
]


def script(*lines: tuple[float, Side, bytes]) -> list[NumberedRecord]:
    items = [NumberedRecord(2, OpenedRecord(0.0, 1))]
    items += [NumberedRecord(n, LineRecord.of(t, 1, side, data)) for n, (t, side, data) in enumerate(lines, 3)]
    return [*items, NumberedRecord(99, ClosedRecord(lines[-1][0], 1, MINER))]


def said(play: Replay, now: float) -> list[Any]:
    return [json.loads(line) for line in play.step(now)]


def test_the_pool_s_side_with_other_ids() -> None:
    play = Replay(script(*CONVERSATION), POOL)
    assert said(play, 100.0) == []
    play.receive(call(71, "mining.subscribe", "ua"), 103.0)
    assert said(play, 103.0) == []
    assert play.next_time == pytest.approx(103.1)
    [subscribed] = said(play, 103.1)
    assert subscribed["id"] == 71
    play.receive(call("x", "mining.authorize", "w", "secret"), 103.4)  # type: ignore[arg-type]
    first, *rest = said(play, 103.5)
    assert first["id"] == "x"
    assert [each["method"] for each in rest] == ["mining.set_difficulty", "mining.notify"]
    play.receive(call(73, "mining.submit", "w", "j1", "00", "t", "n"), 104.0)
    assert said(play, 104.0) == []  # it came early: the reply has its time
    assert said(play, 108.3)[0]["id"] == 73
    assert said(play, 112.2)[0]["params"] == ["j2", "y"]
    assert play.done
    play.finish()
    assert play.differences == []


def test_what_the_miner_does_otherwise_is_told() -> None:
    play = Replay(script(*CONVERSATION), POOL, pace=0)
    play.step(0)
    play.receive(call(1, "mining.subscribe", "other"), 0)
    play.receive(call(2, "mining.authorize", "somebody", "pw"), 0)
    play.receive(call(3, "mining.ping"), 0)
    play.receive(b"nonsense", 0)
    lines = said(play, 0)
    assert {"id": 3, "result": None, "error": [20, "not in the recording", None]} in lines
    said(play, 60)
    assert play.done
    play.finish()
    assert [str(each) for each in play.differences] == [
        'line 3: mining.subscribe: recorded ["ua"], got ["other"]',
        'line 5: mining.authorize: recorded ["w"], got ["somebody"]',
        "mining.ping: not in the recording",
        "not a message: nonsense",
    ]
    assert "pw" not in str(play.differences)


def test_a_late_share_is_still_answered() -> None:
    play = Replay(script(*CONVERSATION), POOL)
    play.step(0)
    play.receive(call(1, "mining.subscribe", "ua"), 0)
    play.receive(call(2, "mining.authorize", "w", "x"), 0.2)
    assert len(said(play, 8.0)) == 4
    play.receive(call(3, "mining.submit", "w", "j1", "00", "t", "n"), 8.5)
    assert said(play, 8.5) == [{"id": 3, "result": True, "error": None}]


def share(number: int, worker: str, job: str, *rest: Any) -> bytes:
    return call(number, "mining.submit", worker, job, *rest)


RECORDED_SHARES = [
    *CONVERSATION[:6],
    (5.0, MINER, share(3, "w", "j1", "00000000", "65000000", "11111111")),
    (5.1, POOL, reply(3, True)),
    (6.0, MINER, share(4, "w", "j1", "00000000", "65000001", "22222222")),
    (6.1, POOL, reply(4, None, [21, "stale", None])),
    (7.0, POOL, call(None, "mining.notify", "j2", "y")),
]


def shaken_hands(ends_at: float = 7.5) -> Replay:
    play = Replay([*script(*RECORDED_SHARES)[:-1], NumberedRecord(99, ClosedRecord(ends_at, 1, MINER))], POOL)
    play.step(0)
    play.receive(call(1, "mining.subscribe", "ua"), 0)
    play.receive(call(2, "mining.authorize", "w", "x"), 0.2)
    assert len(said(play, 4.0)) == 4
    return play


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_same_miner_finds_other_shares_and_another_number(count: int) -> None:
    play = shaken_hands()
    for number in range(count):
        play.receive(share(10 + number, "w", "j1", "abcdef01", "65000007", f"{number:08x}"), 4.5)
    answers = [line for now in (5.2, 6.2) for line in said(play, now) if line["id"] is not None]
    assert sorted(line["id"] for line in answers) == [10 + number for number in range(count)]
    assert [line["id"] for line in answers if line["error"]] == [11] * (count >= 2)
    said(play, 9.1)
    assert play.done is (count >= 2)  # those that are missing are waited for
    said(play, 9.1 + SHARE_PATIENCE)
    assert play.done
    play.finish()
    assert play.differences == []
    assert (play.shares_recorded, play.shares_received) == (2, count)


@pytest.mark.parametrize(
    "params",
    [
        ("other", "j1", "abcdef01", "65000007", "00000000"),
        ("w", "j9", "abcdef01", "65000007", "00000000"),
        ("w", "j1", "abcdef", "65000007", "00000000"),
        ("w", "j1", "abcdef01", "65000007", "0000000g"),
        ("w", "j1", "abcdef01", "65000007", 0),
        ("w", "j1", "abcdef01", "65000007", "00000000", "00000000"),
        ("w",),
    ],
)
def test_a_share_of_another_form_is_a_difference(params: tuple[Any, ...]) -> None:
    play = shaken_hands()
    for number in range(3):
        play.receive(call(number, "mining.submit", *params), 4.5)
    assert len(play.differences) == 3
    assert all("mining.submit: recorded [" in str(each) for each in play.differences)


def test_a_miner_that_has_sent_all_its_shares_may_leave_early() -> None:
    play = shaken_hands()
    for number in range(2):
        play.receive(share(10 + number, "w", "j1", "abcdef01", "65000007", f"{number:08x}"), 4.5)
    play.disconnected()
    play.finish()
    assert play.done
    assert play.differences == []


def test_a_miner_that_leaves_before_it_has_sent_all_is_a_difference() -> None:
    play = shaken_hands(ends_at=30)
    play.receive(share(10, "w", "j1", "abcdef01", "65000007", "00000000"), 4.5)
    play.disconnected()
    assert [str(each) for each in play.differences] == [
        "the miner ended the connection; recorded lines not sent to it: 3"
    ]


def test_as_fast_as_heard() -> None:
    play = Replay(script(*CONVERSATION), POOL, pace=0)
    play.receive(call(1, "mining.subscribe", "ua"), 0)
    play.receive(call(2, "mining.authorize", "w", "x"), 0)
    assert len(said(play, 0)) == 4
    play.receive(call(3, "mining.submit", "w", "j1", "00", "t", "n"), 0)
    assert len(said(play, 0)) == 2
    assert play.done


def test_the_miner_s_side_with_the_live_pool_s_jobs() -> None:
    play = Replay(script(*CONVERSATION), MINER, pace=0, worker=("me", "pw"))
    assert [each["method"] for each in said(play, 0)] == ["mining.subscribe"]
    play.receive(reply(1, [[["mining.notify", "live"]], "ccdd", 4]), 0)
    assert said(play, 0)[0]["params"] == ["me", "pw"]
    assert play.sessions == {"s1": "live"}
    play.receive(reply(2, True), 0)
    play.receive(call(None, "mining.set_difficulty", 2), 0)
    assert said(play, 0) == []
    play.receive(call(None, "mining.notify", "J", "z"), 0)
    assert said(play, 0)[0]["params"] == ["me", "J", "00", "t", "n"]
    play.receive(reply(3, None, [23, "low difficulty share", None]), 0)
    play.receive(call(None, "mining.notify", "K", "z"), 0)
    said(play, 0)
    assert play.done
    play.finish()
    assert [str(each) for each in play.differences] == [
        "line 10: reply to mining.submit: recorded accepted, got rejected (low difficulty share)"
    ]


def test_a_pool_that_says_nothing_is_waited_for_and_told() -> None:
    play = Replay(script(*CONVERSATION), MINER, pace=0)
    now = 0.0
    for _ in range(20):
        play.step(now)
        if play.done:
            break
        assert play.next_time is not None
        now = play.next_time
    assert play.done
    assert now >= PATIENCE
    play.finish()
    assert "line 4: reply to mining.subscribe: recorded, but the pool did not send it" in map(str, play.differences)


@pytest.mark.parametrize(
    ("ends_at", "by", "differences"),
    [
        (9.5, MINER, []),
        (60.0, MINER, ["the miner ended the connection; recorded lines not sent to it: 1"]),
        (9.5, POOL, ["the miner ended the connection; recorded lines not sent to it: 1"]),
    ],
)
def test_who_leaves_and_when(ends_at: float, by: Side, differences: list[str]) -> None:
    """A little before the record's end is as good as then: the last line was still to be said, at 9."""
    play = Replay([*script(*CONVERSATION)[:-1], NumberedRecord(99, ClosedRecord(ends_at, 1, by))], POOL)
    play.step(0)
    play.receive(call(1, "mining.subscribe", "ua"), 0)
    play.receive(call(2, "mining.authorize", "w", "x"), 0.2)
    play.receive(call(3, "mining.submit", "w", "j1", "00", "t", "n"), 1)
    play.step(8.0)
    play.disconnected()
    play.finish()
    assert [str(each) for each in play.differences] == differences
    assert play.done == (not differences)


def test_ignored_methods_are_not_compared() -> None:
    play = Replay(script(*CONVERSATION), POOL, pace=0, ignore=frozenset({"mining.subscribe", "mining.submit"}))
    play.receive(call(1, "mining.subscribe", "other"), 0)
    play.receive(call(2, "mining.authorize", "w", "x"), 0)
    said(play, 100)
    play.finish()
    assert play.differences == []


LINES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([data for _, _, data in CONVERSATION]),
    st.builds(reply, st.integers(1, 3), st.none() | st.booleans() | st.lists(st.integers())),
    st.builds(
        lambda m, p: encoded(id=1, method=m, params=p),
        st.sampled_from(["mining.submit", "mining.notify", "mining.authorize", "mining.subscribe"]),
        st.none() | st.integers() | st.lists(st.none() | st.text(max_size=3) | st.lists(st.none()), max_size=3),
    ),
).map(lambda data: data.replace(b"\n", b""))


@given(
    st.lists(st.tuples(st.sampled_from(Side), LINES), min_size=1, max_size=12),
    st.lists(LINES, max_size=12),
    st.sampled_from(Side),
    st.sampled_from([0, 1]),
)
def test_whatever_was_recorded_and_is_said_it_ends(
    recorded: list[tuple[Side, bytes]], live: list[bytes], side: Side, pace: float
) -> None:
    play = Replay(script(*((float(n), who, data) for n, (who, data) in enumerate(recorded))), side, pace=pace)
    now = 0.0
    for _ in range(200):
        play.step(now)
        if play.done:
            break
        if live:
            play.receive(live.pop(), now)
        else:
            now = max(now, play.next_time or now)
    assert play.done
    play.finish()


async def test_a_whole_conversation_over_streams(autojump_clock: trio.testing.MockClock) -> None:
    """The miner's side of a record against its pool's side: as recorded."""
    one, other = trio.testing.memory_stream_pair()
    plays = [Replay(script(*CONVERSATION), side, worker=None) for side in (MINER, POOL)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(play_on, one, plays[0])
        nursery.start_soon(play_on, other, plays[1])
    assert [play.differences for play in plays] == [[], []]


def test_what_the_live_side_says_is_kept_in_few_bytes() -> None:
    play = Replay(script(*CONVERSATION), POOL)
    for number in range(MAX_DIFFERENCES + 10):
        play.receive(call(number, "x" * 10_000 + "\x1b[2J"), 0.0)
    assert len(play.differences) == MAX_DIFFERENCES
    assert max(len(difference.text) for difference in play.differences) <= SHOWN + 1
    assert all(difference.text.isprintable() for difference in play.differences)
    pending = play.pending_bytes
    play.receive(encoded(id="y" * 10_000, method="mining.ping", params=[]), 0.0)
    assert play.pending_bytes == pending, "an answer would repeat the id"


def test_a_long_id_of_a_recorded_request_is_told_and_not_kept() -> None:
    play = Replay(script(*CONVERSATION), POOL)
    play.receive(encoded(id="y" * 10_000, method="mining.subscribe", params=["ua"]), 0.0)
    [difference] = play.differences
    assert difference.text.startswith("mining.subscribe: expected an id of at most 256 bytes")


def test_a_long_script_is_said_bit_by_bit() -> None:
    play = Replay(script(*((0.0, POOL, call(None, "mining.notify", str(n))) for n in range(1000))), POOL, pace=0)
    heard = []
    while not play.done:
        some = play.step(0.0)
        assert len(some) <= LINES_PER_STEP
        heard += some
        assert play.done or play.next_time == 0.0
    assert [json.loads(line)["params"] for line in heard] == [[str(n)] for n in range(1000)]


async def test_a_live_side_that_asks_and_takes_no_answers(autojump_clock: trio.testing.MockClock) -> None:
    """It is listened to only while its answers find room, and not for ever."""
    (ours, _), (asks, far) = trio.testing.lockstep_stream_pair(), trio.testing.memory_stream_pair()
    play = Replay(script(*CONVERSATION), POOL)
    await far.send_all(b"".join(call(n, "mining.nonesuch") + b"\n" for n in range(10_000)))
    with trio.fail_after(60):
        await play_on(trio.StapledStream(ours, asks), play)
        assert trio.current_time() == STALL_SECONDS
    answer = len(b'{"id":1000,"result":null,"error":[20,"not in the recording",null]}\n')
    assert MAX_PENDING < play.received * answer < 3 * MAX_PENDING
    assert "the miner did not read for 30 s" in [difference.text for difference in play.differences]
