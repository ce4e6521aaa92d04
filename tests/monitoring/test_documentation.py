"""Tests the pages on watching a miner: endpoints, metrics, commands and limits are those of the program."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratum_miner.monitoring import cgminer
from stratum_miner.monitoring.cgminer import dialect
from stratum_miner.monitoring.cgminer.commands import COMMANDS
from stratum_miner.monitoring.http import guard, listener, server, stream
from stratum_miner.monitoring.http.endpoints import ENDPOINTS, PREFIX

from .http.scrapes import of_miner, of_pool, of_proxy

DOCS = Path(__file__).parents[2] / "docs"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head, *lines = (f"| {' | '.join(cells)} |\n" for cells in (heads, *rows))
    return "".join((head, "|---" * len(heads), "|\n", *lines))


def endpoints() -> str:
    def with_it(item: Any) -> str:
        if item.body is not None:
            return ", ".join(f"`{name}`" for name in item.body.__struct_fields__)
        return ", ".join(f"`?{name}=`" for name in item.query)

    return table(
        ("", "path", "what", "takes"),
        ((item.method, f"`{PREFIX}{item.path}`", item.summary, with_it(item)) for item in ENDPOINTS),
    )


def _families(text: str) -> str:
    def row(family: Any) -> tuple[str, ...]:
        labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
        name = family.samples[0].name if family.samples and family.type != "histogram" else family.name
        return f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation

    return table(("name", "type", "labels", "what"), map(row, text_string_to_metric_families(text)))


def metrics() -> str:
    return _families(of_miner())


def pool_metrics() -> str:
    return _families(of_pool())


def proxy_metrics() -> str:
    return _families(of_proxy())


def commands() -> str:
    def row(name: str) -> tuple[str, ...]:
        command = COMMANDS[name]
        return f"`{name}`", "W" if command.writes else "R", "yes" if command.joinable else "no"

    return table(("command", "group", "may be joined"), map(row, COMMANDS))


TABLES: dict[Callable[[], str], str] = {
    endpoints: "reference/http-api.md",
    metrics: "reference/metrics.md",
    pool_metrics: "reference/metrics.md",
    proxy_metrics: "reference/metrics.md",
    commands: "reference/cgminer-api.md",
}
"""The page in docs of each generated table."""


@pytest.mark.parametrize("made", TABLES)
def test_the_tables_are_those_of_the_program(made: Callable[[], str]) -> None:
    """With UPDATE_REFERENCE=1 in the environment, the table is written instead."""
    page = DOCS / TABLES[made]
    text = page.read_text()
    before, mark, rest = text.partition(f"<!-- {made.__name__} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    assert mark
    assert end
    expected = before + mark + made() + end + after
    if os.environ.get("UPDATE_REFERENCE"):
        page.write_text(expected)
    assert page.read_text() == expected, f"docs/{TABLES[made]}: UPDATE_REFERENCE=1 pytest {Path(__file__).name}"


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
