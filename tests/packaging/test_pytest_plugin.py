"""What the plugin costs a run of pytest that wants nothing of it: every run in an environment with our package."""

import subprocess
import sys
from importlib.metadata import entry_points


def test_it_brings_no_module_but_itself_before_a_fixture_is_asked_for() -> None:
    [plugin] = entry_points(group="pytest11", name="stratum_miner")
    program = f"import sys, pytest; before = set(sys.modules); import {plugin.value}; print(*set(sys.modules) - before)"
    command = [sys.executable, "-c", program]
    brought = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ours = {"stratum_miner", "stratum_miner.testing", plugin.value}
    # what pytest has imported itself differs from release to release; none of these two costs a millisecond
    assert set(brought) - {"hashlib", "_hashlib", "_blake2", "argparse"} <= ours
