"""Bytes split into lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.stratum.framing import LineDecoder, foreign_protocol


def lines_of(decoder: LineDecoder) -> list[bytes]:
    lines = []
    while (line := decoder.next_line()) is not None:
        lines.append(line)
    return lines


def test_several_lines_in_one_segment() -> None:
    decoder = LineDecoder(100)
    decoder.receive(b"one\ntwo\r\n\nthr")
    assert lines_of(decoder) == [b"one", b"two\r", b""]
    assert decoder.pending == b"thr"
    decoder.receive(b"ee\n")
    assert lines_of(decoder) == [b"three"]
    assert decoder.pending == b""


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_do_not_depend_on_the_segments(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = LineDecoder(20)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.receive(stream[start:end])
        found += lines_of(decoder)
    assert found == lines


@pytest.mark.parametrize("terminated", [True, False])
def test_the_limit_is_exact(terminated: bool) -> None:
    end = b"\n" if terminated else b""
    decoder = LineDecoder(8)
    decoder.receive(b"12345678" + end)
    assert decoder.next_line() == (b"12345678" if terminated else None)
    decoder = LineDecoder(8)
    decoder.receive(b"123456789" + end)
    with pytest.raises(RemoteProtocolError, match="expected at most 8 bytes, got 9"):
        decoder.next_line()


def test_an_empty_line_may_be_the_first() -> None:
    decoder = LineDecoder(4)
    decoder.receive(b"\nabcd\n")
    assert lines_of(decoder) == [b"", b"abcd"]
    decoder.receive(b"ab")
    decoder.discard()
    decoder.receive(b"\nabcd")
    assert lines_of(decoder) == [b""]


def test_an_overlong_line_after_a_good_one_is_refused_in_its_turn() -> None:
    decoder = LineDecoder(4)
    decoder.receive(b"ok\n" + b"x" * 50)
    assert decoder.next_line() == b"ok"
    with pytest.raises(RemoteProtocolError, match="line too long"):
        decoder.next_line()


def test_the_limit_may_grow_while_a_line_arrives() -> None:
    decoder = LineDecoder(4)
    decoder.receive(b"1234")
    assert decoder.next_line() is None
    decoder.max_line = 8
    decoder.receive(b"5678\n")
    assert decoder.next_line() == b"12345678"


def test_pending_and_incomplete_show_bounded_starts() -> None:
    decoder = LineDecoder(10_000)
    decoder.receive(b"whole\n" + b"x" * 1000)
    assert decoder.pending.startswith(b"whole\nx")
    assert decoder.incomplete == b"x" * 256
    assert len(decoder.pending) == 256


def test_discard_forgets_everything() -> None:
    decoder = LineDecoder(100)
    decoder.receive(b"one\ntwo")
    decoder.discard()
    assert (decoder.pending, decoder.next_line()) == (b"", None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "TLS handshake"),
        (b"\x15\x03\x03", "TLS alert"),
        (b"HTTP/1.1 400 Bad Request", "HTTP reply"),
        (b"GET / HTTP/1.1", "HTTP request"),
        (b"POST / HTTP/1.1", "HTTP request"),
        (b"HEAD / HTTP/1.1", "HTTP request"),
    ],
)
def test_foreign_protocols_are_named(data: bytes, expected: str) -> None:
    assert expected in (foreign_protocol(data) or "")


@pytest.mark.parametrize("data", [b"", b"\x16", b"H", b'{"id":1}', b"GETTING"])
def test_no_protocol_is_named_without_proof(data: bytes) -> None:
    assert foreign_protocol(data) is None
