"""Every byte that was said comes back from a capture; nothing in a hostile file does more than be refused."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture import record
from stratum_miner.capture.record import (
    ClosedRecord,
    Header,
    LineRecord,
    NoteRecord,
    OpenedRecord,
    RecordingError,
    Side,
)

TIMES = st.floats(0, 1e6)
CONNECTIONS = st.integers(1, 2**53)
SIDES = st.sampled_from(Side)
RECORDS = st.one_of(
    st.builds(OpenedRecord, TIMES, CONNECTIONS, st.text()),
    st.builds(
        lambda t, c, s, d, e: LineRecord.of(t, c, s, d, ended=e), TIMES, CONNECTIONS, SIDES, st.binary(), st.booleans()
    ),
    st.builds(ClosedRecord, TIMES, CONNECTIONS, st.none() | SIDES, st.text()),
    st.builds(NoteRecord, TIMES, CONNECTIONS, st.text()),
)
HEADER = record.encode(Header(record.FORMAT))


@given(RECORDS)
def test_records_come_back(item: record.Timed) -> None:
    encoded = record.encode(item)
    assert encoded.count(b"\n") == 1
    assert record.decode(encoded) == item


@given(st.binary(), st.booleans())
def test_every_byte_of_a_line_comes_back(data: bytes, ended: bool) -> None:
    line = record.decode(record.encode(LineRecord.of(0, 1, Side.POOL, data, ended=ended)))
    assert isinstance(line, LineRecord)
    assert line.wire == (data + b"\n" if ended else data)


@given(st.binary(max_size=200))
def test_whatever_bytes_are_a_record_or_a_complaint(data: bytes) -> None:
    with suppress(ValueError):
        assert record.decode(data) == record.decode(data)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "expected a recording, got an empty file"),
        ([b'{"kind":"open","t":0,"conn":1}\n'], "line 1: expected the header first"),
        ([b"{\n"], "line 1: expected a record as a JSON object"),
        ([HEADER, HEADER], "line 2: expected one header of format 1, got a second header"),
        ([b'{"kind":"capture","format":2}\n'], "line 1: expected one header of format 1, got format 2"),
        ([HEADER, b"nonsense\n", HEADER], "line 2: expected a record as a JSON object"),
        ([HEADER, b'{"kind":"open","t":-1,"conn":1}\n'], "line 2: .*>= 0.0"),
        ([HEADER, b'{"kind":"open","t":1e300,"conn":1}\n'], "line 2: .*<= 31622400"),
        ([HEADER, b'{"kind":"open","t":0,"conn":0}\n'], "line 2: .*>= 1"),
        ([HEADER, b'{"kind":"line","t":0,"conn":1,"from":"node","text":""}\n'], "line 2: .*node"),
        (
            [HEADER, b'{"kind":"line","t":0,"conn":1,"from":"pool"}\n'],
            "line 2: expected either the key 'text' or the key 'hex', got both or none",
        ),
        ([HEADER, b'{"kind":"line","t":0,"conn":1,"from":"pool","hex":"0"}\n'], "line 2: .*hex"),
        ([HEADER, b"[" * 100_000 + b"\n"], "line 2: expected a record as a JSON object"),
        (
            [HEADER, b'{"kind":"open","t":5,"conn":1}\n', b'{"kind":"open","t":4,"conn":2}\n'],
            "line 3: expected a time of 5 or later, got 4",
        ),
    ],
)
def test_what_is_no_capture_is_told_with_its_line(lines: list[bytes], complaint: str) -> None:
    with pytest.raises(RecordingError, match=complaint) as told:
        record.parse(lines)
    assert len(str(told.value)) < 300


def test_half_a_last_line_is_left_out() -> None:
    whole = record.encode(OpenedRecord(0, 1)), record.encode(NoteRecord(1, 1, "x"))
    for length in range(len(whole[1]) - 1):
        capture = record.parse([HEADER, whole[0], *([whole[1][:length]] if length else [])])
        assert len(capture.records) == 1
        assert capture.cut == (length > 0)
    assert not record.parse([HEADER, *whole]).cut


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(HEADER + b"x" * 100)
    monkeypatch.setattr(record, "MAX_RECORD", 90)
    with pytest.raises(RecordingError, match="line 2: expected at most 90 bytes"):
        record.read(path)
    monkeypatch.setattr(record, "MAX_RECORD", 200)
    monkeypatch.setattr(record, "MAX_CAPTURE", 120)
    with pytest.raises(RecordingError, match="MiB, got more"):
        record.read(path)
    with pytest.raises(RecordingError, match=r"recording '.*nothing': No such file"):
        record.read(tmp_path / "nothing")


def test_connections_are_told_apart() -> None:
    lines = [HEADER, *(record.encode(OpenedRecord(float(n), n % 2 + 1)) for n in range(4))]
    found = record.parse(lines).connections()
    assert {number: [item.number for item in items] for number, items in found.items()} == {1: [2, 4], 2: [3, 5]}


def test_a_capture_has_a_most_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_RECORDS", 3)
    note = record.encode(NoteRecord(0.0, 1, "x"))
    assert len(record.parse([HEADER, *[note] * 3]).records) == 3
    with pytest.raises(RecordingError, match="expected at most 3 records"):
        record.parse([HEADER, *[note] * 4])


def test_what_a_file_says_is_made_safe_before_it_is_told() -> None:
    with pytest.raises(RecordingError) as told:
        record.parse([HEADER, b'{"kind":"op\x7fen\xe2\x80\xae","t":0,"conn":1}\n'])
    assert str(told.value).isprintable()
