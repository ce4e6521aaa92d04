"""Logging for the commands: plain lines on stderr, JSON on request, secrets removed in one place."""

import logging
import sys
from collections.abc import MutableMapping
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
    plain = log_format == "plain"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if plain else "iso", utc=not plain),
            structlog.processors.format_exc_info,
            redact_event,
            _plain_line if plain else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _ConsoleLogger(),
        cache_logger_on_first_use=False,
    )


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``19:56:08 share_accepted    job=25536e6e difficulty=0.1626``; what is not mere information says so."""
    values = dict(event)
    time, name, level = values.pop("timestamp"), values.pop("event"), values.pop("level")
    trace = values.pop("exception", None)
    marked = name if level in ("info", "debug") else f"{level}: {name}"
    fields = " ".join(f"{key}={_shown(value)}" for key, value in values.items() if value not in (None, ""))
    line = f"{time} {marked:<18} {fields}".rstrip()
    return line if trace is None else f"{line}\n{trace}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value)
    text = str(value)
    return repr(text) if " " in text or "=" in text else text
