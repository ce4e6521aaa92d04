"""Pieces add up to the lines where they should, and are no lines where they should not."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.faults.wire_faults import OVERSIZED, WIRE_FAULTS, garbage_line
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import CLIENT_MESSAGES
from stratum_miner.stratum.errors import FieldError

LINES = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\n"), max_size=8)
LAWFUL = [fault for fault in WIRE_FAULTS.values() if fault.valid_lines]


def test_the_effect_of_each_fault_is_known() -> None:
    assert set(WIRE_FAULTS) == {"split", "merged", "oversized", "garbage"}, "expected a test below of what it does"


@given(LINES, st.integers())
def test_lawful_pieces_add_up(lines: list[bytes], seed: int) -> None:
    for fault in LAWFUL:
        assert b"".join(fault.pieces(lines, Random(seed))) == b"".join(lines)


def test_pieces_are_as_named() -> None:
    lines = [b'{"id":1}\n', b'{"id":2}\n']
    split, merged = WIRE_FAULTS["split"].pieces, WIRE_FAULTS["merged"].pieces
    assert len(split(lines, Random(1))) > len(lines)
    assert len(merged(lines, Random(1))) == 1


def test_an_oversized_line_comes_before_the_lines() -> None:
    pieces = WIRE_FAULTS["oversized"].pieces
    first, *rest = pieces([b"a\n"], Random(1))
    assert len(first) > OVERSIZED
    assert first.count(b"\n") == 1
    assert rest == [b"a\n"]


@given(st.integers())
def test_garbage_is_one_line_and_no_request(seed: int) -> None:
    line = garbage_line(Random(seed))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    try:
        message = envelope.decode(line[:-1])
    except FieldError:
        return
    assert not (
        isinstance(message, envelope.Call) and message.method in CLIENT_MESSAGES and isinstance(message.params, list)
    )


def test_garbage_stands_before_each_line() -> None:
    pieces = WIRE_FAULTS["garbage"].pieces
    assert pieces([b"a\n", b"b\n"], Random(1))[1::2] == [b"a\n", b"b\n"]
