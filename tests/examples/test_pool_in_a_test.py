"""The example ``pool_in_a_test`` runs as a user runs it: pytest in a process of its own, in another folder."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "pool_in_a_test.py"


def test_it_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", EXAMPLE.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\naccepted: a share of difficulty 0.0001 from alice.rig\n" in f"\n{done.stdout}"
    assert "\njob for block 2, sent to 1 miner\n" in done.stdout
    assert re.search(r"^accepted: a share of that job; [1-9]\d* shares in all$", done.stdout, re.M)
    assert "1 passed" in done.stdout
