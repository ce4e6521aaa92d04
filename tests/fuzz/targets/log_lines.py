"""Log lines with foreign values, in every format: whatever a pool, a miner or a file says, a line stays one line.

An input is one event a line, a JSON object: its name and its fields. Names and fields are our own, the values are not.
"""

import re
from typing import Any

import msgspec
import structlog

from stratum_miner.app.process import logs
from stratum_miner.app.process.secrets import redact_event
from stratum_miner.monitoring.events import EventLog
from tests.fuzz.judge import check_shown

OWN = re.compile(r"[a-z_]{1,40}")
MOST_EVENTS = 20
LONGEST = 25_000
"""Characters; a line of the protocol that is dumped has up to 16 384 of them."""
FORMATS: dict[str, Any] = {
    "journal": logs._journal_line,
    "sentences": logs._sentence_line,
    "plain": logs._plain_line,
    "json": structlog.processors.JSONRenderer(),
}


def run(data: bytes) -> None:
    kept = EventLog()
    for line in data.split(b"\n")[:MOST_EVENTS]:
        try:
            event = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        fields = {key: value for key, value in event.items() if OWN.fullmatch(key)} | {"level": "info"}
        name = fields.pop("event", "x")
        fields.pop("exception", None)
        if not isinstance(name, str) or not OWN.fullmatch(name):
            continue
        safe = logs._make_safe(None, "info", redact_event(None, "info", {"event": name, **fields}))
        for render in FORMATS.values():
            check_shown(render(None, "info", {**safe, "timestamp": "12:00:00"}), LONGEST)
        check_shown(
            kept.take(name, "info", {key: value for key, value in fields.items() if key != "level"}, 0.0).text, LONGEST
        )
