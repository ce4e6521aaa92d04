"""Requests and answers as bytes: whole, one byte at a time, and cut at every place."""

import gzip

import pytest

from stratum_miner.network.exchange import (
    MAX_HEAD,
    BrokenFetchError,
    Exchange,
    FetchError,
    HttpResponse,
    HttpTarget,
    LargeFetchError,
)

from .web_server import answer

URL = "http://user:secret@example.org:81/a/path?key=qwertz"
ANSWERS = {
    "length": answer(b"abc"),
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    "provisional": b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + answer(b"abc"),
}


def asked(max_bytes: int = 1000) -> Exchange:
    exchange = Exchange()
    exchange.request(HttpTarget.parse(URL), max_bytes=max_bytes)
    return exchange


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_whole_and_a_byte_at_a_time(data: bytes) -> None:
    assert asked().feed(data) == HttpResponse(200, b"abc")
    exchange = asked()
    for place in range(len(data) - 1):
        assert exchange.feed(data[place : place + 1]) is None
        assert exchange.came == place + 1
    assert exchange.feed(data[-1:]) == HttpResponse(200, b"abc")
    assert exchange.reusable


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_ends_too_early(data: bytes) -> None:
    for place in range(len(data)):
        exchange = asked()
        if place:
            assert exchange.feed(data[:place]) is None
        with pytest.raises(
            BrokenFetchError, match=r"^http://example.org:81: expected .* HTTP answer, the connection ended$"
        ):
            exchange.feed(b"")
        assert not exchange.reusable


def test_an_answer_without_length_lasts_to_the_end_of_the_connection() -> None:
    exchange = asked()
    assert exchange.feed(b"HTTP/1.0 200 OK\r\n\r\nabc") is None
    assert exchange.feed(b"") == HttpResponse(200, b"abc")
    assert not exchange.reusable


@pytest.mark.parametrize("data", [*ANSWERS.values(), b"HTTP/1.1 200 OK\r\n\r\nabc"])
def test_the_bound_counts_every_byte_on_the_wire(data: bytes) -> None:
    exchange = asked(max_bytes=len(data))
    assert exchange.feed(data) or exchange.feed(b"") == HttpResponse(200, b"abc")
    with pytest.raises(LargeFetchError, match=f"expected an answer of at most {len(data) - 1} bytes, it is larger"):
        asked(max_bytes=len(data) - 1).feed(data)


def test_a_body_is_refused_by_its_announced_length() -> None:
    for length in (b"1001", b"9" * 19):
        with pytest.raises(FetchError):
            asked().feed(b"HTTP/1.1 200 OK\r\ncontent-length: " + length + b"\r\n\r\n")


def test_a_head_has_a_bound_of_its_own() -> None:
    exchange = asked(max_bytes=10 * MAX_HEAD)
    with pytest.raises(LargeFetchError, match=f"expected a head of at most {MAX_HEAD} bytes"):
        exchange.feed(b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD)


def test_a_compressed_answer_is_refused_before_its_body() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
    with pytest.raises(LargeFetchError, match="expected an answer that is not compressed, got 'gzip'"):
        asked().feed(head)
    with pytest.raises(FetchError):
        asked(max_bytes=1 << 20).feed(head.replace(b"content", b"transfer") + bomb)


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"\x1b[2J\r\n\r\n", b"\0" * 50, b"HTTP/1.1 101 X\r\n\r\n"])
def test_what_is_no_answer_is_told_without_repeating_it(data: bytes) -> None:
    exchange = asked()
    with pytest.raises(BrokenFetchError, match=r"expected .* HTTP answer, ") as told:
        exchange.feed(data) or exchange.feed(b"")
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 400


def test_what_is_asked() -> None:
    sent = Exchange().request(HttpTarget.parse(URL), max_bytes=1, method="POST", content=b"{}", headers={"X": "y"})
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.split(b"\r\n")[0] == b"POST /a/path?key=qwertz HTTP/1.1"
    assert dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:]) == {
        b"Host": b"example.org:81",
        b"Accept-Encoding": b"identity",
        b"User-Agent": b"stratum-miner",
        b"Authorization": b"Basic dXNlcjpzZWNyZXQ=",
        b"Content-Length": b"2",
        b"X": b"y",
    }
    with pytest.raises(ValueError, match="expected a request that can be sent"):
        Exchange().request(HttpTarget.parse(URL), max_bytes=1, headers={"X": "a\r\nb"})


def test_a_second_answer_that_nobody_asked_for_is_never_taken_for_the_next() -> None:
    exchange = asked()
    assert exchange.feed(answer(b"abc") + answer(b"forged")) == HttpResponse(200, b"abc")
    assert not exchange.reusable


@pytest.mark.parametrize(
    ("url", "where", "path"),
    [
        ("http://h", "http://h", "/"),
        ("https://h:443/x", "https://h", "/x"),
        ("https://h:80?q=1", "https://h:80", "/?q=1"),
        ("http://[::1]:7780/", "http://[::1]:7780", "/"),
        ("http://" + "a" * 63 + ".example./", "http://" + "a" * 63 + ".example.", "/"),
        ("http://bücher.example/ü v", "http://xn--bcher-kva.example", "/%C3%BC%20v"),
        ("http://h/%2F?a=b&c=[d]#e", "http://h", "/%2F?a=b&c=[d]"),
        ("http://user:pa%20ss@h/", "http://h", "/"),
    ],
)
def test_urls(url: str, where: str, path: str) -> None:
    target = HttpTarget.parse(url)
    assert (target.where, target.path) == (where, path)
    assert "pa" not in repr(target)


@pytest.mark.parametrize(
    "url",
    ["", "h", "ftp://h/", "http://", "http://:80/", "http://h:0/", "http://h:99999/", "http://h:x/", "http://[::1/",
     "http://a b/", "http://a\x1b[2J/", "http://h\u202e/", "http://" + "ü" * 80 + "/", "http://h\\x/",
     "http://" + "a" * 64 + ".example/", "http://a..b/", "http://.example/"],
)  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a URL as in http://host:port/path$"):
        HttpTarget.parse(url)
