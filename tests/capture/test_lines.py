"""However the bytes come, the same lines come out, and no byte is lost."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture.lines import LineSplitter


@given(st.lists(st.sampled_from([b"a", b"\n", b"bc\nd", b"\n\n", b"e" * 30])))
def test_no_byte_is_lost(pieces: list[bytes]) -> None:
    splitter = LineSplitter(20)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    assert b"".join([*lines, splitter.rest()]) == b"".join(pieces)
    assert all(line.count(b"\n") <= 1 and b"\n" not in line[:-1] for line in lines)
    assert splitter.rest() == b""


def test_lines_byte_by_byte() -> None:
    splitter = LineSplitter()
    assert [line for byte in b"ab\n\nc" for line in splitter.feed(bytes([byte]))] == [b"ab\n", b"\n"]
    assert splitter.rest() == b"c"


def test_lines_that_nobody_has_taken_yet_are_no_more_than_their_bytes() -> None:
    splitter, data = LineSplitter(), b"\n" * 65_536
    tracemalloc.start()
    lines = splitter.feed(data)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * len(data)
    assert sum(1 for _ in lines) == len(data)
