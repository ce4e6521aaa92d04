"""A miner with closed or full standard streams continues to mine."""

import json
import subprocess
from pathlib import Path

import pytest

from .test_process import ADDRESS, COMMAND, SIMULATED, easy_pool

GOAL = ["--until-shares", "1", *SIMULATED]


@pytest.mark.parametrize(
    "redirection", ["<&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"], ids=["stdin", "stderr", "all", "stderr-full"]
)
def test_mining_goes_on(redirection: str, tmp_path: Path) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    log = tmp_path / "log"
    with easy_pool() as address:
        arguments = [*COMMAND, "mine", "-o", address, "-u", ADDRESS, "--log-file", str(log), *GOAL]
        done = subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", *arguments], check=False, timeout=120)
    assert done.returncode == 0
    assert any(json.loads(line)["event"] == "share_accepted" for line in log.read_text().splitlines())
