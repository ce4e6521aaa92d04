"""Requests to cgminer's API, whole: parsed, answered from a miner that they may steer, and encoded.

An input is one request a line, each to the same miner. An answer to JSON is JSON with all its commands, and any answer
ends with its only NUL.
"""

import json

from stratum_miner.monitoring.cgminer import dialect
from stratum_miner.monitoring.cgminer.commands import COMMANDS, DESCRIPTION, CommandRequest, answer
from stratum_miner.monitoring.cgminer.zero import Zero
from tests.fuzz.still_miner import still_miner

MOST_REQUESTS = 12


def run(data: bytes) -> None:
    monitor, steering = still_miner()
    zero = Zero()
    for line in data.split(b"\n")[:MOST_REQUESTS]:
        try:
            request = dialect.parse(line[: dialect.MAX_REQUEST])
        except dialect.BadRequest as bad:
            _check(dialect.refuse(bad, when=1, description=DESCRIPTION), is_json=bad.is_json)
            continue
        asked = CommandRequest(
            view=monitor.view(),
            control=steering,
            parameter=request.parameter,
            may=COMMANDS.__contains__,
            zero=zero,
        )
        replies = [answer(name, asked, joined=request.joined) for name in request.commands]
        out = dialect.encode(request, replies, when=1, description=DESCRIPTION)
        _check(out, is_json=request.is_json)
        if request.is_json and request.joined:
            assert set(request.commands) <= set(json.loads(out[:-1]))


def _check(answer: bytes, *, is_json: bool) -> None:
    assert answer.endswith(b"\0")
    assert answer.count(b"\0") == 1
    answer.decode()
    if is_json:
        assert isinstance(json.loads(answer[:-1]), dict)
