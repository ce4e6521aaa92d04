"""The messages of a pool, sent and parsed."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import pool_messages as messages
from stratum_miner.stratum.envelope import Call, decode, encode_notification
from stratum_miner.stratum.errors import FieldError

UINT32 = st.integers(0, 2**32 - 1)
HASH = st.binary(min_size=32, max_size=32)
NOTIFIES = st.builds(
    messages.Notify,
    job_id=st.text(max_size=128),
    previous_hash=HASH,
    coinbase_prefix=st.binary(max_size=100).filter(lambda prefix: prefix[4:6] != b"\x00\x01"),
    coinbase_suffix=st.binary(max_size=100),
    merkle_branch=st.lists(HASH, max_size=20).map(tuple),
    version=UINT32,
    nbits=st.sampled_from([0x1D00FFFF, 0x1B0404CB, 0x1E0377AE, 0x207FFFFF, 0x17029A8A]),
    ntime=UINT32,
    clean_jobs=st.booleans(),
)
MESSAGES: st.SearchStrategy[messages.AnyPoolMessage] = st.one_of(
    NOTIFIES,
    st.builds(messages.SetDifficulty, st.floats(min_value=1e-300, max_value=1e300)),
    st.builds(messages.SetExtranonce, st.none() | st.binary(max_size=32), st.none() | st.integers(0, 32)),
    st.builds(messages.SetVersionMask, UINT32),
    st.builds(messages.SetTarget, st.integers(1, MAX_TARGET)),
    st.builds(
        messages.Reconnect,
        st.none() | st.text(min_size=1, max_size=255),
        st.none() | st.integers(1, 65535),
        st.just(0.0) | st.floats(min_value=1e-3, max_value=messages.MAX_RECONNECT_WAIT),
    ),
    st.builds(messages.ShowMessage, st.text(max_size=300).map(sanitize).map(sanitize)),
    st.just(messages.GetVersion()),
    st.just(messages.PoolPing()),
)

NOTIFY = messages.Notify("j1", bytes(range(32)), b"\x01\x00\x00\x00\x01", b"\xff", (bytes(32),), 0x20000000,
                         0x207FFFFF, 0x6B042070, True)  # fmt: skip


def changed(at: int, value: Any) -> list[Any]:
    params = NOTIFY.to_params()
    params[at] = value
    return params


@given(MESSAGES)
def test_every_message_round_trips_through_a_line(message: messages.AnyPoolMessage) -> None:
    call = decode(encode_notification(message.method, message.to_params())[:-1])
    assert isinstance(call, Call)
    parsed = messages.parse(call.method, call.params)
    if isinstance(message, messages.ShowMessage):  # its text is cut once more
        assert isinstance(parsed, messages.ShowMessage)
        assert parsed.text == sanitize(message.text)
    else:
        assert parsed == message


def test_the_table_lists_each_under_its_own_method() -> None:
    aliases = {"mining.set_version"}
    assert all(kind.method == method for method, kind in messages.POOL_MESSAGES.items() if method not in aliases)
    assert messages.parse("mining.set_goal", ["x"]) is None


@pytest.mark.parametrize("method", sorted(messages.POOL_MESSAGES))
@pytest.mark.parametrize("params", [{}, "x", 7, False])
def test_params_that_are_no_array(method: str, params: Any) -> None:
    with pytest.raises(FieldError, match=f"{method}: expected an array"):
        messages.parse(method, params)


def test_prevhash_travels_word_swapped() -> None:
    assert NOTIFY.to_params()[1] == "03020100070605040b0a09080f0e0d0c13121110171615141b1a19181f1e1d1c"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (NOTIFY.to_params()[:8], replace(NOTIFY, clean_jobs=False)),
        ([*NOTIFY.to_params(), "extra"], NOTIFY),
        (changed(8, 1), NOTIFY),
        (changed(8, 0), replace(NOTIFY, clean_jobs=False)),
        (changed(8, None), replace(NOTIFY, clean_jobs=False)),
        (changed(0, 17), replace(NOTIFY, job_id="17")),
        (changed(0, ""), replace(NOTIFY, job_id="")),
        (changed(5, "4"), replace(NOTIFY, version=4)),
        (changed(5, "0x20000000"), NOTIFY),
        (changed(6, "1D00FFFF"), replace(NOTIFY, nbits=0x1D00FFFF)),
        (changed(4, []), replace(NOTIFY, merkle_branch=())),
        (changed(4, ["00" * 32] * 32), replace(NOTIFY, merkle_branch=(bytes(32),) * 32)),
        (changed(0, "x" * 128), replace(NOTIFY, job_id="x" * 128)),
        (changed(3, "ab" * (65536 - 5)), replace(NOTIFY, coinbase_suffix=b"\xab" * (65536 - 5))),
        (changed(3, "ab" * 10_000), replace(NOTIFY, coinbase_suffix=b"\xab" * 10_000)),
    ],
)
def test_notify_as_pools_vary_it(params: list[Any], expected: messages.Notify) -> None:
    assert messages.parse("mining.notify", params) == expected


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, None, "job id: expected a string"),
        (3, "ab" * (65536 - 4), "coinbase: expected at most 65536 bytes, got 65537"),
        (0, True, "job id: expected a string"),
        (0, 1.5, "job id: expected a string"),
        (0, "x" * 129, "job id: expected at most 128"),
        (0, 10**200, "job id: expected at most 128"),
        (1, "00" * 31, "prevhash: expected 64 hex digits, got 62"),
        (1, None, "prevhash: expected a hex string"),
        (2, "0", "coinb1: expected a hex string"),
        (2, "020000000001", "coinb1: expected the serialization without witness"),
        (3, 7, "coinb2: expected a hex string"),
        (4, None, "merkle branch: expected an array"),
        (4, "00" * 32, "merkle branch: expected an array"),
        (4, ["00" * 31], "merkle branch: expected 64 hex digits"),
        (4, [None], "merkle branch: expected a hex string"),
        (4, ["00" * 32] * 33, "merkle branch: expected 0 to 32"),
        (5, 0x20000000, "version: expected up to 8 hex digits"),
        (5, "", "version: expected up to 8 hex digits"),
        (6, "00000000", "nbits"),
        (6, "1d80ffff", "nbits"),
        (6, "ff7fffff", "nbits"),
        (7, "123456789", "ntime: expected up to 8 hex digits"),
        (8, "true", "clean_jobs: expected true or false"),
        (8, 2, "clean_jobs: expected true or false"),
        (8, [], "clean_jobs: expected true or false"),
    ],
)
def test_malformed_notify(at: int, value: Any, message: str) -> None:
    with pytest.raises(FieldError, match=rf"mining\.notify {message}"):
        messages.parse("mining.notify", changed(at, value))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_notify_with_too_few_params(count: int) -> None:
    with pytest.raises(FieldError, match=rf"mining\.notify: expected 8 or more params, got {count}"):
        messages.parse("mining.notify", NOTIFY.to_params()[:count])


@pytest.mark.parametrize("value", [1024, 1024.0, "1024", "1024.0", "1.024e3"])
def test_set_difficulty_forms(value: Any) -> None:
    assert messages.parse("mining.set_difficulty", [value]) == messages.SetDifficulty(1024.0)


@pytest.mark.parametrize("value", [0, -1, None, True, "", "nan", [], {}, 10**400])
def test_malformed_set_difficulty(value: Any) -> None:
    with pytest.raises(FieldError, match=r"mining\.set_difficulty: expected a positive"):
        messages.parse("mining.set_difficulty", [value])


@pytest.mark.parametrize("value", [1, 1.0])
def test_set_difficulty_prints_an_integer_where_it_is_one(value: float) -> None:
    assert repr(messages.SetDifficulty(value).to_params()) == "[1]"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([], messages.SetExtranonce(None, None)),
        (None, messages.SetExtranonce(None, None)),
        (["aabb"], messages.SetExtranonce(b"\xaa\xbb", None)),
        (["aabb", None], messages.SetExtranonce(b"\xaa\xbb", None)),
        ([None, 3], messages.SetExtranonce(None, 3)),
        (["aa" * 9, "3"], messages.SetExtranonce(b"\xaa" * 9, 3)),
        (["", 0], messages.SetExtranonce(b"", 0)),
    ],
)
def test_set_extranonce_forms(params: Any, expected: messages.SetExtranonce) -> None:
    assert messages.parse("mining.set_extranonce", params) == expected


@pytest.mark.parametrize("params", [["a"], [7], ["aa" * 33], ["aa", 33], ["aa", -1], ["aa", "x"], ["aa", True]])
def test_malformed_set_extranonce(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.set_extranonce .*expected"):
        messages.parse("mining.set_extranonce", params)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, messages.Reconnect()),
        ([], messages.Reconnect()),
        (["pool.example"], messages.Reconnect("pool.example")),
        (["pool.example", 3334], messages.Reconnect("pool.example", 3334)),
        (["pool.example", "3334", 0], messages.Reconnect("pool.example", 3334)),
        (["", "", ""], messages.Reconnect()),
        ([None, None, None], messages.Reconnect()),
        (["", 0, 0.0], messages.Reconnect()),
        (["", "0", "0"], messages.Reconnect()),
        (["", 3334, "5"], messages.Reconnect(None, 3334, 5.0)),
        ([None, None, 86400], messages.Reconnect(None, None, 300.0)),
        (["h", 1, 2.5, "more"], messages.Reconnect("h", 1, 2.5)),
        (["x" * 255, 65535, 300], messages.Reconnect("x" * 255, 65535, 300.0)),
        (["h", 1, "0.0"], messages.Reconnect("h", 1)),
        (["h", 1, 1e-9], messages.Reconnect("h", 1, 1e-9)),
        (["h", 1, 10**400], messages.Reconnect("h", 1, 300.0)),
    ],
)
def test_reconnect_forms(params: Any, expected: messages.Reconnect) -> None:
    assert messages.parse("client.reconnect", params) == expected


@pytest.mark.parametrize("params", [[7], ["x" * 256], ["h", 65536], ["h", -1], ["h", "x"]])
def test_malformed_reconnect(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"client\.reconnect .*expected"):
        messages.parse("client.reconnect", params)


@pytest.mark.parametrize("wait", [-1, -0.5, "-1", "soon", True, [], {}, -(10**400), math.nan, "1e", "nan"])
def test_a_bad_wait_does_not_drop_a_reconnect(wait: Any) -> None:
    reconnect = messages.parse("client.reconnect", ["pool.example", 3334, wait])
    assert isinstance(reconnect, messages.Reconnect)
    assert (reconnect.host, reconnect.port, reconnect.wait) == ("pool.example", 3334, 0.0)
    assert reconnect.bad_wait.startswith("client.reconnect wait: expected a number of seconds, 0 or more, got ")


@pytest.mark.parametrize("method", ["mining.set_version_mask", "mining.set_version"])
@pytest.mark.parametrize(("value", "mask"), [("1fffe000", 0x1FFFE000), ("0", 0), ("E000", 0xE000)])
def test_set_version_mask_forms(method: str, value: str, mask: int) -> None:
    assert messages.parse(method, [value]) == messages.SetVersionMask(mask)


@pytest.mark.parametrize("params", [[], [None], [0x1FFFE000], ["1fffe00000"]])
def test_malformed_set_version_mask(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.set_version_mask: expected"):
        messages.parse("mining.set_version_mask", params)


@pytest.mark.parametrize("params", [[], ["00" * 32], ["ff" * 31], [1]])
def test_malformed_set_target(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.set_target: expected"):
        messages.parse("mining.set_target", params)


def test_show_message_is_made_printable() -> None:
    assert messages.parse("client.show_message", ["\x1b[2Jhello\nworld"]) == messages.ShowMessage("�[2Jhello�world")
    with pytest.raises(FieldError, match=r"client\.show_message: expected a string"):
        messages.parse("client.show_message", [7])


def test_the_longest_message_to_the_user_is_cut() -> None:
    shown = messages.parse("client.show_message", ["x" * 65536])
    assert shown == messages.ShowMessage("x" * 200 + "…")
    with pytest.raises(FieldError, match="expected at most 65536 characters, got 65537"):
        messages.parse("client.show_message", ["x" * 65537])


def test_a_captured_notify_is_printed_as_it_came(vector: dict[str, Any]) -> None:
    notify = messages.parse("mining.notify", vector["notify_params"])
    assert isinstance(notify, messages.Notify)
    assert notify.to_params() == vector["notify_params"]
