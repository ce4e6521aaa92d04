"""A connection to a pool that may send anything: its messages are kept, and none of them raises an exception."""

import json
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.conformance import connection as wire_module
from stratum_miner.conformance.coinbase import Coinbase, CoinbaseError
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import is_positive, parse_line
from stratum_miner.conformance.outcome import Silent, UnexpectedDisconnect
from stratum_miner.conformance.transcript import CheckTranscript
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.testing.manual_pool import REGTEST_JOB
from tests.work.jobs import body_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "00", "1fffe000", "ff" * 40, "mining.notify", 0, 1, 4, 33, -1, [], {}])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
METHODS = st.sampled_from(
    [
        "mining.notify",
        "mining.set_difficulty",
        "mining.set_extranonce",
        "mining.set_version_mask",
        "client.reconnect",
        "x",
    ]
)
CALLS = st.fixed_dictionaries({"id": JSON, "method": METHODS, "params": JSON})
REPLIES = st.fixed_dictionaries({"id": JSON | st.integers(0, 4), "result": JSON, "error": JSON})


def wire_of(stream: trio.abc.Stream) -> ProbeConnection:
    return ProbeConnection(stream, 1, CheckTranscript(), trio.current_time())


async def _feed(data: bytes, size: int) -> ProbeConnection:
    ours, _ = trio.testing.memory_stream_pair()
    connection = wire_of(ours)
    for method in ("mining.configure", "mining.subscribe", "mining.submit"):
        connection.compose(method)
    for start in range(0, len(data), size):
        connection.receive(data[start : start + size])
    return connection


@given(st.lists(CALLS | REPLIES | st.binary(max_size=40), max_size=6), st.integers(1, 200))
def test_nothing_that_a_pool_says_raises(messages: list[Any], size: int) -> None:
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages]
    connection = trio.run(_feed, b"\n".join(lines) + b"\n", size)
    assert len(connection.lines) == (b"\n".join(lines) + b"\n").count(b"\n")
    for line in connection.lines:
        str(line)
    for answers in connection.answers.values():
        for answer in answers:
            assert answer.accepted or answer.refused or answer.result is not None
            str(answer)
            assert answer.error.reason in ErrorReason


@given(st.integers(1, 30))
def test_a_session_is_understood_in_any_pieces(size: int) -> None:
    messages: list[dict[str, Any]] = [
        {"id": 1, "result": {"version-rolling": True, "version-rolling.mask": "1fffe000"}, "error": None},
        {"id": None, "method": "mining.notify", "params": list(REGTEST_JOB)},
        {"id": 2, "result": [[["mining.notify", "s1"]], "a1b2c3d4", 4], "error": None},
        {"id": None, "method": "mining.set_difficulty", "params": [0.5]},
        {"id": None, "method": "mining.set_extranonce", "params": ["0badcafe", 3]},
        {"id": None, "method": "mining.notify", "params": ["2", *REGTEST_JOB[1:8], False]},
        {"id": None, "method": "mining.set_version_mask", "params": ["00ffe000"]},
    ]
    data = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    connection = trio.run(_feed, data, size)
    first, second = connection.jobs
    assert (body_of(first).extranonce1.hex(), first.extranonce2_size, first.share_difficulty) == ("a1b2c3d4", 4, 1.0)
    assert (body_of(second).extranonce1.hex(), second.extranonce2_size, second.share_difficulty) == ("0badcafe", 3, 0.5)
    assert {job.version_mask for job in connection.jobs} == {0x00FFE000}, "a mask counts at once"
    assert connection.session_id == "s1"
    assert not connection.is_stale(first)
    messages.append({"id": None, "method": "mining.notify", "params": list(REGTEST_JOB)})
    connection = trio.run(_feed, b"".join(json.dumps(message).encode() + b"\n" for message in messages), size)
    assert [connection.is_stale(job) for job in connection.jobs] == [True, True, False], "a clean job voids the others"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"hello", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": 1}', ""),
    ],
)
def test_lines_are_read_strictly(data: bytes, problem: str) -> None:
    line = parse_line(0.0, data)
    assert problem in line.problem
    assert bool(line.problem) == bool(problem)


async def test_silence_and_a_close_are_told_apart(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    connection = wire_of(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.read)
        with pytest.raises(
            Silent, match=r"the pool did not reply to mining\.subscribe \(id 1 on connection #1\) within 10 s"
        ):
            await connection.call("mining.subscribe")
        await theirs.send_all(b'{"id": 1, "result": 5}\n{"half')
        assert (await connection.wait_for_reply(1)).result == 5
        await theirs.aclose()
        with pytest.raises(UnexpectedDisconnect, match="the pool closed the connection"):
            await connection.call("mining.authorize")
    assert connection.lines[-1].problem == "the connection ended inside this line"


def test_numbers() -> None:
    assert is_positive(1)
    assert is_positive(1e-300)
    assert not any(map(is_positive, (0, -1, True, "1", None, float("inf"), float("nan"), 10**400)))


GOOD = bytes.fromhex(REGTEST_JOB[2] + "a1b2c3d4" + "00000000" + REGTEST_JOB[3])


def test_a_coinbase_is_taken_apart() -> None:
    coinbase = Coinbase.parse(GOOD)
    assert (coinbase.version, coinbase.size, len(coinbase.outputs)) == (2, len(GOOD), 2)
    assert len(coinbase.script) == 28
    assert len(coinbase.commitments) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GOOD + b"\x00", "is followed by 1 more bytes"),
        (GOOD[:4] + b"\x00\x01" + GOOD[4:], "witness"),
        (GOOD[:4] + b"\x02" + GOOD[5:41] + b"\x00" + bytes(4) + GOOD[5:], "has 2 inputs, expected one"),
        (GOOD[:5] + b"\x01" + GOOD[6:], "not null"),
    ],
)
def test_what_is_no_coinbase(data: bytes, words: str) -> None:
    with pytest.raises(CoinbaseError, match=words):
        Coinbase.parse(data)


@given(st.integers(0, len(GOOD) - 1))
def test_a_coinbase_cut_anywhere(end: int) -> None:
    with pytest.raises(CoinbaseError):
        Coinbase.parse(GOOD[:end])


@given(st.binary(max_size=120))
def test_any_bytes_as_a_coinbase(data: bytes) -> None:
    with suppress(CoinbaseError):
        Coinbase.parse(GOOD[:42] + data)


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        (b'{"id":null,"method":"client.show_message","params":["' + b"x" * 4000 + b'"]}\n', "the pool sent more than"),
        (b"x" * 4000, "a line of the pool exceeds"),
    ],
)
async def test_a_pool_that_talks_without_end_is_left(line: bytes, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "MAX_RECEIVED", 1 << 20)
    monkeypatch.setattr(wire_module, "MAX_BUFFER", 1 << 19)
    ours, theirs = trio.testing.memory_stream_pair()
    connection = ProbeConnection(ours, 1, CheckTranscript(), 0.0)

    async def relayed() -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while True:
                await theirs.send_all(line * 20)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(relayed)
        await connection.read()
        nursery.cancel_scope.cancel()
    assert ending in connection.ending
    assert connection.bytes_received < (1 << 20) + 200_000
