"""Pieces add up to the lines where they should, and are no lines where they should not."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.faults.wire_faults import OVERSIZED, WIRE_FAULTS, forged_subscribe, garbage_line, wire_fault
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import CLIENT_MESSAGES
from stratum_miner.stratum.errors import FieldError

LINES = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\n"), max_size=8)
LAWFUL = [fault for fault in WIRE_FAULTS.values() if fault.pieces is not None and fault.lawful]


@given(LINES, st.integers())
def test_lawful_pieces_add_up(lines: list[bytes], seed: int) -> None:
    for fault in LAWFUL:
        assert fault.pieces is not None
        assert b"".join(fault.pieces(lines, Random(seed))) == b"".join(lines)


def test_pieces_are_as_named() -> None:
    lines = [b'{"id":1}\n', b'{"id":2}\n']
    split, merged = wire_fault("split").pieces, wire_fault("merged").pieces
    assert split is not None
    assert merged is not None
    assert len(split(lines, Random(1))) > len(lines)
    assert len(merged(lines, Random(1))) == 1


def test_an_oversized_line_comes_before_the_lines() -> None:
    pieces = wire_fault("oversized").pieces
    assert pieces is not None
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
    pieces = wire_fault("garbage").pieces
    assert pieces is not None
    assert pieces([b"a\n", b"b\n"], Random(1))[1::2] == [b"a\n", b"b\n"]


def test_a_forged_resume_is_anyones_or_a_strangers_session() -> None:
    assert forged_subscribe("ua/1", Random(1)) == forged_subscribe("ua/1", Random(1))
    assert forged_subscribe("ua/1", Random(1)) != forged_subscribe("ua/1", Random(2))
    assert forged_subscribe("ua/1", Random(1), "abc").session_id == "abc"


def test_unknown_names_are_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'slow-reader'"):
        wire_fault("slowreader")
