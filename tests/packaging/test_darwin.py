"""The program on a system that has none of what only Linux has. A Mac is not at hand, so Linux hides it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
from tests.hidden_linux import hide

hide()

import importlib
import json
import os
import pkgutil
import select
import sys

import trio

import stratum_miner

assert not any(hasattr(*name) for name in ((os, "sched_getaffinity"), (select, "epoll"), (os, "pidfd_open")))
for module in pkgutil.walk_packages(stratum_miner.__path__, "stratum_miner."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from stratum_miner.cli import main
from stratum_miner.loadtest.generator import LoadGenerator
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.readiness import PollReadiness, open_readiness
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode

assert isinstance(open_readiness(), PollReadiness)


async def load():
    async with open_pool(ScriptedNode(), PoolConfig(payout_script=b"Q", port=0, difficulty=1e-9)) as pool:
        plan = LoadPlan(host="127.0.0.1", port=pool.port, miners=3, duration=1.0, ramp=0.1, share_rate=10.0, pause=0.05)
        metrics = await trio.to_thread.run_sync(LoadGenerator(plan).run)
    assert metrics.accepted == metrics.sent > 0, (metrics.accepted, metrics.sent)


trio.run(load)
codes = {line: int(main.run(line.split())) for line in sys.argv[1:]}
sys.stderr.write(json.dumps(codes))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="hides what Linux has")
@pytest.mark.skipif(importlib.util.find_spec("pbk") is None, reason="needs the extra: pip install '.[regtest]'")
def test_it_is_imported_mines_serves_and_loads_without_what_only_linux_has(tmp_path: Path) -> None:
    lines = {
        "demo --blocks 2 --difficulty 1e-6 -t 1 --json": 0,
        "mine --no-config -o 127.0.0.1:1 -u w -t 1 --no-retry --http 127.0.0.1:0 --pause-on-battery": 4,
        "devices": 0,
        "doctor --no-config --json": None,
        f"emulate erupter --link {tmp_path}/stick": 2,
        "service unit": None,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *lines], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    codes = json.loads(done.stderr.splitlines()[-1])
    assert {line: codes[line] for line, code in lines.items() if code is not None} == {
        line: code for line, code in lines.items() if code is not None
    }
    [report] = [line for line in done.stdout.splitlines() if line.startswith('{"version"')]
    assert json.loads(report)["height"] == 2
    assert "expected Linux, got darwin" in done.stderr
