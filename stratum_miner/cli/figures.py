"""``--http``: a command's figures while it runs, for programs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.monitoring import http

log = structlog.get_logger("stratum_miner")


def api(address: str, summary: Callable[[], dict[str, Any]]) -> Callable[[], Awaitable[None]]:
    """The server, its address taken already. UsageError when it cannot be."""
    try:
        bound = http.listening_socket(address)
    except http.ListenError as error:
        raise UsageError(f"--http: {error}") from None
    host, port = bound.getsockname()[:2]
    log.info("http", address=f"http://{f'[{host}]' if ':' in host else host}:{port}")
    return partial(http.serve_figures, bound, summary)
