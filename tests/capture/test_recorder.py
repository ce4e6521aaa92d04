"""What a recorder writes, and what happens when it cannot."""

from pathlib import Path

import pytest
import trio
import trio.testing

from stratum_miner.capture import record
from stratum_miner.capture.record import ClosedRecord, LineRecord, OpenedRecord, RecordingError, Side
from stratum_miner.capture.recorder import RecordedListener, RecordedStream, Recorder, record_connections

AUTHORIZE = b'{"id":1,"method":"mining.authorize","params":["w","hunter2"]}\n'


def lines_of(path: Path) -> list[tuple[int, Side, bytes]]:
    capture = record.read(path)
    return [
        (i.record.conn, i.record.sender, i.record.wire) for i in capture.records if isinstance(i.record, LineRecord)
    ]


async def test_a_recorded_stream_carries_and_records(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    recorder = Recorder(path, where="mine")
    theirs, inner = trio.testing.memory_stream_pair()

    async def connect(target: str, seconds: float) -> trio.abc.Stream:
        return inner

    ours = await record_connections(connect, recorder)("pool.example:3333", 1.0)
    await ours.send_all(b'{"id"')
    await ours.send_all(b":1}\n" + AUTHORIZE)
    await theirs.send_all(b"hello\nhal")
    await ours.receive_some()
    await ours.aclose()
    recorder.close()
    assert lines_of(path) == [
        (1, Side.MINER, b'{"id":1}\n'),
        (1, Side.MINER, AUTHORIZE.replace(b"hunter2", b"***")),
        (1, Side.POOL, b"hello\n"),
        (1, Side.POOL, b"hal"),
    ]
    capture = record.read(path)
    first, *_, last = (item.record for item in capture.records)
    assert isinstance(first, OpenedRecord)
    assert first.peer == "pool.example:3333"
    assert isinstance(last, ClosedRecord)
    assert last.by is Side.MINER
    assert not capture.header.secrets
    assert path.stat().st_mode & 0o077 == 0  # for its owner alone


async def test_a_cut_line_hides_its_rest_too(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="mine")
    connection = recorder.open()
    connection.data(Side.MINER, AUTHORIZE.replace(b'"w"', b'"' + b"w" * (1 << 20) + b'"'))
    connection.data(Side.MINER, b"{}\n")
    assert lines_of(tmp_path / "c.jsonl") == [
        (1, Side.MINER, b"***"),
        (1, Side.MINER, b"***\n"),
        (1, Side.MINER, b"{}\n"),
    ]


async def test_the_longest_line_can_be_read_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="mine")
    recorder.open().data(Side.POOL, b"\x01" * (3 << 20) + b"\n")
    assert b"".join(data for _, _, data in lines_of(tmp_path / "c.jsonl")) == b"\x01" * (3 << 20) + b"\n"


async def test_secrets_stay_when_they_are_wanted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="mine", secrets=True)
    recorder.open().data(Side.MINER, AUTHORIZE)
    assert lines_of(tmp_path / "c.jsonl") == [(1, Side.MINER, AUTHORIZE)]
    assert record.read(tmp_path / "c.jsonl").header.secrets


async def test_who_ended_it_is_who_was_first(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="pool")
    theirs, inner = trio.testing.memory_stream_pair()
    ours = RecordedStream(inner, recorder.open(), Side.POOL)
    await theirs.aclose()
    assert await ours.receive_some() == b""
    await ours.aclose()
    [end] = [item.record for item in record.read(tmp_path / "c.jsonl").records if isinstance(item.record, ClosedRecord)]
    assert end.by is Side.MINER


async def test_a_recorded_listener_is_still_a_tcp_one(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="pool")
    [inner] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener = RecordedListener(inner, recorder)
    port = inner.socket.getsockname()[1]
    client = await trio.open_tcp_stream("127.0.0.1", port)
    stream = await listener.accept()
    await client.send_all(b"x\n")
    await stream.receive_some()
    assert lines_of(tmp_path / "c.jsonl") == [(1, Side.MINER, b"x\n")]
    for each in (client, stream, listener):
        await each.aclose()


async def test_a_full_disk_ends_the_recording_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    recorder = Recorder(tmp_path / "c.jsonl", where="mine")
    told: list[str] = []
    recorder.on_error = told.append
    theirs, inner = trio.testing.memory_stream_pair()
    ours = RecordedStream(inner, recorder.open(), Side.MINER)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    await ours.send_all(b"a\nb\n")
    monkeypatch.undo()
    assert await theirs.receive_some() == b"a\nb\n"
    assert told == [recorder.error]
    assert "No space left on device, after 2 lines" in told[0]


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Is a directory"):
        Recorder(tmp_path, where="mine")
    if Path("/dev/full").exists():
        with pytest.raises(RecordingError, match="No space left"):
            Recorder(Path("/dev/full"), where="mine")
