"""Our pool, our miner and our nodes' client with programs that other people wrote and that are on no registry.

Each test skips unless an environment variable names its program (tests/foreign_program.py). They were built from
pooler/cpuminer (CPUMINER), Z3r0XG/ckpool-lhr, a ckpool with difficulties below 1 (CKPOOL), bitcoin/bitcoin (BITCOIND)
and btcsuite/btcd (BTCD).
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Goals, Miner, MinerEvent, StopReason
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.nodes import open_node
from stratum_miner.testing.scripted_node import HARD_BITS, ScriptedNode, make_template
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from tests.cli.rpc_node import TIP, RpcNode, serving
from tests.foreign_program import foreign_program
from tests.network.free_port import free_port

pytestmark = pytest.mark.slow

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
LEGACY_ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"


@asynccontextmanager
async def running(command: list[str], directory: Path) -> AsyncIterator[Path]:
    """The file with what the program prints; the program is killed after the block."""
    output = directory / "output"
    with output.open("wb") as file:
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, "HOME": str(directory)},
        )
    try:
        yield output
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def said(output: Path) -> str:
    return output.read_text()[-3000:]


async def wait_until(condition: Callable[[], object], output: Path, what: str) -> None:
    with trio.move_on_after(120):
        while not condition():  # noqa: ASYNC110  a foreign program tells us nothing
            await trio.sleep(0.05)
        return
    raise AssertionError(f"waited 120 s for {what}; the program has said:\n{said(output)}")


async def listens(port: int, output: Path) -> None:
    with trio.move_on_after(120):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.1)
            else:
                await stream.aclose()
                return
    raise AssertionError(f"nothing listens on port {port} after 120 s; it has said:\n{said(output)}")


@pytest.fixture
def cpuminer() -> str:
    return foreign_program("CPUMINER")


@pytest.fixture
def ckpool() -> str:
    return foreign_program("CKPOOL")


async def test_cpuminer_mines_on_our_pool(cpuminer: str, tmp_path: Path) -> None:
    node = ScriptedNode(make_template(nbits=HARD_BITS))
    async with open_pool(node, PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-5)) as pool:
        where = f"stratum+tcp://127.0.0.1:{pool.port}"
        command = [cpuminer, "-a", "sha256d", "-o", where, "-u", ADDRESS, "-p", "x", "-t", "1"]
        async with running(command, tmp_path) as output:
            await wait_until(lambda: pool.snapshot().shares.accepted >= 5, output, "five shares")
            assert not pool.snapshot().shares.rejected.total(), said(output)


class NodeForCkpool(RpcNode):
    """A chain of one block that no share of the test solves. ckpool asks without an id."""

    def __init__(self) -> None:
        super().__init__()
        self.template |= {"target": f"{0xFFFF << 208:064x}", "coinbaseaux": {}}
        self.answers |= {
            "validateaddress": {"isvalid": True, "isscript": False, "iswitness": False},
            "getblockcount": 7,
            "getblockhash": TIP,
        }

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        return super().reply({"id": None, "params": [], **request})


async def test_our_miner_on_ckpool(ckpool: str, tmp_path: Path) -> None:
    port = free_port()
    with serving(NodeForCkpool()) as rpc_port:
        settings = {
            "btcd": [{"url": f"127.0.0.1:{rpc_port}", "auth": "x", "pass": "p", "notify": False}],
            "btcaddress": LEGACY_ADDRESS,
            "serverurl": [f"127.0.0.1:{port}"],
            "mindiff": 0.0001,
            "startdiff": 0.0001,
            "highdiff": 0.0001,  # of ports above 4000
            "maxdiff": 0.0001,
            "logdir": str(tmp_path / "logs"),
        }
        configuration = tmp_path / "ckpool.conf"
        configuration.write_text(json.dumps(settings))
        command = [ckpool, "--config", str(configuration), "--sockdir", str(tmp_path / "sockets"), "--killold"]
        async with running(command, tmp_path) as output:
            await listens(port, output)
            events: list[MinerEvent] = []
            pool = PoolSettings(url=PoolUrl("127.0.0.1", port), worker_name=f"{LEGACY_ADDRESS}.rig")
            miner = Miner(pool, [SimulatedBackend(hash_rate=4e6)], goals=Goals(shares=20), on_event=events.append)
            with trio.move_on_after(120):
                assert await miner.run() is StopReason.SHARES_REACHED
                results = [event for event in events if isinstance(event, ShareResult)]
                assert [each.reason for each in results if each.outcome is ShareOutcome.REJECTED] == []
                return
            raise AssertionError(f"no 20 shares in 120 s: {miner.snapshot()}; {said(output)}")


def bitcoind(program: str, directory: Path, rpc: int, p2p: int) -> list[str]:
    return [
        program, "-regtest", f"-datadir={directory}", "-server", "-rpcuser=u", "-rpcpassword=secret",
        f"-rpcport={rpc}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", f"-port={p2p}", "-bind=127.0.0.1",
        "-listenonion=0", "-dnsseed=0", "-printtoconsole",
    ]  # fmt: skip


def btcd(program: str, directory: Path, rpc: int, p2p: int) -> list[str]:
    return [
        program, "--regtest", f"--datadir={directory}", f"--logdir={directory}", f"--configfile={directory}/btcd.conf",
        "--rpcuser=u", "--rpcpass=secret", f"--rpclisten=127.0.0.1:{rpc}", f"--listen=127.0.0.1:{p2p}", "--notls",
        "--nodnsseed",
    ]  # fmt: skip


@dataclass
class NodeToRun:
    """How to run a node, and where it then listens."""

    command: list[str]
    rpc: int


@pytest.fixture(params=[bitcoind, btcd])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> NodeToRun:
    program, rpc = foreign_program(request.param.__name__.upper()), free_port()
    return NodeToRun(request.param(program, tmp_path, rpc, free_port()), rpc)


async def test_our_pool_on_a_node(node: NodeToRun, tmp_path: Path) -> None:
    """Its chain grows by the blocks that it accepts from our pool, and no other."""
    script = script_from_address(ADDRESS, Network.REGTEST)
    async with running(node.command, tmp_path) as output:
        await listens(node.rpc, output)
        async with (
            open_node(f"http://u:secret@127.0.0.1:{node.rpc}") as client,
            open_pool(client, PoolConfig(payout_script=script, port=0, difficulty=1e-6)) as pool,
        ):
            settings = PoolSettings(url=PoolUrl("127.0.0.1", pool.port), worker_name=ADDRESS)
            miner = Miner(settings, [SimulatedBackend(hash_rate=1e5)])
            with trio.move_on_after(120):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(miner.run)
                    while (await client.tip()).height < 10:  # noqa: ASYNC110  a node that is asked
                        await trio.sleep(0.1)
                    miner.stop()
                assert miner.snapshot().blocks_accepted >= 10
                return
            raise AssertionError(f"no 10 blocks in 120 s: {miner.snapshot()}; {said(output)}")
