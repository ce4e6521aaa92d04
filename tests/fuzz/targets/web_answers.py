"""What any web server answers: ``network.exchange``, which prices, nodes, hooks and other miners are asked through.

However the bytes are cut on their way, the same answer or the same refusal comes out, and no more is held than may be.
The first byte is the size of the pieces.
"""

from stratum_miner.network.exchange import Exchange, FetchError, HttpResponse, HttpTarget
from tests.fuzz.judge import check_shown

MAX_BYTES = 2000
TARGET = HttpTarget.parse("http://user:secret@example.org:81/a/path?key=qwertz")


def run(data: bytes) -> None:
    size, body = max(1, (data[:1] or b"\1")[0]), data[1:]
    whole = _answer([body])
    if len(body) <= MAX_BYTES:  # else it may depend on the pieces whether the answer ends before the limit
        assert whole == _answer([body[start : start + size] for start in range(0, len(body), size)])
    if isinstance(whole, HttpResponse):
        assert len(whole.body) <= MAX_BYTES
        assert 200 <= whole.status < 1000
    url = body.decode("utf-8", "replace")
    try:
        target = HttpTarget.parse(url)
    except ValueError as error:
        check_shown(str(error), 60)
    else:
        assert target.where.isascii()
        Exchange().request(target, max_bytes=MAX_BYTES)


def _answer(pieces: list[bytes]) -> HttpResponse | str | None:
    """The answer, or what kind of refusal; None when the server leaves without either."""
    exchange = Exchange()
    exchange.request(TARGET, max_bytes=MAX_BYTES)
    try:
        for piece in [*filter(None, pieces), b""]:  # an empty one is the end
            answer = exchange.feed(piece)
            if answer is not None:
                return answer
    except FetchError as error:
        check_shown(str(error), 400)
        return "refused"
    return None
