"""Lines parsed into envelopes, and envelopes encoded as lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum.envelope import (
    Call,
    Reply,
    decode,
    encode_notification,
    encode_reply,
    encode_request,
)
from stratum_miner.stratum.errors import FieldError, LocalProtocolError

SCALARS = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.text(), st.lists(JSON, max_size=4))
def test_a_call_round_trips(identifier: Any, method: str, params: list[Any]) -> None:
    line = json.dumps({"id": identifier, "method": method, "params": params}).encode()
    assert decode(line) == Call(method, params, identifier, has_id=True)


@given(JSON, JSON, JSON)
def test_a_reply_echoes_any_id(identifier: Any, result: Any, error: Any) -> None:
    line = encode_reply(identifier, result, error)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == Reply(identifier, result, error, None)


def test_requests_and_notifications_have_the_classic_shape() -> None:
    assert encode_request(7, "m", ["a"]) == b'{"id":7,"method":"m","params":["a"]}\n'
    assert encode_notification("m", [1]) == b'{"id":null,"method":"m","params":[1]}\n'
    assert encode_reply("auth", True) == b'{"id":"auth","result":true,"error":null}\n'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id":1,"method":"m","params":[]}', Call("m", [], 1, True)),
        (b' {"params":[1],"x":{"y":[]},"method":"m","jsonrpc":"2.0","id":"a"} \r', Call("m", [1], "a", True)),
        (b'{"method":"m"}', Call("m", [], None, False)),
        (b'{"id":null,"method":"m","params":null}', Call("m", None, None, True)),
        (b'{"id":4,"method":"m","params":[],"result":true}', Call("m", [], 4, True)),
        (b'{"id":1,"result":true}', Reply(1, True, None, None)),
        (b'{"id":1,"error":"-3:method not found"}', Reply(1, None, "-3:method not found", None)),
        (b'{"id":7,"result":false,"error":null,"reject-reason":"Stale"}', Reply(7, False, None, "Stale")),
        (b'{"id":1,"id":2,"result":true}', Reply(2, True, None, None)),
        (b"{}", Reply(None, None, None, None)),
    ],
)
def test_shapes(line: bytes, expected: Call | Reply) -> None:
    assert decode(line) == expected


def test_only_a_call_with_an_id_that_is_not_null_wants_a_reply() -> None:
    assert Call("m", [], 0, True).wants_reply
    assert not Call("m", [], None, True).wants_reply
    assert not Call("m", [], None, False).wants_reply


@pytest.mark.parametrize(
    "line",
    [
        b"", b"[]", b"null", b"1", b'"x"', b"true", b"{", b'{"id":1', b"{ id: null, result: [], error: true }",
        b"Invalid JSON, disconnecting", b'{"id":1}{"id":2}', b'{"id":1} junk', b'{"method":"\xff"}',
        b'{"method":"\\ud800"}', b"\x00", b"\xef\xbb\xbf{}", b'{"id":1e999}', b'{"id":' + b"9" * 5000 + b"}",
        b'{"id":NaN,"method":"m"}', b'{"method":1}', b'{"method":null}', b'{"method":["m"]}',
        b'{"id":1,"params":[]}', b'{"params":null}',
    ],
)  # fmt: skip
def test_malformed_lines(line: bytes) -> None:
    with pytest.raises(FieldError, match="expected") as caught:
        decode(line)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_is_bounded_exactly(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(levels: int) -> bytes:
        inside = levels - 1  # the envelope is one
        return b'{"id":' + opening * inside + (b"1" if opening != b"[" else b"") + closing * inside + b"}"

    reply = decode(nested(32))
    assert isinstance(reply, Reply)
    assert decode(encode_reply(reply.id, None)[:-1]) == Reply(reply.id, None, None, None)
    for levels in (33, 900, 999, 1000, 100_000):
        with pytest.raises(FieldError, match="nested deeper than 32 levels"):
            decode(nested(levels))


def test_one_bracket_more_than_levels_may_be_32_deep() -> None:
    deep: Any = []
    for _ in range(29):
        deep = [deep]
    line = json.dumps({"id": 1, "result": [deep, [], []]}).encode()
    assert line.count(b"[") == 33
    assert isinstance(decode(line), Reply)


def test_brackets_in_strings_and_side_by_side_are_no_nesting() -> None:
    text = "[{" * 500 + '"\\' + "[" * 500
    assert decode(json.dumps({"id": text, "result": [[]] * 500}).encode()) == Reply(text, [[]] * 500, None, None)


@pytest.mark.parametrize("filler", [b'\\"', b'"[', b'"', b"\\", b"[]", b'"\\'])
def test_the_search_for_nesting_takes_linear_time(filler: bytes) -> None:
    """With quadratic time, this test would take hours and exceed its time limit."""
    line = b'{"id":"' + b"[" * 40 + filler * (1_000_000 // len(filler))
    with pytest.raises(FieldError):
        decode(line)


@pytest.mark.parametrize("container", [b"[]", b"{}", b'{"[":"]["}'])
def test_arrays_and_objects_are_counted_exactly(container: bytes) -> None:
    def line(count: int) -> bytes:
        return b'{"id":1,"result":[' + b",".join([container] * (count - 2)) + b"]}"  # the envelope and the result

    assert isinstance(decode(line(1024)), Reply)
    with pytest.raises(FieldError, match="more than 1024 arrays and objects"):
        decode(line(1025))


@given(st.lists(JSON, max_size=30), st.integers(0, 3))
def test_only_what_is_too_deep_or_too_much_is_refused(values: list[Any], spread: int) -> None:
    """Strings with quotes, backslashes and brackets do not count as nesting."""
    tricky = ['[{"\\', "[" * 40, '"', "\\", '"[', "{}"] * spread
    parsed = {"id": 1, "result": [[values], *tricky, *values, dict.fromkeys(tricky, values)]}
    line = json.dumps(parsed).encode()
    if _depth(parsed) <= 32 and _containers(parsed) <= 1024:
        assert isinstance(decode(line), Reply)
    else:
        with pytest.raises(FieldError, match="nested deeper"):
            decode(line)


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _depth(value: Any) -> int:
    return isinstance(value, dict | list) and 1 + max(map(_depth, _inside(value)), default=0)


def _containers(value: Any) -> int:
    return isinstance(value, dict | list) and 1 + sum(map(_containers, _inside(value)))


@pytest.mark.parametrize("text", ["[", "", "[]", "]["])
def test_any_number_of_strings_may_hold_brackets(text: str) -> None:
    result = [[text] * 20_000, "[" * 100, *[[text]] * 20]
    assert decode(json.dumps({"id": 1, "result": result}).encode()) == Reply(1, result, None, None)


@pytest.mark.parametrize("before", ["", "1" * 500, '"' + "2" * 500 + '\\"', "\\"])
def test_digits_in_a_row_are_counted_outside_of_strings_only(before: str) -> None:
    text = json.dumps(before).encode()
    fine, long = b"1" * 400, b"1" * 401
    assert decode(b'{"id":%b,"result":[%b,"%b"]}' % (text, fine, long)) == Reply(
        before, [int(fine), long.decode()], None, None
    )
    for number in (long, b"0." + long, b"1e" + long, b"9" * 100_000):
        with pytest.raises(FieldError, match="a number of more than 400 digits"):
            decode(b'{"id":%b,"result":[%b]}' % (text, number))


def test_digits_at_the_very_start_are_counted() -> None:
    with pytest.raises(FieldError, match="a number of more than 400 digits"):
        decode(b"1" * 401)


def test_an_unusable_line_is_shown_by_its_first_120_characters() -> None:
    with pytest.raises(FieldError, match=f"got '{'x' * 120}…'"):
        decode(b"x" * 121)
    with pytest.raises(FieldError, match=f"got '{'x' * 120}' "):
        decode(b"x" * 120)


def test_a_password_never_reaches_an_error_message() -> None:
    with pytest.raises(FieldError) as caught:
        decode(b'{"id":2,"method":"mining.authorize","params":["user","hunter2"')
    assert "hunter2" not in str(caught.value)


def test_text_that_is_no_unicode_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="m: expected text that is valid Unicode"):
        encode_request(1, "m", ["\udcff"])
