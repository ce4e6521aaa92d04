"""Bitcoin nodes for a pool: an embedded one for regtest (``kernel``), a chain in memory with any network difficulty
(``memory``), and real ones over JSON-RPC (``bitcoind``)."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from stratum_miner.installation import MissingExtraError
from stratum_miner.pool.nodes.base import Node, NodeError, SubmitResult, Tip

__all__ = ["MissingExtraError", "Node", "NodeError", "SubmitResult", "Tip", "open_node"]

EXPECTED = "expected kernel or the JSON-RPC of a node, as in http://HOST:PORT"


def open_node(
    spec: str, *, data_dir: Path | None = None, cookie_file: Path | None = None, password: str | None = None
) -> Node:
    """Return the node that ``spec`` describes. Use the node with ``async with``, which opens it.

    ``spec`` is ``kernel`` for the embedded regtest node, or the URL of a JSON-RPC server. The embedded node keeps its
    block chain in ``data_dir``, or in a temporary directory if ``data_dir`` is None. User and password in the URL may
    be percent-encoded. ``password`` replaces the password of the URL. ``cookie_file`` replaces both user and password.

    Raises ValueError if ``spec`` cannot be used, or if an option does not apply to this kind of node. The message has
    no credentials.
    """
    if spec == "kernel":
        if cookie_file is not None or password is not None:
            raise ValueError("the embedded node (kernel) has neither a cookie file nor a password: leave them out")
        from stratum_miner.pool.nodes.kernel import KernelNode  # noqa: PLC0415 - an optional extra

        return KernelNode(data_dir)
    if data_dir is not None:
        raise ValueError("only the embedded node (kernel) has a data directory: leave it out, or use kernel")
    return _rpc_node(spec, cookie_file, password)


def _rpc_node(spec: str, cookie_file: Path | None, password: str | None) -> Node:
    try:
        parts = urlsplit(spec)
        host, port = parts.hostname, parts.port
    except ValueError:  # urllib's message would repeat part of the URL
        raise ValueError(f"{EXPECTED}, got a URL that cannot be parsed. Write special characters as %xx") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{EXPECTED}, got {'another kind of URL' if '://' in spec else 'no URL'}")
    if parts.query or parts.fragment:
        raise ValueError(f"{EXPECTED}, got a URL with ? or #. Write special characters as %xx")
    user = unquote(parts.username or "")
    if password is None and parts.password is not None:
        password = unquote(parts.password)
    from stratum_miner.pool.nodes.bitcoind import BitcoindNode, Credentials  # noqa: PLC0415 - its client loads slowly

    if cookie_file is None and password is None:
        raise ValueError(f"{EXPECTED}, got no password. Add a password or a cookie file")
    shown_host = f"[{host}]" if ":" in host else host
    address = f"{parts.scheme}://{shown_host}:{port or 8332}{parts.path or '/'}"
    if cookie_file is not None:
        return BitcoindNode(address, cookie_file=cookie_file)
    return BitcoindNode(address, credentials=Credentials(user, password or ""))
