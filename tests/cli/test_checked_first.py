"""Settings of operation are checked with the rest of the configuration, and errors name their line."""

from pathlib import Path

import pytest

from stratum_miner.cli import main


@pytest.mark.parametrize(
    ("line", "needle"),
    [
        ('sched_start = "7h"', "miner.toml:3: sched_start: expected a time of day such as 07:30, got '7h'"),
        ('sched_stop = "25:00"', "miner.toml:3: sched_stop: expected a time of day"),
        ("pause_above = 500", "miner.toml:3: pause_above: expected a temperature from 30 to 120 °C, got 500"),
        ('on_event = ["blokc=true"]', "miner.toml:3: on_event: no event is called 'blokc': did you mean 'block'?"),
        ('on_event = ["https://h/t0ken"]', "miner.toml:3: on_event: expected KIND=COMMAND or KIND=https://..."),
    ],
)
def test_config_check_finds_it(line: str, needle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(f'url = "127.0.0.1:1"\nuser = "u"\n{line}\n')
    assert main.run(["config", "check", "--config", str(file)]) == 2
    err = capsys.readouterr().err
    assert needle in err
    assert err.count("\n") == 1
    assert "t0ken" not in err
