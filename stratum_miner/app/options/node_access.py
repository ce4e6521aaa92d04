"""Declares the options that name a Bitcoin node, and opens the node. No error or log line shows the credentials of the
node."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.app.process.signals import Stop
from stratum_miner.bitcoin.address import AddressError, Network, script_from_address
from stratum_miner.exception_groups import leading_cause
from stratum_miner.installation import require
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import Node, NodeError
from stratum_miner.pool.nodes.memory import CHECKED, NOT_CHECKED, MemoryNode
from stratum_miner.pool.nodes.retry import NodeRetry

log = structlog.get_logger("stratum_miner")

NodeSpec: TypeAlias = Annotated[
    str,
    Parameter(
        name="--node",
        env_var="STRATUM_MINER_NODE",
        help="Bitcoin node to use: kernel (an embedded regtest chain), or the JSON-RPC of a node, http://USER:PASS@HOST:PORT.",
    ),
]
NodeCookie: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--node-cookie",
        help="Cookie file of the Bitcoin node, to use instead of USER:PASS in --node.",
        negative=(),
    ),
]
NodePasswordFile: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--node-password-file",
        help="File whose first line is the password of the Bitcoin node, to use instead of PASS in --node.",
        negative=(),
    ),
]
DataDirectory: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--data-dir",
        help="Directory in which the embedded chain of --node kernel is kept. [default: a temporary directory]",
        negative=(),
    ),
]
NetworkDifficulty: TypeAlias = Annotated[
    float | None,
    Parameter(
        name="--network-difficulty",
        help="Instead of a node, use a block chain in memory with this network difficulty. Above the share difficulty, "
        f"not every share is a block. The chain checks {CHECKED} of a block. It does not check {NOT_CHECKED}. "
        "--address must be one of regtest. [default: the chain of --node]",
        negative=(),
    ),
]
PayoutAddress: TypeAlias = Annotated[
    str,
    Parameter(name="--address", help="Payout address of the blocks. It must belong to the block chain of --node."),
]


@asynccontextmanager
async def opened(spec: str, *, cookie: Path | None = None, password_file: Path | None = None) -> AsyncIterator[Node]:
    """Open the Bitcoin node that ``spec`` names, and yield it. Raises UsageError for a wrong option, and CommandFailed
    if the node does not answer."""
    node = _node(spec, None, cookie, password_file)
    with _command_failing():
        async with node:
            yield node


@asynccontextmanager
async def ready(
    spec: str,
    stop: Stop,
    *,
    address: str,
    data_dir: Path | None = None,
    cookie: Path | None = None,
    password_file: Path | None = None,
    time_limit: float | None = None,
    network_difficulty: float | None = None,
) -> AsyncIterator[Node | None]:
    """Wait until the Bitcoin node gives a block template, then yield the node. Each reason for waiting is logged.

    Yields None if the command is stopped while it waits. Raises UsageError for a bad option, or if ``address`` does not
    belong to the block chain of the node. Raises MissingExtraError if ``spec`` is the embedded node and its library is
    not installed. Raises CommandFailed if the node gives no block template within ``time_limit`` seconds, or for an
    error that waiting cannot solve.

    With ``network_difficulty``, the node is a block chain in memory with this difficulty.
    """
    if network_difficulty is None:
        node = _node(spec, data_dir, cookie, password_file)
    else:
        node = _memory_node(network_difficulty, spec, data_dir, cookie, password_file)
    _check_address(address)
    if spec == "kernel" and network_difficulty is None:
        require("regtest", "--node kernel")  # only now, so that a user without the extra learns of wrong options, too
    with _command_failing():
        async with AsyncExitStack() as stack:
            yield await _when_ready(node, address, stack, stop, time_limit)


async def _when_ready(
    node: Node, address: str, stack: AsyncExitStack, stop: Stop, time_limit: float | None
) -> Node | None:
    last = ""

    def tell(error: NodeError) -> None:
        log.warning("node_failed", error=str(error))

    retry = NodeRetry(tell)
    is_open = False
    with trio.move_on_after(float("inf") if time_limit is None else time_limit) as waiting:
        with trio.CancelScope() as stopping, stop.calling(stopping.cancel):
            while True:
                try:
                    if not is_open:
                        await stack.enter_async_context(node)
                    is_open = True
                    payout_script(address, node)
                    await node.check_ready()
                    await node.get_template()
                except NodeError as error:
                    last = str(error)
                    await retry.pause_after(error)
                else:
                    if retry.succeeded():
                        log.info("node_recovered")
                    return node
        return None
    assert waiting.cancelled_caught
    reason = f": {last}" if last else ""
    raise CommandFailed(f"the node gave no block template within {time_limit:g} s{reason}", ExitCode.POOL_UNREACHABLE)


def _check_address(address: str) -> None:
    """Raise UsageError if ``address`` is not valid on any block chain. This check does not need the node;
    ``payout_script`` checks that the address is valid on the node's chain."""
    errors: list[str] = []
    for network in Network:
        try:
            script_from_address(address, network)
        except AddressError as error:
            errors.append(str(error))
    if len(errors) == len(Network):
        raise UsageError(f"--address: {errors[0]}")


def _node(spec: str, data_dir: Path | None, cookie: Path | None, password_file: Path | None) -> Node:
    password = secrets.read_secret_file(password_file, "--node-password-file") if password_file else None
    _register_credentials(spec)
    try:
        return open_node(spec, data_dir=data_dir, cookie_file=cookie, password=password)
    except ValueError as error:
        raise UsageError(f"--node: {error}") from None


def _memory_node(
    difficulty: float, spec: str, data_dir: Path | None, cookie: Path | None, password_file: Path | None
) -> Node:
    others = {"--data-dir": data_dir, "--node-cookie": cookie, "--node-password-file": password_file}
    given = [name for name, value in others.items() if value is not None]
    if spec != "kernel" or given:
        raise UsageError(
            f"--network-difficulty: expected no other node, because it uses a block chain in memory, "
            f"got {given[0] if spec == 'kernel' else '--node or STRATUM_MINER_NODE'}. Leave out one of the two"
        )
    try:
        return MemoryNode(difficulty)
    except ValueError as error:
        raise UsageError(f"--network-difficulty: {str(error).partition(': ')[2]}") from None


@contextmanager
def _command_failing() -> Iterator[None]:
    """Turn an error of the node, even one inside an exception group, into CommandFailed."""
    try:
        yield
    except (NodeError, ExceptionGroup) as error:
        cause = leading_cause(error, NodeError)
        if cause is None:
            raise
        raise CommandFailed(str(cause)) from None


def payout_script(address: str, node: Node) -> bytes:
    """Return the output script of an address. Raises UsageError if the address does not belong to the node's
    network."""
    try:
        return script_from_address(address, node.network)
    except AddressError as error:
        raise UsageError(f"--address: {error}") from None


def _register_credentials(spec: str) -> None:
    _, _, rest = spec.partition("://")
    credentials, at, _ = rest.rpartition("@")
    if at:
        secrets.register(credentials.partition(":")[2])
        secrets.register(credentials)
