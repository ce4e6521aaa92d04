"""``stratum-miner health``: prints the state of a miner that runs with --http, and returns it as an exit code.

``python -m stratum_miner.cli.health URL`` does the same in a tenth of the time, because this module imports nothing
slow.
"""

import socket
import sys
import time

from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.foreign_text import sanitize_lines
from stratum_miner.network.exchange import Exchange, FetchError, HttpResponse, HttpTarget

DEFAULT_API = "http://127.0.0.1:7780"
TIMEOUT_S = 5.0
"""Time limit in seconds from the start of connecting to the last byte of the answer. The lookup of the host name is not
included."""
LARGEST = 1 << 20
"""Largest size of an answer in bytes, including its HTTP head."""
CHARACTERS = 300
"""Largest number of characters that are printed of each line of the answer."""
STATES = {
    "mining": ExitCode.OK,
    "degraded": ExitCode.DEGRADED,
    "no_device": ExitCode.NO_DEVICE,
    "no_pool": ExitCode.NO_POOL,
    "paused": ExitCode.PAUSED,
    "stopping": ExitCode.STOPPING,
}
"""The exit code for each state. The state is the first line of the answer."""


def health(*, api: str = DEFAULT_API, ready: bool = False) -> int:
    """Print the state and the problems of a miner that runs with --http.

    Exit code 0: every device mines. 1: the miner does not answer. 8: some devices do not mine. 9: no device mines.
    10: no pool gives work. 11: mining is paused. 12: the miner is stopping.

    Parameters
    ----------
    api
        URL of the HTTP API of the miner.
    ready
        Also exit with code 0 if only some devices mine, or if mining is paused.
    """
    try:
        target = HttpTarget.parse(f"{api.rstrip('/')}/ready")
    except ValueError:
        target = None
    if target is None or target.scheme != "http":
        raise UsageError(f"--api: expected a URL such as {DEFAULT_API}, got {api.rpartition('@')[2]!r}")
    try:
        answer = _ask(target)
    except TimeoutError:
        sys.stdout.write(f"no answer: expected a whole answer within {TIMEOUT_S:g} s\n")
        return ExitCode.FAILED
    except (OSError, FetchError) as error:
        reason = str(getattr(error, "text", error))
        if isinstance(error, OSError):
            reason = f"{error.strerror or error}; does a miner with --http run at {target.where}?"
        sys.stdout.write(f"no answer: {reason}\n")
        return ExitCode.FAILED
    text = sanitize_lines(answer.body.decode("utf-8", "replace"), CHARACTERS)
    code = STATES.get(text.partition("\n")[0])
    if code is None:
        sys.stdout.write(f"expected the state of a miner with --http, got an answer with status {answer.status}\n")
        return ExitCode.FAILED
    sys.stdout.write(f"{text}\n")
    return ExitCode.OK if ready and answer.status == 200 else code


def _ask(target: HttpTarget) -> HttpResponse:
    """Fetch an answer over HTTP. This uses a plain socket instead of ``network.fetch``, because importing trio would
    take longer than the request."""
    deadline = time.monotonic() + TIMEOUT_S
    exchange = Exchange()
    with _connected(target, deadline) as connection:
        connection.sendall(exchange.request(target, max_bytes=LARGEST))
        while True:
            connection.settimeout(_left(deadline))
            if (answer := exchange.feed(connection.recv(1 << 16))) is not None:
                return answer


def _connected(target: HttpTarget, deadline: float) -> socket.socket:
    """Try the IP addresses of the host in order, and return the first connection that is accepted."""
    failed: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed or OSError("the host name has no address")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


if __name__ == "__main__":
    try:
        sys.exit(health(api=sys.argv[1] if len(sys.argv) > 1 else DEFAULT_API))
    except UsageError as mistake:
        sys.stderr.write(f"{mistake}\n")
        sys.exit(ExitCode.USAGE)
