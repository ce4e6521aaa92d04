"""Checks of the hooks of --on-event. The checks run no command and post nothing. They never show a command or a URL,
because these may contain a secret."""

import os
import shlex
import shutil
import socket
from collections.abc import Sequence

import trio

from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.app.operation.hooks import Hook
from stratum_miner.network.fetch import HttpTarget

REACH_S = 5.0
"""Seconds within which the host of a web hook must accept a connection."""
_BUILT_IN = frozenset(
    {":", ".", "[", "cd", "command", "echo", "eval", "exec", "export", "false", "if", "for", "case", "kill", "printf"}
    | {"read", "set", "sleep", "test", "trap", "true", "umask", "unset", "while", "until", "{", "(", "!"}
)
"""Commands of the shell itself."""


async def hook_findings(hooks: Sequence[Hook]) -> list[Finding]:
    """Return a finding for each hook: whether its program exists, or whether its host can be reached."""
    found = []
    for hook in hooks:
        if hook.target.startswith(("http:", "https:")):
            problem = await _unreachable(HttpTarget.parse(hook.target))
            fix = "check the URL and the connection of this computer"
        else:
            problem = missing_program(hook.target)
            fix = "install the program, or give its full path; a relative path begins where mine is started"
        verdict, text = (Severity.PROBLEM, problem) if problem else (Severity.GOOD, "can be called")
        subject = f"--on-event {hook.kind}"
        found.append(Finding(topic="hooks", subject=subject, verdict=verdict, text=text, fix=fix if problem else ""))
    return found


def missing_program(command: str) -> str:
    """Return why the program of a shell command cannot be run, or an empty text. A command that begins with shell
    syntax, such as a variable, is not examined."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return "the shell cannot read the command, because a quote is not closed"
    while words and "=" in words[0].partition("/")[0]:
        words.pop(0)  # NAME=VALUE before the program sets an environment variable
    if not words or words[0] in _BUILT_IN or any(sign in words[0] for sign in "$`*?(){}<>|&;"):
        return ""
    program = os.path.expanduser(words[0])
    if shutil.which(program) is not None:
        return ""
    if os.path.isdir(program):
        return "the program of the command is a directory"
    return (
        "this user may not execute the program of the command"
        if os.path.exists(program) and "/" in program
        else "the program of the command is not found"
    )


async def _unreachable(target: HttpTarget) -> str:
    try:
        with trio.fail_after(REACH_S):
            stream = await trio.open_tcp_stream(target.host, target.port)
            await stream.aclose()
    except trio.TooSlowError:
        return f"the host of the web hook did not answer within {REACH_S:g} s"
    except socket.gaierror:
        return "no address is known for the host of the web hook"
    except OSError:
        return "the host of the web hook accepts no connection"
    return ""
