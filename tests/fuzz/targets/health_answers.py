"""What anybody answers to ``health``: a code and plain lines come out. The first byte chooses the status."""

import contextlib
import io
from unittest.mock import patch

from stratum_miner.cli import health
from stratum_miner.network.exchange import HttpResponse
from tests.fuzz.judge import check_shown

STATUSES = (200, 503, 404, 500)


def run(data: bytes) -> None:
    status, body = STATUSES[(data[:1] or b"\0")[0] % len(STATUSES)], data[1:]
    said = io.StringIO()
    with patch.object(health, "_ask", lambda target: HttpResponse(status, body)), contextlib.redirect_stdout(said):
        code = health.health()
    assert code in {1, *health.STATES.values()}
    text = said.getvalue()
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        check_shown(line, 1100)
