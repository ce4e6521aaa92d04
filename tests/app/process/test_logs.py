"""What log lines show: nothing that another side said may steer the terminal."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from stratum_miner.app.process import logs
from stratum_miner.foreign_text import is_plain

HOSTILE = "a\x1b]0;t\x07\x1b[2J\x9bb\r\n19:56:08 Share accepted.\u202e\u2066\u200b\u2028\ud800" + "x" * 100_000
FORMATS: tuple[logs.LogFormat, ...] = ("plain", "sentences", "json")


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "words", [HOSTILE, HOSTILE.encode("utf-8", "surrogatepass"), [HOSTILE] * 1000, {HOSTILE: HOSTILE}]
)
def test_foreign_words_steer_no_terminal_and_make_no_line_of_their_own(
    words: object, log_format: logs.LogFormat, capsys: Any
) -> None:
    try:
        logs.configure(level="info", log_format=log_format)
        structlog.get_logger("x").info("new_job", job_id=words, difficulty="1")
    finally:
        structlog.reset_defaults()
    [line] = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert len(line.encode()) < 4000
    if log_format == "json":
        assert is_plain(str(json.loads(line)))


def test_the_log_file_and_the_events_have_what_the_lines_have(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "log"
    before = logs.events.newest(1)
    try:
        logs.configure(level="warning")
        with logs.writing_to(path):
            structlog.get_logger("x").info("pool_message", text=HOSTILE, number=10**400)
    finally:
        structlog.reset_defaults()
    [line] = path.read_bytes().splitlines()
    assert len(line) < 4000
    fields = msgspec.json.decode(line)
    assert is_plain(str(fields))
    assert fields["number"] == "a number of 1329 bits"
    [event] = logs.events.newest(after=before[-1].number if before else 0)
    assert (event.name, event.fields["text"]) == ("pool_message", fields["text"])
    assert is_plain(event.text)


@pytest.mark.parametrize("log_format", FORMATS)
def test_the_text_of_an_error_makes_no_line_of_the_log(log_format: logs.LogFormat, capsys: Any) -> None:
    try:
        logs.configure(level="info", log_format=log_format)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            structlog.get_logger("x").exception("client_failed", address="a")
    finally:
        structlog.reset_defaults()
    first, *rest = capsys.readouterr().err.splitlines()
    assert "client" in first or "The connection of the miner at a ended" in first
    assert all(line.isprintable() and line.startswith("  ") for line in rest)
    assert len(rest) > 3 or log_format == "json"


def test_a_traceback_keeps_its_lines(capsys: Any) -> None:
    try:
        logs.configure(level="info", log_format="plain")
        try:
            raise ValueError("x")
        except ValueError:
            structlog.get_logger("x").exception("client_failed")
    finally:
        structlog.reset_defaults()
    assert "\n      raise ValueError" in capsys.readouterr().err
