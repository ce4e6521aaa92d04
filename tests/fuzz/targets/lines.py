"""Bytes cut into lines, by ``stratum.framing`` for who takes part and by ``capture.lines`` for who looks on.

However the bytes are cut on their way, the same lines come out. The first byte is the size of the pieces.
"""

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.stratum.framing import LineDecoder, foreign_protocol
from tests.fuzz.judge import check_shown

MAX_LINE = 64


def run(data: bytes) -> None:
    size, body = max(1, (data[:1] or b"\1")[0]), data[1:]
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert _decoded(pieces) == _decoded([body])
    found = _split(pieces)
    assert b"".join(found) == body
    assert [piece.endswith(b"\n") for piece in found].count(True) == body.count(b"\n")
    if len(max(body.split(b"\n"), key=len, default=b"")) < MAX_LINE:
        assert found == _split([body])
    check_shown(foreign_protocol(body) or "")


def _decoded(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The lines, and whether one was too long."""
    decoder, lines = LineDecoder(MAX_LINE), []
    try:
        for piece in pieces:
            decoder.receive(piece)
            while (line := decoder.next_line()) is not None:
                assert len(line) <= MAX_LINE
                lines.append(line)
    except RemoteProtocolError as error:
        check_shown(str(error))
        return lines, True
    assert len(decoder._buffer) <= MAX_LINE
    return lines, False


def _split(pieces: list[bytes]) -> list[bytes]:
    splitter = LineSplitter(MAX_LINE)
    found = [line for piece in pieces for line in splitter.feed(piece)]
    rest = splitter.rest()
    assert all(len(line) <= MAX_LINE for line in found)
    return [*found, rest] if rest else found
