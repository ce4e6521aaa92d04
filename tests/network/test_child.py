"""The bounded run of another program: what it says, when it ends, and that nothing of it stays."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from stratum_miner.network.child import ChildError, Ended, run

LONG = 60.0
SHORT = 0.2


async def shell(script: str, seconds: float = LONG, max_bytes: int | None = 1000, input: bytes = b"") -> Ended:
    return await run(["/bin/sh", "-c", script], seconds=seconds, max_bytes=max_bytes, input=input)


async def test_what_it_says_and_is_told() -> None:
    assert await shell("cat; echo no >&2; exit 3", input=b"yes\n") == Ended(3, b"yes\n", b"no\n")
    assert await shell("kill -9 $$") == Ended(-9, b"", b"")
    assert await shell("cat; echo no >&2", input=b"yes", max_bytes=None) == Ended(0, b"", b"")


async def test_it_need_not_listen() -> None:
    assert (await shell("exit 0", input=b"0" * 1_000_000)).exit_code == 0


async def test_an_environment_is_all_that_it_gets() -> None:
    found = await run(["/usr/bin/env"], seconds=LONG, max_bytes=1000, environment={"A": "b"})
    assert found.output == b"A=b\n"


@pytest.mark.parametrize("script", ["yes", "yes >&2", "printf '%1001d' 1", "printf '%1001d' 1 >&2"])
async def test_it_may_say_only_so_much(script: str) -> None:
    with pytest.raises(ChildError, match=r"^it printed more than 1000 bytes and was killed$"):
        await shell(script)


async def test_it_may_say_just_so_much() -> None:
    assert len((await shell("printf '%1000d' 1; printf '%1000d' 1 >&2")).output) == 1000


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600",
        "exec >&- 2>&-; sleep 600",
        "trap '' TERM INT HUP; sleep 600",
        "while :; do echo 1; sleep 0.05; done",
        "sleep 600 & wait",
    ],
    ids=["silent", "closed its output", "deaf to signals", "dripping", "waits for another"],
)
async def test_it_may_take_only_so_long(script: str) -> None:
    with pytest.raises(ChildError, match=r"^it took more than 0.2 s and was killed$"):
        await shell(script, seconds=SHORT)
    with pytest.raises(ChildError, match=r"^it took more than 0.2 s and was killed$"):
        await shell(script, seconds=SHORT, max_bytes=None)


@pytest.mark.parametrize("command", [["/no/such/program"], ["/"], [__file__], ["true", "a\0b"]])
async def test_what_cannot_be_started(command: list[str]) -> None:
    with pytest.raises(ChildError, match=r"^the program cannot be started: "):
        await run(command, seconds=LONG, max_bytes=1000)


# ---- what it leaves behind -----------------------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path: Path) -> Callable[[str], str]:
    """A script that starts another one, which notes its number first; ``left.pid()`` once it has."""
    return lambda how: (
        f"{how} sh -c 'echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 600' & "
    )


async def gone(pid: int) -> None:
    """Return once no process has this number, or only its parent has yet to hear that it ended."""
    stat = trio.Path(f"/proc/{pid}/stat")
    with trio.fail_after(LONG), suppress(FileNotFoundError, ProcessLookupError):
        while (await stat.read_text()).rpartition(")")[2].split()[0] != "Z":  # noqa: ASYNC110  a process has no event of trio's
            await trio.sleep(0.01)


async def pid_in(folder: Path) -> int:
    with trio.fail_after(LONG):
        while not await trio.Path(folder / "pid").exists():  # noqa: ASYNC110  a file has none either
            await trio.sleep(0.01)
    return int(await trio.Path(folder / "pid").read_text())


async def test_a_grandchild_with_our_pipe_holds_nobody_and_is_ended(left: Callable[[str], str], tmp_path: Path) -> None:
    script = f"{left('')} while [ ! -e {tmp_path}/pid ]; do sleep 0.01; done; echo 7"
    assert await shell(script) == Ended(0, b"7\n", b"")
    await gone(await pid_in(tmp_path))


async def test_one_that_left_the_group_holds_nobody_either(left: Callable[[str], str], tmp_path: Path) -> None:
    script = f"{left('setsid')} while [ ! -e {tmp_path}/pid ]; do sleep 0.01; done; echo 7"
    try:
        assert await shell(script) == Ended(0, b"7\n", b"")
    finally:
        os.kill(await pid_in(tmp_path), 9)


async def test_nobody_listened_to_it_so_it_may_leave_one_running(left: Callable[[str], str], tmp_path: Path) -> None:
    assert (await shell(left(""), max_bytes=None)).exit_code == 0
    os.kill(await pid_in(tmp_path), 9)  # it is still there


@pytest.mark.parametrize("max_bytes", [1000, None])
async def test_all_are_ended_when_it_takes_too_long(
    left: Callable[[str], str], tmp_path: Path, max_bytes: int | None
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: shell(left("") + "wait", max_bytes=max_bytes))
        pid = await pid_in(tmp_path)
        nursery.cancel_scope.cancel()
    await gone(pid)


def pipes() -> set[str]:
    """The pipes that this process holds: each has a number of its own, whichever descriptor it has."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor that lists them
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {target for target in found if target.startswith(("pipe:", "anon_inode:[pidfd]"))}


async def test_nothing_is_held_open() -> None:
    before = pipes()
    for script in ("echo 1", "yes", "exit 3"):
        with suppress(ChildError):
            await shell(script)
    with trio.move_on_after(SHORT):  # whoever waited gives up
        await shell("sleep 600")
    assert pipes() <= before  # garbage of an earlier test may be collected meanwhile
