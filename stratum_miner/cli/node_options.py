"""From --node and its companions to a node, with its credentials kept out of sight."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stratum_miner.bitcoin.address import AddressError, script_from_address
from stratum_miner.cli import secrets
from stratum_miner.cli.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.client.causes import leading_cause
from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import MissingExtraError, Node, NodeError


@asynccontextmanager
async def opened(
    spec: str, *, data_dir: Path | None = None, cookie: Path | None = None, password_file: Path | None = None
) -> AsyncIterator[Node]:
    """The node while the block runs. UsageError for a bad option, CommandFailed when the node does not answer."""
    password = secrets.read_secret_file(password_file, "--node-password-file") if password_file else None
    _register_credentials(spec)
    try:
        node = open_node(spec, data_dir=data_dir, cookie_file=cookie, password=password)
    except ValueError as error:
        raise UsageError(f"--node: {error}") from None
    try:
        async with node:
            yield node
    except (NodeError, ExceptionGroup) as error:
        cause = leading_cause(error, MissingExtraError, NodeError)
        if cause is None:
            raise
        code = ExitCode.USAGE if isinstance(cause, MissingExtraError) else ExitCode.GOAL_MISSED
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
