"""Tests the pages on watching a miner: the limits that they name are those of the program."""

from pathlib import Path

import pytest

from stratum_miner.monitoring import cgminer
from stratum_miner.monitoring.cgminer import dialect
from stratum_miner.monitoring.http import guard, listener, server, stream

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "promise"),
    [
        (
            "how-to/watch.md",
            f"have at most {server.MAX_HEAD / 1024:g} KiB, and must arrive within {server.REQUEST_S:g} s of the ",
        ),
        (
            "how-to/watch.md",
            f"A body has at most {guard.MAX_BODY / 1024:g} KiB, and must arrive within {server.REQUEST_S:g} s",
        ),
        (
            "how-to/watch.md",
            f"takes less than {server.PIECE / 1024:g} KiB of the waiting data within {server.SEND_S:g} s is ",
        ),
        ("how-to/watch.md", f"At most {listener.MAX_CONNECTIONS} clients can be connected at a time"),
        ("how-to/watch.md", f"at most {stream.MAX_LISTENERS} of them can receive the stream"),
        ("reference/cgminer-api.md", f"A request has at most {dialect.MAX_REQUEST / 1024:g} KiB"),
        (
            "reference/cgminer-api.md",
            f"is closed after {cgminer.listener.REQUEST_S:g} s, whatever the client has sent or received",
        ),
        ("reference/cgminer-api.md", f"At most {cgminer.listener.MAX_CONNECTIONS} connections are open at a time"),
    ],
)
def test_the_limits_are_those_of_the_program(page: str, promise: str) -> None:
    assert promise in " ".join((DOCS / page).read_text().split())
