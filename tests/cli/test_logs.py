"""What log lines show: nothing that another side said may steer the terminal."""

from typing import Any

import pytest
import structlog

from stratum_miner.cli import logs


@pytest.mark.parametrize("log_format", ["plain", "sentences", "json"])
@pytest.mark.parametrize("words", ["a\x1b[2J\x9bb\r", "a\n19:56:08 Share accepted.", ["a\nb"]])
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


def test_a_traceback_keeps_its_lines(capsys: Any) -> None:
    try:
        logs.configure(level="info", log_format="plain")
        try:
            raise ValueError("x")
        except ValueError:
            structlog.get_logger("x").exception("client_failed")
    finally:
        structlog.reset_defaults()
    assert "\n    raise ValueError" in capsys.readouterr().err
