"""Gets figures for ``profit``, such as the price of 1 BTC. It asks a Bitcoin node, a running miner, and the user's
source of prices, which is a URL or a command.

The size of each answer and the time for it are limited. A price and the figures of a node are marked with today's date.
No error shows the credentials in a URL.
"""

import shlex
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from stratum_miner.app.options import node_access
from stratum_miner.app.process import secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.economics.profit import sources
from stratum_miner.economics.profit.scenario import RawScenario, from_answers
from stratum_miner.network import child
from stratum_miner.network.child import ChildError, Ended
from stratum_miner.network.fetch import Fetcher, FetchError, HttpResponse, HttpTarget
from stratum_miner.pool.nodes.base import ChainState

SECONDS = 15.0
"""Time limit of one query in seconds. For a URL, it covers everything from the lookup of the host name to the last byte
of the answer. For a command that prints a price, it covers its whole run."""
MAX_ANSWER = 1 << 20
"""Largest size in bytes of an HTTP answer including its head, and of each output (stdout, stderr) of a command."""
SUMMARY_PATH = "/api/v1/summary"


def layers(
    *,
    api: str | None,
    node: str | None,
    node_cookie: Path | None,
    node_password_file: Path | None,
    price_url: str | None,
    price_command: str | None,
    price_field: str | None,
) -> list[RawScenario]:
    """Query each source that is not None. Return one incomplete scenario for each answer: it contains only the figures
    of this answer. The command ``profit`` combines such scenarios.

    Raises UsageError for a wrong option, CommandFailed if a source does not answer, and SourceError for an answer that
    cannot be used.
    """
    found = []
    if api:
        found.append(from_answers(miner_terms(api), "--api"))
    if node:
        found.append(from_answers(chain_terms(node, node_cookie, node_password_file), "--node"))
    if price_url:
        found.append(from_answers(price_from_url(price_url, price_field), "--price-url"))
    if price_command:
        found.append(from_answers(price_from_command(price_command, price_field), "--price-command"))
    return found


def chain_terms(spec: str, cookie: Path | None, password_file: Path | None) -> Mapping[str, str]:
    """Ask a Bitcoin node, and return the present difficulty, height, subsidy and average fees.

    Raises UsageError for a wrong option, and CommandFailed if the node does not answer.
    """
    if spec == "kernel":
        raise UsageError(
            "--node: expected the JSON-RPC URL of a node, as in http://HOST:PORT, got kernel, on whose block chain "
            "coins have no value"
        )

    async def ask() -> ChainState:
        async with node_access.opened(spec, cookie=cookie, password_file=password_file) as node:
            return await node.chain_state()

    state = signals.wait_for(ask)
    return sources.chain_terms(
        difficulty=state.difficulty,
        height=state.height,
        subsidy=state.subsidy,
        average_fees=state.average_fees,
        today=_today(),
    )


def miner_terms(url: str) -> Mapping[str, str]:
    """Ask a running miner, and return its measured hash rate, and its power if it knows that."""
    return sources.miner_terms(_get(url.rstrip("/") + SUMMARY_PATH, "--api"), "--api", _shown(url))


def price_from_url(url: str, field: str | None) -> Mapping[str, str]:
    """Fetch a URL, and return the price in the answer."""
    return sources.price(_get(url, "--price-url"), field, "--price-url", _shown(url), _today())


def price_from_command(command: str, field: str | None) -> Mapping[str, str]:
    """Run a command, and return the price that it prints. No shell is used."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--price-command: expected a command line, got one with an error: {error}") from None
    if not words:
        raise UsageError("--price-command: expected a command, got none")

    async def call() -> Ended:
        return await child.run(words, seconds=SECONDS, max_bytes=MAX_ANSWER)

    try:
        result = signals.wait_for(call)
    except ChildError as error:
        kind = CommandFailed if error.started else UsageError
        raise kind(f"--price-command: {words[0]!r}: {error}") from None
    if result.exit_code:
        raise CommandFailed(f"--price-command: expected exit code 0 of {words[0]!r}, got {result.exit_code}")
    return sources.price(result.output, field, "--price-command", repr(words[0]), _today())


def _get(url: str, option: str) -> bytes:
    """Fetch a URL, and return the body of the answer.

    Redirections are not followed. Proxies named in the environment are not used. Raises UsageError for a bad URL, and
    CommandFailed if the query fails or the status of the answer is not 200.
    """
    try:
        target = HttpTarget.parse(url)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    parts = urlsplit(url)
    for secret in (parts.password, parts.query):
        secrets.register(secret or "")

    async def ask() -> HttpResponse:
        async with Fetcher() as fetcher:
            return await fetcher.fetch(target, seconds=SECONDS, max_bytes=MAX_ANSWER)

    try:
        answer = signals.wait_for(ask)
    except FetchError as error:
        raise CommandFailed(f"{option}: {error}") from None
    if answer.status != 200:
        raise CommandFailed(f"{option}: expected status 200 from {target.where}, got {answer.status}")
    return answer.body


def _shown(url: str) -> str:
    """Return the scheme, host and port of a URL. The rest of the URL is left out, because it may contain a key."""
    return HttpTarget.parse(url).where


def _today() -> date:
    return datetime.now(UTC).date()
