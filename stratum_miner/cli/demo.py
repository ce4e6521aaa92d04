"""``stratum-miner demo``: a whole Bitcoin network on this computer, for a minute.

It runs an embedded node with the validation of Bitcoin Core, the pool on this node, and the miner, which connects to
the pool over TCP on loopback. The network is a regtest network, on which one hash in two would be a block. The miner
submits only hashes that meet the pool's share difficulty. That is far above the network difficulty, so the search for
each block takes long enough to watch.
"""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stratum_miner.app.daemon import status_lines
from stratum_miner.app.options import backend_choice, common, node_access
from stratum_miner.app.process import logs, printing, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.app.process.live_display import can_redraw
from stratum_miner.app.process.logs import console
from stratum_miner.backends.base import Backend
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl
from stratum_miner.installation import is_installed, require
from stratum_miner.miner import Goals, Miner, MinerEvent, StopReason
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import Summary
from stratum_miner.pool import BlockFound, PoolConfig, PoolEvent, open_pool
from stratum_miner.pool.nodes.base import Node
from stratum_miner.quantities import duration_text, hash_rate_text

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
"""The address of private key 1 (BIP 173). Everybody knows this key, and regtest coins have no value."""
DIFFICULTY = 0.002
"""Default share difficulty of the demo. A share, which is always also a block here, takes 8.6 million hashes on
average: 0.1 s on a fast computer, 2 s on a slow computer."""


@dataclass(slots=True)
class _Result:
    summary: Summary
    kernel: str
    report: dict[str, Any]
    height: int
    ending: StopReason
    blocks: list[dict[str, Any]] = field(default_factory=list)


def demo(
    *,
    blocks: Annotated[int, Parameter(name="--blocks", help="Number of blocks to mine.")] = 20,
    difficulty: Annotated[
        float,
        Parameter(
            name="--difficulty",
            help="Share difficulty of the pool. At difficulty 1, a block takes about 4.3 billion hashes on average.",
        ),
    ] = DIFFICULTY,
    threads: backend_choice.Threads = None,
    kernel: backend_choice.KernelName = None,
    json: common.Json = False,
    debug: common.Debug = False,
) -> int:
    """Mine blocks of a new regtest chain with an embedded node, a pool and a miner in one process.

    Exit code 1: the chain of the node has fewer blocks than --blocks. 5: a kernel failed its self-test.
    """
    common.set_up_logging(debug=debug, quiet=not debug)
    if blocks <= 0:
        raise UsageError(f"--blocks: expected a number above zero, got {blocks}")
    if not 1e-9 <= difficulty <= 1e6:
        raise UsageError(f"--difficulty: expected a number from 1e-9 to 1e6, got {difficulty}")
    searcher = backend_choice.backend("cpu", threads=threads, kernel=kernel, options=None)
    results: list[_Result] = []

    async def mine_and_ask(stop: signals.Stop) -> None:
        results.append(await _demo(stop, blocks, difficulty, searcher))

    signals.run(mine_and_ask)
    if not results:  # the user stopped the command before the node started
        return ExitCode.OK
    [result] = results
    if json:
        printing.print_json(result.report | {"height": result.height, "blocks": result.blocks})
    else:
        _print_table(result, blocks)
        _print_next_commands()
    ended_by_user = result.ending is StopReason.STOPPED
    return ExitCode.OK if ended_by_user or result.height >= blocks else ExitCode.FAILED


async def _demo(stop: signals.Stop, blocks: int, difficulty: float, searcher: Backend) -> _Result:
    require("regtest", "demo")  # only now, so that a user without the extra learns of wrong options, too
    async with node_access.opened("kernel") as node:
        config = PoolConfig(payout_script=node_access.payout_script(ADDRESS, node), port=0, difficulty=difficulty)
        with _progress() as progress:
            task = progress.add_task("mining regtest blocks", total=blocks)

            def note_block(event: PoolEvent) -> None:
                if isinstance(event, BlockFound):
                    miner.block_judged(event.hash, accepted=event.accepted)
                    count = miner.snapshot().blocks_accepted
                    if event.accepted:
                        progress.update(task, completed=count)
                        if progress.disable:
                            console.print(f"block {count} of {blocks}: {event.hash}")

            async with open_pool(node, config, on_event=note_block) as pool:

                def tell(event: MinerEvent) -> None:
                    monitor.note(event)

                miner = Miner(
                    PoolSettings(url=PoolUrl("127.0.0.1", pool.port), worker_name=f"{ADDRESS}.demo"),
                    [searcher],
                    goals=Goals(blocks=blocks),
                    options=ClientOptions(retry=False),
                    node_judges=True,
                    on_event=tell,
                )
                monitor = Monitor(miner.snapshot, logs.events)
                ending = await status_lines.mine_until_done(miner, stop, monitor.view, quiet=True, beside=[monitor.run])
        return await _result(node, miner, monitor, ending)


async def _result(node: Node, miner: Miner, monitor: Monitor, ending: StopReason) -> _Result:
    """Collect the result from the node's chain, not from the counters of the miner."""
    height = (await node.tip()).height
    chain = [{"height": at, "hash": display_hash(await node.block_hash(at))} for at in range(1, height + 1)]
    kernel = miner.backends[0].statistics().detail
    return _Result(monitor.view().summary, kernel, monitor.report(), height, ending, chain)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not can_redraw(console),
        transient=True,
    )


def _print_table(result: _Result, wanted: int) -> None:
    output = printing.console()
    table = Table(box=None, pad_edge=False)
    table.add_column("height", justify="right")
    table.add_column("block hash", no_wrap=True)
    for block in result.blocks:
        table.add_row(str(block["height"]), block["hash"])
    output.print(table)
    shares, summary = result.summary.shares, result.summary
    lines = (
        f"{result.height} of {wanted} blocks in the node's chain after {duration_text(summary.elapsed_s)}",
        f"{hash_rate_text(summary.hash_rate)} ({result.kernel})",
        f"shares: {shares.accepted} accepted, {shares.rejected} rejected, {shares.stale} stale, {shares.lost} lost",
    )
    for line in lines:
        output.print(line, markup=False, highlight=False)


def _print_next_commands() -> None:
    """Print what to type next. The commands work in the shell of the user, with the path of this program if needed."""
    program = as_typed(sys.argv[0])
    page = is_installed("page")
    lines = (
        "",
        "Next, in two terminals: a pool, and a miner" + (" with a page at http://127.0.0.1:7780" if page else ""),
        f"  {program} pool --address {ADDRESS}",
        f"  {program} mine -o 127.0.0.1:3333 -u rig1{' --http 127.0.0.1:7780' if page else ''}",
        "On another pool:",
        f"  {program} mine -o HOST:PORT -u WORKER",
        f"All commands: {program} --help",
    )
    for line in lines:
        printing.console().print(line, markup=False, highlight=False, soft_wrap=True)


def as_typed(path: str) -> str:
    """Return how a user calls the program at ``path`` in a shell: by its name if the shell finds it by its name,
    otherwise by its path. The path is relative if the program is below the current directory."""
    name = os.path.basename(path)
    if name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m stratum_miner"
    found = shutil.which(name)
    if found and os.path.realpath(found) == os.path.realpath(path):
        return name
    absolute, here = Path(path).absolute(), Path.cwd()
    if not absolute.is_relative_to(here):
        return shlex.quote(str(absolute))
    below = str(absolute.relative_to(here))
    return shlex.quote(below if "/" in below else f"./{below}")
