"""``stratum-miner health``: whether a miner with --http answers, as an exit code, for containers and monitors.

``python -m stratum_miner.cli.health URL`` is the same at a tenth of the time, so this imports nothing slow.
"""

import http.client
import sys
from urllib.parse import urlsplit

from stratum_miner.cli.exit_codes import ExitCode, UsageError

DEFAULT_API = "http://127.0.0.1:7780"
TIMEOUT_S = 5.0
LONGEST = 1000
"""Bytes of an answer that are read."""


def health(*, api: str = DEFAULT_API, ready: bool = False) -> int:
    """Ask a miner with --http whether it is well; exits with 1 if it is not.

    Parameters
    ----------
    api
        Of the miner.
    ready
        Well is what mines or is paused; otherwise what answers: without a pool, a restart helps nobody.
    """
    parts = urlsplit(api)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise UsageError(f"--api: expected a URL such as {DEFAULT_API}, got {api.rpartition('@')[2]!r}")
    try:
        status, state = _ask(parts.hostname, port or 80, "/ready")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {error or type(error).__name__}\n")
        return ExitCode.GOAL_MISSED
    well = status == 200 or (status == 503 and not ready)
    sys.stdout.write(f"{state}\n" if status in (200, 503) else f"it answers {status}: is it a miner with --http?\n")
    return ExitCode.OK if well else ExitCode.GOAL_MISSED


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read(LONGEST).decode("utf-8", "replace")
        return response.status, "\n".join(
            "".join(letter for letter in line if letter.isprintable()) for line in text.splitlines()
        )
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        sys.exit(health(api=sys.argv[1] if len(sys.argv) > 1 else DEFAULT_API))
    except UsageError as mistake:
        sys.stderr.write(f"{mistake}\n")
        sys.exit(ExitCode.USAGE)
