"""Logging of the commands: removes secrets from events, keeps events for the status screen and the web page, and writes
events to stderr and the log file.

On a terminal, each event is written as a sentence; otherwise as an event name with fields, or on request as JSON.
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
"""The console on stderr, for progress and events. Results go to stdout and do not use this console."""


events = EventLog()
"""The latest events of level info and above, for the status screen, the web page and the hooks of --on-event. --quiet
does not remove events from it."""


_files: list[LogFile] = []


@contextmanager
def writing_to(path: Path | None) -> Iterator[None]:
    """While the ``with`` block runs, also write events to a log file, including those that stderr omits because of
    --quiet.

    If ``path`` is None, write to no file. Raises UsageError if the file cannot be opened.
    """
    if path is None:
        yield
        return
    file = LogFile(path)
    _files.append(file)
    try:
        yield
    finally:
        report_left_out()
        _files.remove(file)
        file.close()
        if file.failures:
            console.print(f"{path}: {file.failures} lines could not be written", markup=False)


def problems() -> tuple[ProblemView, ...]:
    """Return a problem for each log file that cannot be written at present."""
    return tuple(
        ProblemView(
            severity="warning",
            kind="log_file",
            text=f"Cannot write the log file {str(file.path)!r}: {file.problem}.",
            advice="Make room on its disk, or name another file with --log-file. Everything else continues.",
        )
        for file in _files
        if file.problem
    )


@contextmanager
def silenced() -> Iterator[None]:
    """Write no log lines to stderr while the ``with`` block runs. A display uses the terminal then, and shows the
    events."""
    _ConsoleLogger.silent = True
    try:
        yield
    finally:
        _ConsoleLogger.silent = False


class _ConsoleLogger:
    """Writes log lines to stderr. On a terminal, rich writes them, so that they do not destroy a live display."""

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
    """Configure structlog for this process, and reset the limits of log lines."""
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


def report_left_out() -> None:
    """Log how many lines of each kind were left out since the last report.

    This function is called at three times: some seconds after the first line that was left out since the last report,
    before a log file is closed, and at the end of the program.
    """
    for each in _lines.take():
        log = _log.info if each.level == "info" else _log.warning
        log("lines_left_out", kind=each.kind, lines=each.lines, seconds=each.seconds)


_lines = LineLimit(report_left_out)


def _limit(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop an event beyond the limits of ``line_limit``, because pools and miners decide how often most events
    happen."""
    if not _lines.allows(event["event"], event["level"], is_block="block" in event):
        raise structlog.DropEvent
    return event


def _keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event["level"] != "debug" and event["event"] not in _NOT_NEWS:
        fields = {key: value for key, value in event.items() if key not in ("event", "level", "exception")}
        events.take(event["event"], event["level"], fields, time.time())
    return event


_NOT_NEWS = ("status", "economics")
"""Events that are not kept in ``events``, because the status screen and the web page show the figures in these events
anyway."""


def _write_to_file(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _files:
        file = _files[-1]
        before = file.problem
        file.write({"timestamp": datetime.now(UTC).isoformat(), **event})
        if bool(file.problem) != bool(before):
            _report_log_file(file)
    return event


def _report_log_file(file: LogFile) -> None:
    """Log that the file can no longer be written, or that it can be written again."""
    if file.problem:
        _log.error("log_file_failed", file=str(file.path), reason=file.problem, hint="everything else continues")
    else:
        _log.info("log_file_recovered", file=str(file.path), missing=file.failures)


def _is_journal() -> bool:
    """Return whether stderr is the socket of the systemd journal (systemd.exec(5): JOURNAL_STREAM)."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The syslog priority of each log level. It is written at the beginning of a line, where the systemd journal reads it
(sd-daemon(3))."""


def _journal_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Return a line for the systemd journal. It has no time and no level name, because the journal stores both
    itself."""
    values = dict(event)
    del values["timestamp"]
    priority = _PRIORITIES.get(event["level"], 6)
    lines = _worded(values).splitlines()
    return "\n".join(f"<{priority}>{line}" for line in lines)


def _make_safe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make all fields of an event safe to print, for every log format.

    The text of many fields comes from pools, miners, files and devices. This text must not be able to control the
    terminal, begin another log line or fill the log.
    """
    return {key: _safe(key, value) for key, value in event.items()}


def _safe(key: str, value: Any) -> Any:
    if key == "exception":
        return sanitize_lines(str(value))
    return sanitize_value(value, _LONG_FIELDS.get(key, SENTENCE_CHARACTERS))


_LONG_FIELDS = {"line": 16384}
"""Limits of fields that may be longer than ``SENTENCE_CHARACTERS``, in characters. ``line`` is a complete protocol
line."""


def _dropping_below(level: int) -> structlog.typing.Processor:
    def drop(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if getattr(logging, event["level"].upper()) < level:
            raise structlog.DropEvent
        return event

    return drop


def _sentence_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Return a line such as ``19:56:08 Share accepted, difficulty 1.5.``.

    For a warning or an error, the level comes before the sentence, as in ``warning: ...``.
    """
    values = dict(event)
    clock, level = values.pop("timestamp"), event["level"]
    mark = "" if level in ("info", "debug") else f"{level}: "
    return f"{clock} {mark}{_worded(values)}"


def _worded(values: dict[str, Any]) -> str:
    name, _, trace = (values.pop(key, None) for key in ("event", "level", "exception"))
    words = sentence(str(name), {key: value for key, value in values.items() if value is not None and value != ""})
    return words if trace is None else f"{words}\n{_indented(trace)}"


def _plain_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Return a line such as ``19:56:08 share_accepted    job=25536e6e difficulty=0.1626``.

    For a warning or an error, the level comes before the event name, as in ``warning: no_pool``.
    """
    values = dict(event)
    clock, name, level = values.pop("timestamp"), values.pop("event"), values.pop("level")
    trace = values.pop("exception", None)
    marked = name if level in ("info", "debug") else f"{level}: {name}"
    fields = " ".join(f"{key}={_shown(value)}" for key, value in values.items() if value not in (None, ""))
    line = f"{clock} {marked:<18} {fields}".rstrip()
    return line if trace is None else f"{line}\n{_indented(trace)}"


def _indented(trace: str) -> str:
    """Indent a traceback, so that none of its lines looks like a line of the log."""
    return textwrap.indent(trace, "  ")


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_shown(item) for item in value)
    text = str(value)
    return repr(text) if " " in text or "=" in text else text
