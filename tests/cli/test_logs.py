"""What log lines show: nothing that another side said may steer the terminal."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from structlog.testing import capture_logs

from stratum_miner.cli import logs, mining
from stratum_miner.miner import JobStarted


@pytest.mark.parametrize("log_format", ["plain", "sentences", "json"])
def test_foreign_words_carry_no_control_characters(log_format: logs.LogFormat, capsys: Any) -> None:
    try:
        logs.configure(level="info", log_format=log_format)
        structlog.get_logger("x").info("new_job", job_id="a\x1b[2J\x9bb\r", difficulty="1")
    finally:
        structlog.reset_defaults()
    [line] = capsys.readouterr().err.splitlines()
    assert line.isprintable()


def test_a_job_id_makes_no_line_of_its_own() -> None:
    job = SimpleNamespace(job_id="a\n19:56:08 Share accepted.", share_difficulty=1.0, clean_jobs=True)
    with capture_logs() as lines:
        mining.Reporter()(JobStarted(cast(Any, job), 7, True))
    assert lines[0]["job_id"].isprintable()
