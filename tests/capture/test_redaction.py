"""Passwords do not get into a capture, whoever says them and however they are spelled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture.redaction import HIDDEN, LONGEST, MAX_REMEMBERED, Redactor


def authorize(*params: object) -> bytes:
    return json.dumps({"id": 1, "method": "mining.authorize", "params": params}).encode()


_NOT_SECRET = "mining.authorize***,null,method,params,result,error,id"


@given(st.text(min_size=4, max_size=LONGEST - 1).filter(lambda text: text not in _NOT_SECRET))
def test_a_password_and_its_echo_become_stars(secret: str) -> None:
    redactor = Redactor()
    line = json.loads(redactor.redact(authorize("wörker", secret)))
    assert line["params"][1:] == ["***"]
    for ascii_only in (True, False):
        echo = json.dumps({"id": 1, "error": [20, "bad", f"<{secret}>"]}, ensure_ascii=ascii_only)
        if ascii_only or secret.isprintable():
            shown = redactor.redact(echo.encode("utf-8", "surrogatepass"))
            assert b"<***>" in shown


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"method":"mining.authorize","params":["worker","hunter2"',
        b'{"id":1,"method":"mining.auth\\u006frize","params":["worker","hunter2"]}',
        b'{"id":1,"method":"mining.authorize","params":{"user":"worker","pass":"hunter2"}}',
        b'{"id":1,"method":"mining.authorize","params":["worker","d=5","hunter2"]}',
        b'["mining.authorize","hunter2"]',
    ],
)
def test_in_every_shape(line: bytes) -> None:
    assert b"hunter2" not in Redactor().redact(line)


def test_the_rest_stays_as_it_is() -> None:
    redactor = Redactor()
    redactor.redact(authorize("worker", "x"))
    for line in (b'{"id": 1,  "method":"mining.submit","params":["worker","x"]}', b"\xff\xfe", b"", b"{"):
        assert redactor.redact(line) == line


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1, 500_000])
def test_long_passwords_are_hidden_whole(length: int) -> None:
    """None takes long either: half a megabyte would, as a regular expression."""
    redactor = Redactor()
    secret = ("aé" * length)[:length]
    assert b"***" in redactor.redact(authorize("worker", secret))
    assert b"aaa" not in redactor.redact(authorize("worker", secret))
    for ascii_only in (True, False):
        echo = json.dumps({"id": 1, "error": [20, f"bad {secret}", None]}, ensure_ascii=ascii_only).encode()
        shown = redactor.redact(echo)
        assert shown == HIDDEN if length >= LONGEST else b"a" not in shown.partition(b"bad ")[2]


def test_lines_nested_to_any_depth_are_no_trouble() -> None:
    """Around some depth a line can still be read, but not be written again."""
    for depth in range(20, 1100):
        nested = b"[" * depth + b"]" * depth
        for line in (
            b'{"id":1,"method":"mining.authorize","params":["worker","hunter2",' + nested + b"]}",
            b'{"id":1,"method":"mining.authorize","x":' + nested + b',"params":["worker","hunter2"]}',
            b'{"id":1,"result":' + nested + b"}",
        ):
            assert b"hunter2" not in Redactor().redact(line)


def test_so_many_passwords_are_looked_for() -> None:
    redactor = Redactor()
    for number in range(MAX_REMEMBERED + 20):
        redactor.redact(authorize("worker", f"secret-{number:03}"))
    echoes = [redactor.redact(b'{"id":1,"error":"secret-%03d"}' % number) for number in range(MAX_REMEMBERED + 20)]
    assert [b"***" in echo for echo in echoes] == [True] * MAX_REMEMBERED + [False] * 20
