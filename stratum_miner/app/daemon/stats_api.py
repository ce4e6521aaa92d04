"""``--http`` of ``pool`` and ``proxy``: an HTTP server that gives their statistics and metrics to other programs.

The modules of the server are imported only when needed, because they belong to an extra and load slowly.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings import http_token
from stratum_miner.monitoring.listening import ListenError, is_loopback, listening_socket

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger("stratum_miner")


def api(
    address: str,
    *,
    summary: Callable[[], dict[str, Any]],
    metrics: "Callable[[], Iterable[Metric]]",
    network: bool,
    names: Sequence[str] | None,
    token_file: Path | None,
) -> Callable[[], Awaitable[None]]:
    """Open ``address``, and return a function that runs the HTTP server there. Raises UsageError if it cannot be
    opened.

    On an address that other computers can reach, reading requires the API token. On loopback nothing requires the
    token, because this server allows no changes.
    """
    from stratum_miner.monitoring import http  # noqa: PLC0415  starlette loads slowly

    try:
        bound = listening_socket(address, network=network)
    except ListenError as error:
        raise UsageError(f"--http: {error}") from None
    host, port = bound.getsockname()[:2]
    is_open = is_loopback(host)
    token, where = ("", "") if is_open else http_token.find(token_file)
    access = http.Access(token, open_reading=is_open, names=("localhost", *(names or ())))
    shown = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    log.info("http", address=shown, **({"token": where} if where else {}))
    return partial(http.serve_stats, bound, summary, metrics, access)
