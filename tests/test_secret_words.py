"""Secrets in text: found in every spelling where others wrote it, and never in what is ours by chance."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.foreign_text import sanitize
from stratum_miner.secret_words import HIDDEN, SHORTEST, Hider, hider

PASSWORD = 'hünter"2\\fish'


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        repr(PASSWORD),
        repr(json.dumps(PASSWORD)),
        quote(PASSWORD),
        f"X{PASSWORD}X",
    ],
)
@pytest.mark.parametrize("ours", [False, True])
def test_every_spelling_of_a_secret_is_hidden(said: str, ours: bool) -> None:
    hidden = Hider([PASSWORD], own_text=ours).hide(f"20: bad password {said}")
    assert "fish" not in hidden
    assert hidden.startswith("20: bad password ")


def test_the_spelling_that_is_shown_is_hidden_too() -> None:
    secret = "no\u00a0break\u202e"
    assert hider(secret).hide(sanitize(f"it was {secret}")) == "it was ***"


@pytest.mark.parametrize(
    ("secret", "text", "hidden"),
    [
        ("mining", "the password mining is wrong", "the password *** is wrong"),
        ("mining", "mining: no such user", "***: no such user"),
        ("mining", '"\\nmining"', '"\\n***"'),
        ("mining", "\\u00e4mining", "\\u00e4***"),
        ("mining", "determining", "determining"),
        ("1234", "job 1234, nonce a12345", "job ***, nonce a12345"),
        ("pool", "a pool of carpool", "a *** of carpool"),
        ("connection", "connections", "***s"),  # long enough that others have it on purpose
        ("x", "x", "x"),
    ],
)
def test_words_of_others(secret: str, text: str, hidden: str) -> None:
    assert hider(secret).hide(text) == hidden


@pytest.mark.parametrize(
    ("secret", "text", "hidden"),
    [
        ("hunter2", "bad password 'hunter2'", "bad password '***'"),
        ("hunter2", "http://u:hunter2@h:1/", "http://u:***@h:1/"),
        ("hunter2", "password=hunter2.", "password=***."),
        ("hunter2", "/home/hunter2/mine.toml", "/home/hunter2/mine.toml"),
        ("hunter2", "hunter2.example, hunter2-rig, hunter2_1", "hunter2.example, hunter2-rig, hunter2_1"),
        ("a-long-secret", "/home/a-long-secret/x", "/home/***/x"),
    ],
)
def test_words_of_ours(secret: str, text: str, hidden: str) -> None:
    assert Hider([secret], own_text=True).hide(text) == hidden


def test_the_beginning_of_a_secret_where_a_text_was_cut() -> None:
    secret = "correct-horse-battery"
    for size in range(len(secret)):
        shown = hider(secret).hide(sanitize(f"it was {secret}", len("it was ") + size))
        assert all(secret[:length] not in shown for length in range(SHORTEST, len(secret) + 1)), shown
        assert shown.endswith("…")


@pytest.mark.parametrize(
    ("secret", "line", "hidden"),
    [
        ("mining", b'{"method":"mining.notify","params":["mining"]}', b'{"method":"mining.notify","params":["***"]}'),
        ("error", b'{"id":1,"error":[20,"error in error",null]}', b'{"id":1,"error":[20,"*** in ***",null]}'),
        ("params", b'{"params":{"params":["params"]}}', b'{"params":{"params":["***"]}}'),
        ("mining", b'{"id" : "mining" , "method" : "mining"}', b'{"id" : "***" , "method" : "mining"}'),
        ("mining", b"no JSON, mining", b"no JSON, ***"),
        ("s3cret-s3cret", b'{"method":"s3cret-s3cret","s3cret-s3cret":1}', b'{"method":"***","***":1}'),
        ("mining", b'{"a":"\xff mining"}', b'{"a":"\xff ***"}'),
        ("1234", b'{"id":1234,"params":["1234","x1234"]}', b'{"id":1234,"params":["***","x1234"]}'),
    ],
)
def test_a_line_of_the_wire_keeps_its_methods_and_keys(secret: str, line: bytes, hidden: bytes) -> None:
    assert hider(secret).hide_in_line(line) == hidden


def test_one_secret_may_be_the_beginning_of_another() -> None:
    both = Hider(["short-secret", "short-secret-and-more"])
    assert both.hide("short-secret-and-more, short-secret") == f"{HIDDEN}, {HIDDEN}"


@given(st.text(min_size=SHORTEST, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_what_stands_alone_is_always_hidden_in_foreign_text(secret: str, before: str, after: str) -> None:
    hidden = hider(secret).hide(f"{before} {secret} {after}")
    assert f" {secret} " not in hidden or secret in f"{before} *** {after}"


@given(st.binary(max_size=200))
def test_any_line_survives(line: bytes) -> None:
    assert isinstance(hider("a-long-secret").hide_in_line(line), bytes)
    assert hider("a-long-secret").hide_in_line(line) == line or b"secret" in line
