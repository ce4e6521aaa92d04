"""The installed command without a network and without a configuration, with JSON output."""

import json
import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "stratum_miner", "doctor"]


def doctor(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_nowhere_to_go_is_no_traceback(tmp_path: Path) -> None:
    done = doctor(HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent/c", XDG_CACHE_HOME="/dev/null/x")
    assert done.stderr == ""
    assert "no file /nonexistent/c" in done.stdout
    assert "cache: /dev/null/x" in done.stdout
    for topic in ("cpu choice", "cpu threads", "clock", "limits files", "sensors temperature", "usb"):
        assert topic in done.stdout
    assert all(line.startswith(("good ", "note ", "problem ", "        > ")) for line in done.stdout.splitlines())


def test_json_hides_passwords_and_the_code_tells_of_problems(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text('user = "u"\n[pools.a]\nurl = "127.0.0.1:1"\npass = "hunter2hunter2"\nurll = "hunter2hunter2"\n')
    done = doctor("--config", str(file), "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 1
    assert {"topic", "subject", "verdict", "text", "fix"} == set(findings[0])
    assert any("did you mean 'url'" in item["text"] for item in findings)
    assert "hunter2" not in done.stdout + done.stderr
