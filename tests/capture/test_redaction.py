"""Passwords do not get into a capture, whoever says them and however they are spelled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture.redaction import Redactor


def authorize(*params: object) -> bytes:
    return json.dumps({"id": 1, "method": "mining.authorize", "params": params}).encode()


@given(st.text(min_size=4).filter(lambda text: text not in "mining.authorize***,null,method,params,result,error,id"))
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
