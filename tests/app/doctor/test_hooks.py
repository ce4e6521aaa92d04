"""Whether the commands and web hooks of --on-event can be called."""

import socket
from pathlib import Path

import pytest

from stratum_miner.app.doctor.finding import Severity
from stratum_miner.app.doctor.hooks import hook_findings, missing_program
from stratum_miner.app.operation.hooks import Hook


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("true", ""),
        ("echo found | cat", ""),
        ("sh -c 'exit 0'", ""),
        ("LANG=C sh", ""),
        ("$HOME/anything", ""),
        ("[ -e /x ] && true", ""),
        ("(cd /; true)", ""),
        ("no-such-program hunter2", "the program of the command is not found"),
        ("/no/such/program", "the program of the command is not found"),
        ("A=1 no-such-program", "the program of the command is not found"),
        ("sh -c 'hunter2", "the shell cannot read the command, because a quote is not closed"),
        ("/", "the program of the command is a directory"),
        ("{script}", "this user may not execute the program of the command"),
    ],
)
def test_programs_of_commands(command: str, problem: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.touch(mode=0o600)
    assert missing_program(command.replace("{script}", str(script))) == problem


async def test_no_hook_is_called_and_no_secret_is_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        port, nobody = server.getsockname()[1], closed.getsockname()[1]
        closed.close()
        hooks = [
            f"block=touch {tmp_path}/called",
            "pool-down=no-such-program hunter2hunter2",
            f"pool-up=http://127.0.0.1:{port}/hunter2hunter2",
            f"paused=http://127.0.0.1:{nobody}/hunter2hunter2",
        ]
        found = await hook_findings(list(map(Hook.parse, hooks)))
    assert [item.verdict for item in found] == [Severity.GOOD, Severity.PROBLEM, Severity.GOOD, Severity.PROBLEM]
    assert [item.subject for item in found][:2] == ["--on-event block", "--on-event pool-down"]
    assert found[3].text == "the host of the web hook accepts no connection"
    assert "hunter2" not in repr(found)
    assert not (tmp_path / "called").exists()
