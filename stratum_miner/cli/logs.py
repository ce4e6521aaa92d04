"""Logging for the commands: plain lines on stderr, JSON on request, secrets removed in one place."""

import logging
import sys
from typing import Any, Literal

import structlog
from rich.console import Console

from stratum_miner.cli.secrets import redact_event

LogFormat = Literal["plain", "json"]

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where people look: progress and events; results go to stdout."""


class _ConsoleLogger:
    """Writes through rich, so that a live display stays in one piece."""

    def msg(self, message: str) -> None:
        if console.is_terminal:
            console.print(message, markup=False, emoji=False)
        else:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    log = debug = info = warning = error = critical = exception = msg


def configure(*, level: Literal["debug", "info", "warning"] = "info", log_format: LogFormat = "plain") -> None:
    """Set structlog up for this process."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=22)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(
                fmt="%H:%M:%S" if log_format == "plain" else "iso", utc=log_format != "plain"
            ),
            redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _ConsoleLogger(),
        cache_logger_on_first_use=False,
    )
