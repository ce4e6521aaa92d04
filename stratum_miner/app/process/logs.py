"""Logging for the commands: secrets removed in one place, events kept for who wants to see them, lines on stderr.

On a terminal a line is a sentence, elsewhere a name and fields, on request a JSON object.
"""

import logging
import os
import sys
import textwrap
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import structlog

from stratum_miner.app.process import printing
from stratum_miner.app.process.line_limit import LineLimit
from stratum_miner.app.process.log_file import LogFile
from stratum_miner.app.process.secrets import redact_event
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize_lines, sanitize_value
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.sentences import sentence
from stratum_miner.monitoring.view import ProblemView

LogFormat = Literal["auto", "sentences", "plain", "json"]
LogLevel = Literal["debug", "info", "warning"]

_log = structlog.get_logger("stratum_miner")

console = printing.console(stderr=True, highlight=False, soft_wrap=True)
"""Where people look: progress and events; results go to stdout."""


events = EventLog()
"""What was logged lately, information and worse, whatever is shown on stderr."""


_files: list[LogFile] = []


@contextmanager
def writing_to(path: Path | None) -> Iterator[None]:
    """Write everything that is logged to a file too, whatever stderr shows. UsageError."""
    if path is None:
        yield
        return
    file = LogFile(path)
    _files.append(file)
    try:
        yield
    finally:
        tell_left_out()
        _files.remove(file)
        file.close()
        if file.failures:
            console.print(f"{path}: {file.failures} lines could not be written", markup=False)


def problems() -> tuple[ProblemView, ...]:
    """What is wrong with the log at the moment."""
    return tuple(
        ProblemView(
            severity="warning",
            kind="log_file",
            text=f"Cannot write the log file {str(file.path)!r}: {file.problem}.",
            advice="Make room on its disk, or name another file with --log-file. Everything else goes on.",
        )
        for file in _files
        if file.problem
    )


@contextmanager
def silenced() -> Iterator[None]:
    """Write no lines while something else has the terminal and shows the events."""
    _ConsoleLogger.silent = True
    try:
        yield
    finally:
        _ConsoleLogger.silent = False


class _ConsoleLogger:
    """Writes through rich, so that a live display stays in one piece."""

    silent: ClassVar[bool] = False

    def msg(self, message: str) -> None:
        if self.silent:
            return
        if console.is_terminal:
            console.print(message, markup=False, emoji=False)
        else:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    log = debug = info = warning = error = critical = exception = msg


def configure(*, level: LogLevel = "info", log_format: LogFormat = "auto") -> None:
    """Set structlog up for this process; what was left out before is forgotten."""
    shown: str = log_format
    if log_format == "auto":
        shown = "journal" if _is_journal() else "sentences" if console.is_terminal else "plain"
    renderer: dict[str, structlog.typing.Processor] = {
        "journal": _journal_line,
        "sentences": _sentence_line,
        "plain": _plain_line,
        "json": structlog.processors.JSONRenderer(),
    }
    kept = logging.DEBUG if level == "debug" else logging.INFO
    _lines.begin()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _limit,
            structlog.processors.format_exc_info,
            redact_event,
            _make_safe,
            _keep,
            _write_to_file,
            _dropping_below(getattr(logging, level.upper())),
            structlog.processors.TimeStamper(fmt="iso" if shown == "json" else "%H:%M:%S", utc=shown == "json"),
            renderer[shown],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(kept),
        logger_factory=lambda *_: _ConsoleLogger(),
        cache_logger_on_first_use=False,
    )


def tell_left_out() -> None:
    """Log how many lines of which kind were left out since this was told last; for the end of the program, too."""
    for each in _lines.take():
        log = _log.info if each.level == "info" else _log.warning
        log("lines_left_out", kind=each.kind, lines=each.lines, seconds=each.seconds)


_lines = LineLimit(tell_left_out)


def _limit(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Strangers decide how often most things happen: see ``line_limit``."""
    if not _lines.allows(event["event"], event["level"], tells_block="block" in event):
        raise structlog.DropEvent
    return event


def _keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event["level"] != "debug" and event["event"] not in _NOT_NEWS:
        fields = {key: value for key, value in event.items() if key not in ("event", "level", "exception")}
        events.take(event["event"], event["level"], fields, time.time())
    return event


_NOT_NEWS = ("status", "economics")
"""Figures that displays show anyway."""


def _write_to_file(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _files:
        file = _files[-1]
        before = file.problem
        file.write({"timestamp": datetime.now(UTC).isoformat(), **event})
        if bool(file.problem) != bool(before):
            _tell_log_file(file)
    return event


def _tell_log_file(file: LogFile) -> None:
    """Once when it cannot be written, and once when it can again; this line goes the way of all."""
    if file.problem:
        _log.error("log_file_failed", file=str(file.path), reason=file.problem, hint="everything else goes on")
    else:
        _log.info("log_file_recovered", file=str(file.path), missing=file.failures)


def _is_journal() -> bool:
    """Whether stderr is the journal's own socket (systemd.exec(5): JOURNAL_STREAM)."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Priorities of syslog, as the journal takes them at the beginning of a line (sd-daemon(3))."""


def _journal_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """The journal has its own clock and levels."""
    values = dict(event)
    del values["timestamp"]
    priority = _PRIORITIES.get(event["level"], 6)
    lines = _worded(values).splitlines()
    return "\n".join(f"<{priority}>{line}" for line in lines)


def _make_safe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Pools, miners, files and devices chose the words in many fields: whatever the format, they must not steer a
    terminal, begin another line or fill the log. This is the one place for all lines.
    """
    return {key: _safe(key, value) for key, value in event.items()}


def _safe(key: str, value: Any) -> Any:
    if key == "exception":
        return sanitize_lines(str(value))
    return sanitize_value(value, _LONG_FIELDS.get(key, SENTENCE_CHARACTERS))


_LONG_FIELDS = {"line": 16384}
"""Characters of those that may be longer: a line of the protocol is dumped because somebody wants to read all of it."""


def _dropping_below(level: int) -> structlog.typing.Processor:
    def drop(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if getattr(logging, event["level"].upper()) < level:
            raise structlog.DropEvent
        return event

    return drop


def _sentence_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``19:56:08 Share accepted, difficulty 1.5.``; what is not mere information says so first."""
    values = dict(event)
    clock, level = values.pop("timestamp"), event["level"]
    mark = "" if level in ("info", "debug") else f"{level}: "
    return f"{clock} {mark}{_worded(values)}"


def _worded(values: dict[str, Any]) -> str:
    name, _, trace = (values.pop(key, None) for key in ("event", "level", "exception"))
    words = sentence(str(name), {key: value for key, value in values.items() if value is not None and value != ""})
    return words if trace is None else f"{words}\n{_indented(trace)}"


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``19:56:08 share_accepted    job=25536e6e difficulty=0.1626``; what is not mere information says so."""
    values = dict(event)
    clock, name, level = values.pop("timestamp"), values.pop("event"), values.pop("level")
    trace = values.pop("exception", None)
    marked = name if level in ("info", "debug") else f"{level}: {name}"
    fields = " ".join(f"{key}={_shown(value)}" for key, value in values.items() if value not in (None, ""))
    line = f"{clock} {marked:<18} {fields}".rstrip()
    return line if trace is None else f"{line}\n{_indented(trace)}"


def _indented(trace: str) -> str:
    """A line of an error's text must not look like a line of the log."""
    return textwrap.indent(trace, "  ")


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value)
    text = str(value)
    return repr(text) if " " in text or "=" in text else text
