"""What a text with stars means, that it means the same as a regular expression, and that a line cannot make it slow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture.wildcard import MAX_REPLACED, TooLongError, Wildcard

SMALL = st.text("ab*", min_size=1, max_size=6).filter(lambda text: text.strip("*"))


def as_regex(text: str) -> re.Pattern[bytes]:
    """The same as a regular expression: lazy stars, but for one at the end, which reaches to the end."""
    words = re.sub(r"\*+", "*", text).split("*")
    body = "(.*?)".join(map(re.escape, words))
    body = body[: -len("(.*?)")] + "(.*)" if text.endswith("*") else body
    return re.compile(("^" if text.startswith("*") else "").encode() + body.encode(), re.S)


@given(SMALL, st.binary(max_size=12).map(lambda data: bytes(b"ab\xff"[byte % 3] for byte in data)))
def test_it_finds_and_replaces_what_a_regular_expression_would(text: str, data: bytes) -> None:
    wildcard, regex = Wildcard(text), as_regex(text)
    assert wildcard.found_in(data) == bool(regex.search(data))
    assert wildcard.replaced(data, b"<>", 1000) == regex.sub(b"<>", data)
    if wildcard.stars:
        assert wildcard.replaced(data, rb"-\1-\1", 1000) == regex.sub(rb"-\1-\1", data)


@pytest.mark.parametrize(
    ("text", "data", "template", "result"),
    [
        ("1d00ffff", b'["1d00ffff"]', b"207fffff", b'["207fffff"]'),
        ('"id":*,', b'{"id":7,"method":"x"}', rb"<\1>", b'{<7>"method":"x"}'),
        ('{"id":*,*low diff*', b'{"id":7,"error":[23,"low diff",null]}', rb'{"id":\1}', b'{"id":7}'),
        ("*submit", b"a submit and a submit", b"x", b"x and a submit"),
        ("a[0].b{", b"xa[0].b{y", b"", b"xy"),
        ("ä*ö", "1äxö2".encode(), rb"\1", b"1x2"),
        ("a", b"aaa", rb"\0\n", rb"\0\n\0\n\0\n"),
    ],
)
def test_what_it_takes_and_puts_in_place(text: str, data: bytes, template: bytes, result: bytes) -> None:
    assert Wildcard(text).replaced(data, template, 1000) == result


@pytest.mark.parametrize(
    "text",
    ["", "*", "***", "x" * 1001, "a.*b", "(a+)+$", "a+", "^a", "a$", "a|b", r"\d", "[0-9]", "[^a]", "a?", r"a\.b"],
)
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        Wildcard(text)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("id*submit*zz", b"id" * 200_000 + b"submit" * 100_000),
        ("a*a*a*a*a*a*a*b", b"a" * 1_000_000),
        ("a" * 999 + "b", b"a" * 1_000_000),
        ("*".join("ab" * 200), b"a" * 1_000_000),
    ],
)
def test_no_line_makes_it_slow(text: str, data: bytes) -> None:
    """Each of these takes milliseconds; the first three keep a regular expression busy for longer than a test may."""
    assert not Wildcard(text).found_in(data)
    assert Wildcard(text).replaced(data, b"x", 1 << 30) == data


def test_what_is_put_in_has_a_limit() -> None:
    assert Wildcard("a").replaced(b"aa", b"xxx", 6) == b"xxxxxx"
    with pytest.raises(TooLongError, match="at most 5 bytes, got 6 or more"):
        Wildcard("a").replaced(b"aa", b"xxx", 5)
    with pytest.raises(TooLongError):
        Wildcard("a*b").replaced(b"a" + b"x" * 1_000_000 + b"b", rb"\1" * 400, 2_000_000)
    assert Wildcard("a").replaced(b"a" * (MAX_REPLACED + 2), b"", 10**6) == b"aa"
