"""``stratum-miner health``: the state of a miner with --http as an exit code, for containers and monitors.

``python -m stratum_miner.cli.health URL`` is the same at a tenth of the time, so this imports nothing slow.
"""

import http.client
import sys
from urllib.parse import urlsplit

from stratum_miner.cli.exit_codes import ExitCode, UsageError
from stratum_miner.foreign_text import sanitize, sanitize_lines

DEFAULT_API = "http://127.0.0.1:7780"
TIMEOUT_S = 5.0
LONGEST = 10_000
"""Bytes of an answer that are read."""
STATES = {
    "mining": ExitCode.OK,
    "degraded": ExitCode.DEGRADED,
    "no_device": ExitCode.NO_DEVICE,
    "no_pool": ExitCode.NO_POOL,
    "paused": ExitCode.PAUSED,
    "stopping": ExitCode.STOPPING,
}
"""The first line of the answer, and the exit code for it."""


def health(*, api: str = DEFAULT_API, ready: bool = False) -> int:
    """Print the state of a miner with --http and what is wrong with it. The exit code tells the state.

    0: every device mines. 1: the miner does not answer. 8: some devices do not mine. 9: no device mines. 10: no pool
    gives work. 11: mining is paused. 12: the miner is stopping.

    Parameters
    ----------
    api
        URL of the miner's HTTP API.
    ready
        Exit with 0 also when only some devices mine and when mining is paused.
    """
    parts = urlsplit(api)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise UsageError(f"--api: expected a URL such as {DEFAULT_API}, got {api.rpartition('@')[2]!r}")
    try:
        status, text = _ask(parts.hostname, port or 80, "/ready")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {sanitize(str(error)) or type(error).__name__}\n")
        return ExitCode.GOAL_MISSED
    code = STATES.get(text.partition("\n")[0])
    if code is None:
        sys.stdout.write(f"expected the state of a miner with --http, got an answer with status {status}\n")
        return ExitCode.GOAL_MISSED
    sys.stdout.write(f"{text}\n")
    return ExitCode.OK if ready and status == 200 else code


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read(LONGEST).decode("utf-8", "replace")
        return response.status, sanitize_lines(text)
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        sys.exit(health(api=sys.argv[1] if len(sys.argv) > 1 else DEFAULT_API))
    except UsageError as mistake:
        sys.stderr.write(f"{mistake}\n")
        sys.exit(ExitCode.USAGE)
