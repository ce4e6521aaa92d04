"""Opens the node that ``--node`` and its companions name; its credentials are in no message."""

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
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import MissingExtraError, Node, NodeError
from stratum_miner.pool.nodes.patience import Patience

log = structlog.get_logger("stratum_miner")

NodeSpec: TypeAlias = Annotated[
    str,
    Parameter(
        name="--node",
        env_var="STRATUM_MINER_NODE",
        help="kernel (embedded regtest chain) or http://user:pass@host:port of a node's JSON-RPC.",
    ),
]
NodeCookie: TypeAlias = Annotated[
    Path | None, Parameter(name="--node-cookie", help="The node's cookie file, instead of user:pass.", negative=())
]
NodePasswordFile: TypeAlias = Annotated[
    Path | None,
    Parameter(name="--node-password-file", help="A file whose first line is the node's password.", negative=()),
]
DataDirectory: TypeAlias = Annotated[
    Path | None, Parameter(name="--data-dir", help="Keep the embedded chain here; default temporary.", negative=())
]
PayoutAddress: TypeAlias = Annotated[
    str, Parameter(name="--address", help="Where blocks pay to, an address of the node's network.")
]


@asynccontextmanager
async def opened(spec: str, *, cookie: Path | None = None, password_file: Path | None = None) -> AsyncIterator[Node]:
    """The node while the block runs. UsageError for a bad option, CommandFailed when the node does not answer."""
    node = _node(spec, None, cookie, password_file)
    with _telling():
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
) -> AsyncIterator[Node | None]:
    """The node while the block runs, from when it gives work; until then it says what it waits for.

    None when the command was stopped meanwhile. UsageError for a bad option, also for an ``address`` that is not of the
    node's chain; CommandFailed when waiting cannot help, also later, or when ``time_limit`` is over.
    """
    node = _node(spec, data_dir, cookie, password_file)
    _check_address(address)
    with _telling():
        async with AsyncExitStack() as stack:
            yield await _when_ready(node, address, stack, stop, time_limit)


async def _when_ready(
    node: Node, address: str, stack: AsyncExitStack, stop: Stop, time_limit: float | None
) -> Node | None:
    last = ""

    def tell(error: NodeError) -> None:
        log.warning("node_failed", error=str(error))

    patience = Patience(tell)
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
                    await patience.outwait(error)
                else:
                    if patience.over():
                        log.info("node_recovered")
                    return node
        return None
    assert waiting.cancelled_caught
    reason = f": {last}" if last else ""
    raise CommandFailed(f"the node gave no job within {time_limit:g} s{reason}", ExitCode.POOL_UNREACHABLE)


def _check_address(address: str) -> None:
    """UsageError when it is of no chain at all, which need not wait for the node."""
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


@contextmanager
def _telling() -> Iterator[None]:
    """CommandFailed with the node's error, whatever nurseries it came through."""
    try:
        yield
    except (NodeError, ExceptionGroup) as error:
        cause = leading_cause(error, MissingExtraError, NodeError)
        if cause is None:
            raise
        code = ExitCode.USAGE if isinstance(cause, MissingExtraError) else ExitCode.FAILED
        raise CommandFailed(str(cause), code) from None


def payout_script(address: str, node: Node) -> bytes:
    """The output script of an address on the node's network. UsageError says what is wrong with it."""
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
