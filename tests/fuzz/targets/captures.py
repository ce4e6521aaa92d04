"""A capture that somebody sends: ``capture.record``, and ``capture.replay`` of each connection from both sides."""

from collections.abc import Sequence

from stratum_miner.capture import record, replay
from tests.fuzz.judge import check_shown

STEPS = 8


def run(data: bytes) -> None:
    try:
        capture = record.parse(data.splitlines(keepends=True))
    except record.RecordingError as error:
        check_shown(str(error))
        return
    written = [record.encode(capture.header), *(record.encode(item.record) for item in capture.records)]
    assert [item.record for item in record.parse(written).records] == [item.record for item in capture.records]
    for items in capture.connections().values():
        for side in record.Side:
            _play(items, side, pace=0.0, worker=None)
            _play(items, side, pace=1.0, worker=("w", "p"))


def _play(
    items: Sequence[record.NumberedRecord], side: record.Side, *, pace: float, worker: tuple[str, str] | None
) -> None:
    """What the other side said is heard as it was recorded, then the record's own lines come as if from there."""
    played = replay.Replay(items, side, pace=pace, worker=worker)
    now = 0.0
    for step in range(STEPS):
        played.step(now)
        for item in items if step < 2 else ():
            if isinstance(item.record, record.LineRecord) and (item.record.sender is not side or step):
                played.receive(item.record.data, now)
        if played.done:
            break
        now += 1.0 if played.next_time is None else max(0.0, min(1e7, played.next_time - now)) + 0.01
    played.disconnected()
    played.finish()
    for difference in played.differences:
        check_shown(str(difference), 2000)
