"""Tests requests as tools write them, and replies as tools read them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.foreign_text import sanitize
from stratum_miner.monitoring.cgminer.dialect import (
    INVALID_COMMAND,
    INVALID_JSON,
    MISSING_COMMAND,
    BadRequest,
    CommandReply,
    Fixed,
    Request,
    Status,
    encode,
    parse,
    refuse,
)

ROW = {"Elapsed": 12, "MHS av": 1.5, "User": "a,b=c|d\\e", "LP": True}
SUMMARY = CommandReply(Status("S", 11, "Summary"), "SUMMARY", [ROW])
POOLS = CommandReply(
    Status("S", 7, "2 Pool(s)"), "POOLS", [{"POOL": 0, "URL": "x"}, {"POOL": 1, "URL": "y"}], is_table=True
)


@pytest.mark.parametrize(
    ("data", "request_"),
    [
        (b'{"command":"summary"}', Request(("summary",))),
        (b'{"command": "pools", "parameter": ""}', Request(("pools",))),
        (b'{"command":"switchpool","parameter":"1"}', Request(("switchpool",), "1")),
        (b'{"command":"switchpool","parameter":1}', Request(("switchpool",), "1")),
        (b'{"command":"check","parameter":null}', Request(("check",))),
        (b"summary", Request(("summary",), is_json=False)),
        (b"summary\n", Request(("summary",), is_json=False)),
        (b"switchpool|1\0", Request(("switchpool",), "1", is_json=False)),
        (b"addpool|h:1,u,p|q", Request(("addpool",), "h:1,u,p|q", is_json=False)),
        (b'{"command":"summary+pools+summary++"}', Request(("summary", "pools"), joined=True)),
        (b"summary+pools|x", Request(("summary", "pools"), "", False, True)),
        (b"", Request(("",), is_json=False)),
    ],
)
def test_requests(data: bytes, request_: Request) -> None:
    assert parse(data) == request_


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"{", INVALID_JSON),
        (b'{"command":"summary"', INVALID_JSON),
        (b"{}", MISSING_COMMAND),
        (b'{"comand":"summary"}', MISSING_COMMAND),
        (b'{"command":7}', INVALID_COMMAND),
        (b'{"command":' + b"[" * 4000, INVALID_JSON),
        (b'{"command":"+"}', INVALID_COMMAND),
        (b'{"command":"+++"}', INVALID_COMMAND),
    ],
)
def test_what_is_no_request(data: bytes, status: Status) -> None:
    with pytest.raises(BadRequest) as bad:
        parse(data)
    assert bad.value.status == status
    answer = refuse(bad.value, when=7, description="d")
    assert answer.endswith(b"\0")
    severity, code = {INVALID_JSON: ("E", 23), MISSING_COMMAND: ("E", 24), INVALID_COMMAND: ("E", 14)}[status]
    found = json.loads(answer[:-1])["STATUS"][0]
    assert (found["STATUS"], found["Code"], found["Msg"], found["When"]) == (severity, code, status.text, 7)
    assert ("Description" in json.loads(answer[:-1])["STATUS"][0]) == (status is not INVALID_COMMAND)


def test_json_is_one_line_ended_by_a_nul() -> None:
    answer = encode(parse(b'{"command":"summary"}'), [SUMMARY], when=7, description="stratum_miner 1")
    assert answer.count(b"\0") == 1
    assert b"\n" not in answer
    assert json.loads(answer[:-1]) == {
        "STATUS": [{"STATUS": "S", "When": 7, "Code": 11, "Msg": "Summary", "Description": "stratum_miner 1"}],
        "SUMMARY": [ROW],
        "id": 1,
    }


def test_plain_text_escapes_what_separates() -> None:
    answer = encode(parse(b"summary"), [SUMMARY], when=7, description="d")
    assert answer == (
        b"STATUS=S,When=7,Code=11,Msg=Summary,Description=d|"
        b"SUMMARY,Elapsed=12,MHS av=1.5,User=a\\,b\\=c\\|d\\\\e,LP=true|\0"
    )
    table = encode(parse(b"pools"), [POOLS], when=7, description="d")
    assert table.endswith(b"|POOL=0,URL=x|POOL=1,URL=y|\0")


def test_joined_replies_stand_under_their_commands() -> None:
    answer = json.loads(encode(parse(b'{"command":"summary+pools"}'), [SUMMARY, POOLS], when=7, description="d")[:-1])
    assert list(answer) == ["summary", "pools", "id"]
    assert answer["summary"][0]["SUMMARY"][0]["Elapsed"] == 12
    assert answer["pools"][0]["POOLS"][1] == {"POOL": 1, "URL": "y"}
    assert answer["pools"][0]["id"] == 1
    text = encode(parse(b"summary+pools"), [SUMMARY, POOLS], when=7, description="d").decode()
    assert text.startswith("CMD=summary|STATUS=S")
    assert "|CMD=pools|STATUS=S" in text


def test_a_number_that_is_none_is_told_as_zero() -> None:
    """With NaN or infinity, a JSON parser would refuse the whole reply."""
    row = CommandReply(Status("S", 1, "x"), "A", [{"a": math.nan, "b": Fixed(math.inf, 2), "c": -math.inf}])
    answer = encode(Request(("a",)), [row], when=0, description="d")
    assert json.loads(answer[:-1], parse_constant=pytest.fail)["A"] == [{"a": 0, "b": 0, "c": 0}]
    assert b"A,a=0.0,b=0.00,c=0.0|" in encode(Request(("a",), is_json=False), [row], when=0, description="d")


WORDS = st.lists(
    st.sampled_from(["summary", "+", "|", "id", "\0", "\n", "\ud800", '"', "\\", ""]) | st.text(max_size=5)
)


@given(
    st.binary(max_size=300)
    | WORDS.map(lambda words: json.dumps({"command": "".join(words), "parameter": words}).encode())
    | WORDS.map(lambda words: "".join(words).encode("utf-8", "surrogatepass"))
)
def test_nothing_that_comes_breaks_it(data: bytes) -> None:
    try:
        request = parse(data)
        answer = encode(request, [SUMMARY] * len(request.commands), when=0, description="d")
        is_json = request.is_json
    except BadRequest as bad:
        answer = refuse(bad, when=0, description="d")
        is_json = bad.is_json
    assert answer.endswith(b"\0")
    assert answer.count(b"\0") == 1
    assert len(answer) > 20
    if is_json:
        assert isinstance(json.loads(answer[:-1]), dict)


@given(st.text(max_size=50))
def test_what_is_escaped_can_be_read_back(text: str) -> None:
    row = CommandReply(Status("S", 1, "x"), "A", [{"User": text}])
    plain = encode(Request(("a",), is_json=False), [row], when=0, description="d").decode("utf-8", "surrogatepass")
    value, escaped = "", False
    for character in plain[plain.index("User=") + 5 :]:
        if escaped or character not in "\\|":
            value, escaped = value + character, False
        elif character == "\\":
            escaped = True
        else:
            break
    assert value == sanitize(text)
