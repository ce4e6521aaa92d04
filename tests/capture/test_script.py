"""A script knows which reply belongs to which request, and gives each recorded line to one live line."""

import tracemalloc

from stratum_miner.capture.record import LineRecord, NumberedRecord, Side
from stratum_miner.capture.script import Script

MINER, POOL = Side.MINER, Side.POOL


def script(*lines: tuple[Side, bytes], heard: Side) -> Script:
    return Script(
        [NumberedRecord(n, LineRecord.of(float(n), 1, side, data)) for n, (side, data) in enumerate(lines, 2)], heard
    )


def test_replies_and_requests_find_each_other() -> None:
    made = script(
        (MINER, b'{"id":1,"method":"a"}'),
        (MINER, b'{"id":2,"method":"b"}'),
        (POOL, b'{"id":1,"method":"mining.ping"}'),
        (POOL, b'{"id":2,"result":true}'),
        (POOL, b'{"id":1,"result":true}'),
        (POOL, b'{"id":9,"result":true}'),
        heard=POOL,
    )
    a, b, ping, to_b, to_a, stray = made.items
    assert (to_a.answers, to_b.answers, stray.answers) == (a, b, None)
    assert (a.answer, b.answer, ping.answer) == (to_a, to_b, None)
    assert [item.name for item in made.items][3:] == ["reply to b", "reply to a", "a reply without a request"]


def test_each_line_is_met_once() -> None:
    lines = [(POOL, b'{"id":null,"method":"n","params":[%d]}' % n) for n in range(2)]
    made = script(
        (MINER, b'{"id":1,"method":"a"}'), *lines, (POOL, b'{"id":1,"result":true}'), (POOL, b"x"), heard=POOL
    )
    assert made.not_received == 4
    met = [made.match_call("n") for _ in range(3)]
    assert [item.params if item else None for item in met] == [[0], [1], None]
    assert made.match_reply(1) is None  # nothing was asked yet
    made.items[0].done = True
    assert made.match_reply(1) is made.items[3]
    assert made.match_reply(1) is None
    assert made.match_other(b"x") is made.items[4]
    assert made.match_other(b"x") is None
    assert made.not_received == 0


def test_which_jobs_were_announced_before() -> None:
    notify = b'{"id":null,"method":"mining.notify","params":["j"]}'
    made = script((MINER, b'{"id":1,"method":"a"}'), (POOL, notify), (POOL, notify), heard=POOL)
    assert [made.announced_before("j", index) for index in range(4)] == [False, False, True, True]
    assert not made.announced_before("k", 3)


def test_lines_are_not_kept_as_what_they_say() -> None:
    """Empty arrays take thirty times their bytes."""
    wide = b'{"id":1,"method":"a","params":[' + b"[]," * 20_000 + b"[]]}"
    records = [NumberedRecord(n, LineRecord.of(float(n), 1, MINER, wide)) for n in range(2, 12)]
    tracemalloc.start()
    made = Script(records, MINER)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made.items) == 10
    assert kept < 2 * len(wide)
