"""``device`` and ``mine`` as processes of their own, on an emulated stick: who holds it, and that it is given back."""

import signal
import subprocess
import sys
from functools import partial

import trio

from stratum_miner.emulators import emulated

COMMAND = [sys.executable, "-m", "stratum_miner"]


async def run(*arguments: str) -> tuple[int, str, str]:
    done = await trio.run_process([*COMMAND, *arguments], capture_stdout=True, capture_stderr=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def until_said(process: trio.Process, needle: bytes) -> None:
    assert process.stderr is not None
    said = b""
    with trio.fail_after(100):
        async for data in process.stderr:
            said += data
            if needle in said:
                return
    raise AssertionError(f"the process ended without saying {needle!r}: {said!r}")


async def test_a_device_is_changed_only_while_it_is_free_and_is_free_after_ctrl_c() -> None:
    async with emulated("erupter", nonce_difficulty=1e-5) as emulator, trio.open_nursery() as nursery:
        named = f"erupter:{emulator.path}"
        code, out, _ = await run("device", "identify", named)
        assert (code, out.partition(",")[0]) == (0, "ASICMINER Block Erupter USB")

        command = [*COMMAND, "mine", "--no-config", "-o", "127.0.0.1:9", "-u", "x", "--device"]
        mine = [*command, f"{named},nonce-difficulty=1e-5"]
        miner: trio.Process = await nursery.start(partial(trio.run_process, mine, stderr=subprocess.PIPE, check=False))
        await until_said(miner, b"device_mining")
        code, out, err = await run("device", "reset", named)
        assert (code, out) == (1, "")
        assert f"(process {miner.pid}). Stop that program first" in err
        miner.send_signal(signal.SIGINT)
        with trio.fail_after(60):
            assert await miner.wait() == 0

        code, out, _ = await run("device", "reset", named)
        assert (code, out) == (0, "nothing to reset: the device becomes idle when it has searched its nonce range\n")
