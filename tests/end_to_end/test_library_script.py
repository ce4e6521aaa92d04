"""The script of the page on using the package from Python runs as it stands there."""

import re
import sys
from pathlib import Path

import trio

from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"


async def test_script_of_ten_lines() -> None:
    match = re.search(r"```python\n(import .*?)```", PAGE.read_text(), re.S)
    assert match is not None
    script = match[1]
    assert len(script.splitlines()) <= 10
    async with (
        MemoryNode(LOWEST_DIFFICULTY) as node,
        open_pool(node, PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-5)) as pool,
    ):
        script = script.replace("127.0.0.1:3333", f"127.0.0.1:{pool.port}")
        done = await trio.run_process([sys.executable, "-c", script], capture_stdout=True, capture_stderr=True)
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("accepted ")
    assert re.fullmatch(r"accepted [0-9.e-]+ [0-9a-f]{64}", lines[0])
    assert done.stderr == b""
